"""Rows of one batch with different adapters, at the price of one: all their LoRA side by side in two products.

A (sum of ranks, in) and B (out, sum of ranks) of all adapters are applied to every row; between the two, a row's
values that belong to other adapters are set to zero. PEFT's `adapter_names` picks the rows of each adapter in each
layer instead, which for four variants is 840 rounds of small products a token.
"""

from collections.abc import Sequence

import torch
from peft.tuners.lora.layer import LoraLayer


class Mixed:
    """The layers of a PEFT model with the LoRA of some of its adapters joined; made once, used for many batches."""

    def __init__(self, model: torch.nn.Module, names: Sequence[str]):
        self.names = list(names)
        layers = [module for module in model.modules() if isinstance(module, LoraLayer)]
        #: False where an adapter is more than two matrices a layer: DoRA, a bias, embeddings.
        self.plain = all(is_plain(layer, names) for layer in layers)
        self.layers = [Joined(layer, names) for layer in layers] if self.plain else []

    def enter(self, rows: Sequence[str]) -> None:
        """From now on each row of a batch goes with its adapter; a name that is no adapter stands for the base."""
        keep: dict[tuple, torch.Tensor] = {}
        for each in self.layers:
            if each.owners not in keep:
                mine = [[float(owner == row) for owner in each.owners] for row in rows]
                keep[each.owners] = torch.tensor(mine, dtype=each.down.dtype, device=each.down.device)[:, None]
            each.keep = keep[each.owners]
            each.layer.forward = each.forward

    def leave(self) -> None:
        """PEFT's own forward again."""
        for each in self.layers:
            del each.layer.forward


def is_plain(layer: LoraLayer, names: Sequence[str]) -> bool:
    """Whether the adapters of a layer are two matrices each, unmerged."""
    more = any(layer.use_dora.get(name) or layer.lora_bias.get(name) for name in names)
    return not more and not layer.merged and not any(name in layer.lora_embedding_A for name in names)


class Joined:
    """One layer's LoRA of several adapters."""

    def __init__(self, layer: LoraLayer, names: Sequence[str]):
        names = [name for name in names if name in layer.lora_A]
        self.layer, self.keep = layer, torch.empty(0)
        #: The adapter that each column of `up` belongs to.
        self.owners = tuple(name for name in names for _ in range(len(layer.lora_A[name].weight)))
        self.down = torch.cat([layer.lora_A[name].weight.detach() for name in names])
        self.up = torch.cat([layer.lora_B[name].weight.detach() * layer.scaling[name] for name in names], 1)

    def forward(self, x: torch.Tensor, *rest, **more) -> torch.Tensor:
        """(rows, length, in) to (rows, length, out)."""
        y = self.layer.base_layer(x, *rest, **more)
        return y + (((x.to(self.down.dtype) @ self.down.t()) * self.keep) @ self.up.t()).to(y.dtype)
