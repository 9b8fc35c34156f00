"""A LoRA folded into a copy of its base: W + scale · B @ A, shard by shard, the base only ever read.

The sum is formed in float64 and rounded once to the base's own precision. What that costs is measured
afterwards on real prompts, against what was trained: the adapter over the base as it was loaded then,
4-bit included.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from scripts.errors import UserError
from scripts.model.lora import Deltas
from scripts.paths import shown

#: Where a float32 model may differ from its adapter and still be called the same.
TOLERANCE = 1e-4
SKIPPED = (".safetensors", ".bin", ".gguf", ".pth", ".md")


@dataclass(frozen=True)
class Difference:
    """Two models' logits on the same prompts: largest and mean absolute difference, share of equal next tokens."""

    largest: float
    mean: float
    same_token: float
    positions: int


def merge(base: Path, delta: Deltas, out: Path) -> None:
    """Writes the base's files to `out` (an empty folder) with the deltas added to the weights they name."""
    shards = sorted(base.glob("*.safetensors"))
    _refuse_unknown(base, shards, delta)
    for shard in shards:
        save_file(_merged(shard, delta), out / shard.name, metadata={"format": "pt"})
    for file in base.iterdir():
        if file.is_file() and not file.name.endswith(SKIPPED) and file.name != "base.json":
            shutil.copyfile(file, out / file.name)


def _refuse_unknown(base: Path, shards: list[Path], delta: Deltas) -> None:
    known: set[str] = set()
    for shard in shards:
        with safe_open(shard, "pt") as stream:
            known |= set(stream.keys())
    unknown = [layer for layer in delta if f"{layer}.weight" not in known]
    if unknown:
        raise UserError(
            f"{shown(base)} has no weights for {len(unknown)} layers that the adapter changes: {unknown[0]} …"
        )


def _merged(shard: Path, delta: Deltas) -> dict[str, torch.Tensor]:
    merged = {}
    with safe_open(shard, "pt") as stream:
        for key in stream.keys():
            weight = stream.get_tensor(key)
            if factors := delta.get(key.removesuffix(".weight")):
                down, up = (factor.double() for factor in factors)
                weight = (weight.double() + up @ down).to(weight.dtype)
            merged[key] = weight
    return merged


@torch.inference_mode()
def logits(model: torch.nn.Module, prompts: list[list[int]]) -> list[torch.Tensor]:
    """The logits at every position of each prompt (token ids), in float32 on the CPU."""
    return [model(input_ids=torch.tensor([ids], device=model.device)).logits[0].float().cpu() for ids in prompts]


def difference(one: list[torch.Tensor], other: list[torch.Tensor]) -> Difference:
    """How far two models' logits lie apart."""
    first, second = torch.cat(one), torch.cat(other)
    apart = (first - second).abs()
    same = (first.argmax(-1) == second.argmax(-1)).double().mean()
    return Difference(float(apart.max()), float(apart.mean()), float(same), len(first))


def in_words(found: Difference) -> str:
    """The difference as a sentence."""
    apart = f"logits differ by {found.largest:.1e} at most, {found.mean:.1e} on average"
    return f"{apart}; {found.same_token:.2%} of {found.positions} next tokens are the same"
