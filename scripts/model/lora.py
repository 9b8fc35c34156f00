"""LoRA weights as matrices: read from an adapter folder, compared without ever building the full delta.

A delta of one layer is ΔW = scale · B @ A with A (rank, in) and B (out, rank). Inner products need only
the small Gram matrices: <B₁A₁, B₂A₂> = Σ (B₁ᵀB₂) ∘ (A₁A₂ᵀ), which is rank × rank work.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file

#: layer name (`model.layers.0.self_attn.q_proj`) to (A, B), the scale folded into A
Deltas = dict[str, tuple[torch.Tensor, torch.Tensor]]
PREFIX = "base_model.model."


@dataclass(frozen=True)
class Lora:
    """An adapter's weights; `scales` holds alpha / rank per layer."""

    config: dict
    factors: Deltas
    scales: dict[str, float]


def read(folder: Path) -> Lora:
    """adapter_config.json and adapter_model.safetensors of a folder, in float32."""
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    tensors = load_file(folder / "adapter_model.safetensors")
    factors: Deltas = {}
    for key in (key for key in tensors if key.endswith(".lora_A.weight")):
        down, up = tensors[key].float(), tensors[key.replace(".lora_A.", ".lora_B.")].float()
        factors[key.removeprefix(PREFIX).removesuffix(".lora_A.weight")] = (down, up)
    scales = {layer: _alpha(config, layer) / len(down) for layer, (down, _) in factors.items()}
    return Lora(config, dict(sorted(factors.items())), scales)


def _alpha(config: dict, layer: str) -> float:
    """The layer's own alpha where alpha_pattern has one; as in PEFT, a pattern is a regex for the name's end."""
    for pattern, alpha in (config.get("alpha_pattern") or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", layer):
            return alpha
    return config["lora_alpha"]


def deltas(lora: Lora, weight: float = 1.0) -> Deltas:
    """The adapter's deltas times a weight, folded into A; B is shared, not copied."""
    return {layer: (down * (weight * lora.scales[layer]), up) for layer, (down, up) in lora.factors.items()}


def inner(one: Deltas, other: Deltas) -> float:
    """The inner product of two deltas over the layers that both have, in float64."""
    return sum(_inner(one[layer], other[layer]) for layer in one.keys() & other.keys())


def _inner(one: tuple[torch.Tensor, torch.Tensor], other: tuple[torch.Tensor, torch.Tensor]) -> float:
    (a, b), (c, d) = ((down.double(), up.double()) for down, up in (one, other))
    return float(((b.T @ d) * (a @ c.T)).sum())


def norm(delta: Deltas) -> float:
    """The Frobenius norm over all layers."""
    return max(inner(delta, delta), 0.0) ** 0.5


def cosine(one: Deltas, other: Deltas) -> float:
    """How alike two adapters pull: 1 the same way, 0 independent, -1 against each other."""
    return inner(one, other) / ((norm(one) * norm(other)) or 1.0)


def distance(approximate: Deltas, exact: Deltas) -> float:
    """‖approximate − exact‖ / ‖exact‖. Below about 1e-8 the Gram matrices of float64 say nothing more."""
    squared = inner(approximate, approximate) - 2 * inner(approximate, exact) + inner(exact, exact)
    return max(squared, 0.0) ** 0.5 / (norm(exact) or 1.0)


def sign_conflicts(one: Deltas, other: Deltas, share: float = 0.2) -> float:
    """Of the values among the largest `share` of both deltas, how many have opposite signs (0.5 is chance).

    The measure of TIES-Merging (Yadav et al. 2023), layer by layer on the full delta.
    """
    both = opposite = 0
    for layer in sorted(one.keys() & other.keys()):
        first, second = (up @ down for down, up in (one[layer], other[layer]))
        large = _large(first, share) & _large(second, share)
        both += int(large.sum())
        opposite += int((large & (first.sign() != second.sign())).sum())
    return opposite / both if both else 0.0


def _large(delta: torch.Tensor, share: float) -> torch.Tensor:
    values = delta.abs()
    return values >= values.flatten().kthvalue(max(1, int((1 - share) * values.numel()))).values
