"""Rows of one batch with different adapters, at the price of one: all their LoRA side by side in two products.

A (sum of ranks, in) and B (out, sum of ranks) of all adapters are applied to every row; between the two, a row's
values that belong to other adapters are set to zero. PEFT's `adapter_names` picks the rows of each adapter in each
layer instead, which for four variants is 840 rounds of small products a token.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from peft.tuners.lora.layer import LoraLayer
from peft.utils.other import AuxiliaryTrainingWrapper


class Mixed:
    """The layers of a PEFT model with the LoRA of some of its adapters joined; good for any rows of these adapters."""

    def __init__(self, model: torch.nn.Module, names: Sequence[str]):
        self.names, modules = list(names), list(model.modules())
        layers = [module for module in modules if isinstance(module, LoraLayer)]
        whole = any(isinstance(module, AuxiliaryTrainingWrapper) for module in modules)
        #: False where an adapter is more than two matrices a layer: DoRA, a bias, embeddings, modules saved whole.
        self.plain = not whole and all(is_two_matrices(layer, names) for layer in layers)
        self.layers = [Joined(layer, names) for layer in layers] if self.plain else []

    @contextmanager
    def using(self, rows: Sequence[str]) -> Iterator[None]:
        """Each row of a batch goes with its adapter; a name that is no adapter's stands for the base."""
        keep: dict[tuple, torch.Tensor] = {}
        for each in self.layers:
            if each.owners not in keep:
                mine = [[float(owner == row) for owner in each.owners] for row in rows]
                keep[each.owners] = torch.tensor(mine, dtype=each.dtype, device=each.device)[:, None]
            each.keep = keep[each.owners]
        try:
            for each in self.layers:
                each.layer.forward = each.forward
            yield
        finally:
            for each in self.layers:
                vars(each.layer).pop("forward", None)


def is_two_matrices(layer: LoraLayer, names: Sequence[str]) -> bool:
    """Whether these adapters of a layer are A and B each and nothing else, unmerged."""
    more = any(name in layer.lora_variant or layer.lora_bias.get(name) for name in names)
    return not more and not layer.merged and not any(name in layer.lora_embedding_A for name in names)


class Joined:
    """One layer's LoRA of several adapters; those that leave the layer alone have no columns."""

    def __init__(self, layer: LoraLayer, names: Sequence[str]):
        names = [name for name in names if name in layer.lora_A]
        self.layer, self.keep = layer, torch.empty(0)
        #: The adapter that each column of `up` belongs to.
        self.owners = tuple(name for name in names for _ in range(len(layer.lora_A[name].weight)))
        if names:
            self.down = torch.cat([layer.lora_A[name].weight.detach() for name in names])
            self.up = torch.cat([layer.lora_B[name].weight.detach() * layer.scaling[name] for name in names], 1)
        weight = self.down if names else layer.get_base_layer().weight
        self.dtype, self.device = weight.dtype, weight.device

    def forward(self, x: torch.Tensor, *rest, **more) -> torch.Tensor:
        """(rows, length, in) to (rows, length, out)."""
        y = self.layer.base_layer(x, *rest, **more)
        if not self.owners:
            return y
        return y + (((x.to(self.dtype) @ self.down.t()) * self.keep) @ self.up.t()).to(y.dtype)
