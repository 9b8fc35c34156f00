"""Several LoRA adapters as one: the exact weighted sum, and the approximations that have names.

`cat` puts the factors side by side, so B @ A is the exact sum and the rank the sum of ranks. `linear`,
`ties`, `dare_*` and `magnitude_prune` combine A with A and B with B, which adds cross terms; their `_svd`
kinds combine full deltas and cut them to a rank; `svd` is the best approximation of the sum for its rank.
The elementwise part is PEFT's. Its `add_weighted_adapter` is not used: its `svd` kinds count alpha / rank
twice (0.20.0), so with alpha = 2 · rank the result is twice the sum.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from peft.utils import merge_utils

from scripts.model import lora
from scripts.model.lora import Deltas, Lora

EXACT = "cat"
BY_FACTOR = ("linear", "ties", "dare_linear", "dare_ties", "magnitude_prune")  # need equal ranks
BY_DELTA = ("svd", "ties_svd", "dare_linear_svd", "dare_ties_svd", "magnitude_prune_svd")
METHODS = (EXACT, *BY_FACTOR, *BY_DELTA)
Merge = Callable[[list[torch.Tensor], torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Settings:
    """How a stack is made; `rank` 0 means the largest rank of the members."""

    method: str = "cat"
    rank: int = 0
    density: float = 0.5
    seed: int = 0


def combine(members: list[tuple[Lora, float]], settings: Settings) -> Deltas:
    """The members' weighted sum by a method, as deltas of scale 1. Members of weight 0 are absent."""
    members = [(member, weight) for member, weight in members if weight]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        return {layer: _layer(_present(members, layer), settings) for layer in _layers(members)}


def exact(members: list[tuple[Lora, float]]) -> Deltas:
    """The exact weighted sum; its rank is the sum of ranks."""
    return combine(members, Settings())


def _layers(members: list[tuple[Lora, float]]) -> list[str]:
    return sorted({layer for member, _ in members for layer in member.factors})


def _present(members: list[tuple[Lora, float]], layer: str) -> list[tuple[torch.Tensor, torch.Tensor, float]]:
    """(A, B, weight · scale) of those members that have the layer."""
    return [(*m.factors[layer], weight * m.scales[layer]) for m, weight in members if layer in m.factors]


def _layer(
    parts: list[tuple[torch.Tensor, torch.Tensor, float]], settings: Settings
) -> tuple[torch.Tensor, torch.Tensor]:
    method, rank = settings.method, settings.rank or max(len(down) for down, _, _ in parts)
    if method in ("cat", "svd"):
        down, up = torch.cat([a * w for a, _, w in parts]), torch.cat([b for _, b, _ in parts], dim=1)
        return (down, up) if method == "cat" else _best(down, up, rank)
    merge = _merge(method.removesuffix("_svd"), settings.density)
    if method.endswith("_svd"):
        return _cut(merge([b @ a for a, b, _ in parts], torch.tensor([w for *_, w in parts])), rank)
    # A weight is split evenly over A and B; its sign goes to A alone, or two would cancel.
    roots = torch.tensor([math.sqrt(abs(w)) for *_, w in parts])
    signs = torch.tensor([math.copysign(1, w) for *_, w in parts])
    return merge([a for a, _, _ in parts], roots * signs), merge([b for _, b, _ in parts], roots)


def _merge(method: str, density: float) -> Merge:
    if method == "linear":
        return merge_utils.task_arithmetic
    function = getattr(merge_utils, method)
    return lambda tensors, weights: function(tensors, weights, density)


def _best(down: torch.Tensor, up: torch.Tensor, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The best approximation of up @ down at a rank (Eckart-Young), by QR of the thin factors."""
    left, upper = torch.linalg.qr(up.double())
    right, lower = torch.linalg.qr(down.double().T)
    u, s, v = torch.linalg.svd(upper @ lower.T)
    root = s[:rank].sqrt()
    return ((right @ v[:rank].T) * root).T.float().contiguous(), (left @ u[:, :rank] * root).float().contiguous()


def _cut(delta: torch.Tensor, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A full delta cut to a rank."""
    u, s, v = torch.linalg.svd(delta, full_matrices=False)
    root = s[:rank].sqrt()
    return (v[:rank].T * root).T.contiguous(), (u[:, :rank] * root).contiguous()


def tensors(delta: Deltas) -> dict[str, torch.Tensor]:
    """Deltas under PEFT's names, every layer padded with zeros to one rank."""
    rank = max(len(down) for down, _ in delta.values())
    named = {}
    for layer, (down, up) in delta.items():
        missing = rank - len(down)
        named[f"{lora.PREFIX}{layer}.lora_A.weight"] = torch.nn.functional.pad(down, (0, 0, 0, missing)).contiguous()
        named[f"{lora.PREFIX}{layer}.lora_B.weight"] = torch.nn.functional.pad(up, (0, missing)).contiguous()
    return named


def config(members: list[Lora], rank: int) -> dict:
    """The adapter_config.json of a result: scale 1, the members' layers, nothing that only training needs."""
    modules = sorted({layer.rsplit(".", 1)[1] for member in members for layer in member.factors})
    own = {"r": rank, "lora_alpha": rank, "rank_pattern": {}, "alpha_pattern": {}, "lora_dropout": 0.0}
    return members[0].config | own | {"target_modules": modules, "inference_mode": True}
