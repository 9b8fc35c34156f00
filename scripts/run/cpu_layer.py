"""A decoder layer of Llama's kind and its LoRA as two autograd functions: few, large operations over unpadded tokens.

On a CPU a step of 300 tokens is 5,000 operations by PEFT and transformers, of which most are small; each costs its
dispatch and a trip through the cache. Here a layer is some forty: projections that read the same input are one
product (q, k and v; gate and up), LoRA is added in place, and rows are padded for attention alone. The backward pass
is written out, as in Axolotl's LoRA kernels for a GPU. Residual stream, LoRA's weights and their gradients stay fp32.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as functional
from peft.tuners.lora.layer import Linear
from torch import Tensor
from transformers import LlamaModel, Qwen2Model

from scripts.model.mixed import is_two_matrices
from scripts.model.packed import Frozen


def halves(model: torch.nn.Module, dtype: torch.dtype) -> list["Half"]:
    """The decoder layers of a model in training, in halves; none where something in them is not what they compute.

    Model: transformers' LlamaModel or Qwen2Model, frozen but for LoRA of plain matrices, without dropout. Which
    adapter is active, and its scaling, is what it was at this call.
    """
    config = model.config
    sliding = "sliding_attention" in (getattr(config, "layer_types", None) or ())
    if (
        not isinstance(model, LlamaModel | Qwen2Model)
        or config.hidden_act != "silu"
        or config.attention_dropout
        or sliding
    ):
        return []
    if any(weight.requires_grad and ".lora_" not in name for name, weight in model.named_parameters()):
        return []
    made, heads = [], Heads(config)
    for layer in model.layers:
        mixer, gated = layer.self_attn, layer.mlp
        read = [mixer.q_proj, mixer.k_proj, mixer.v_proj]
        made.append((Attention, layer.input_layernorm, read, mixer.o_proj, heads))
        read = [gated.gate_proj, gated.up_proj]
        made.append((FeedForward, layer.post_attention_layernorm, read, gated.down_proj, heads))
    plain = all(is_plain(module) for _, _, read, last, _ in made for module in [*read, last])
    return [Half(*parts, dtype) for parts in made] if plain else []


def is_plain(module: torch.nn.Module) -> bool:
    """Whether a projection is a matrix of floats, and its LoRA, if it has one, the product of two and nothing else."""
    base = getattr(module, "base_layer", module)
    if type(base) is not torch.nn.Linear or not base.weight.is_floating_point():
        return False
    if not isinstance(module, Linear):
        return module is base
    names = module.active_adapters
    sure = len(names) == 1 and isinstance(module.lora_dropout[names[0]], torch.nn.Identity)
    return sure and is_two_matrices(module, names)


class Joint:
    """Projections of one input as one: frozen weights stacked, the LoRA of each beside it.

    Modules keep views of the stacked weight.
    """

    def __init__(self, modules: list, dtype: torch.dtype):
        bases = [getattr(module, "base_layer", module) for module in modules]
        weight = torch.cat([base.weight.data for base in bases]).to(dtype)
        biased = bases[0].bias is not None  # q, k and v all have one, or none has
        self.frozen = Frozen(weight, torch.cat([base.bias.data for base in bases]).to(dtype) if biased else None)
        self.columns: list[slice] = []
        self.scaling: list[float] = []
        downs, ups, start = [], [], 0
        for module, base in zip(modules, bases, strict=True):
            columns = slice(start, start + len(base.weight))
            base.weight.data = weight[columns]
            start = columns.stop
            if isinstance(module, Linear):
                name = module.active_adapters[0]
                self.columns.append(columns)
                self.scaling.append(module.scaling[name])
                downs.append(module.lora_A[name].weight)
                ups.append(module.lora_B[name].weight)
        self.ranks = [len(down) for down in downs]
        self.trained = [*downs, *ups]

    def forward(self, x: Tensor, trained: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """x W' + s (x A') B' of (n, in): (n, out), and what `backward` needs."""
        y = self.frozen.forward(x)
        if not trained:
            return y, []
        half = len(self.ranks)
        a = torch.cat(trained[:half]).to(x.dtype)
        b = [(up * scaling).to(x.dtype) for up, scaling in zip(trained[half:], self.scaling, strict=True)]
        inner = x @ a.t()
        for columns, part, up in zip(self.columns, inner.split(self.ranks, 1), b, strict=True):
            y[:, columns].addmm_(part, up.t())
        return y, [x, inner, a, *b]

    def backward(self, gradient: Tensor, saved: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Gradients of x, and of `trained` in fp32, from that of y."""
        of_x = self.frozen.backward(gradient)
        if not saved:
            return of_x, []
        x, inner, a, *b = saved
        of_inner, of_b = torch.empty_like(inner), []
        split = inner.split(self.ranks, 1), of_inner.split(self.ranks, 1)
        for columns, part, of_part, up, scaling in zip(self.columns, *split, b, self.scaling, strict=True):
            torch.mm(gradient[:, columns], up, out=of_part)
            of_b.append((gradient[:, columns].t() @ part).float().mul_(scaling))
        of_x.addmm_(of_inner, a)
        return of_x, [*(of_inner.t() @ x).float().split(self.ranks), *of_b]


@dataclass
class Rows:
    """How n unpadded tokens lie in `count` rows of `length` slots, and what attention needs to know of them."""

    count: int
    length: int
    slots: Tensor  # (n): the slot of each token, row after row, each row from its first slot on
    cos: Tensor  # (n, 1, head size / 2)
    sin: Tensor
    future: Tensor  # (length, length): minus infinity where a key lies after the query, else 0

    @classmethod
    def of(cls, real: Tensor, rotary, like: Tensor) -> "Rows":
        """From the mask (rows, length) of what is no padding and the model's rotary embedding; in `like`'s dtype."""
        count, length = real.shape
        place = real.cumsum(1) - 1
        slots = (place + length * torch.arange(count)[:, None])[real]
        # Both halves of the rotary table are the same.
        cos, sin = (table[0, :, None, : table.shape[-1] // 2] for table in rotary(like, place[real][None]))
        future = like.new_full((length, length), float("-inf")).triu_(1)
        return cls(count, length, slots, cos, sin, future)

    def spread(self, x: Tensor) -> Tensor:
        """Tokens (n, width) in their slots: (count, length, width), zeros between."""
        padded = x.new_zeros(self.count * self.length, x.shape[-1]).index_copy_(0, self.slots, x)
        return padded.view(self.count, self.length, -1)

    def collect(self, padded: Tensor) -> Tensor:
        """The other way round: (count x length, width) to (n, width)."""
        return padded.index_select(0, self.slots)

    def turn(self, heads: Tensor, back: bool = False) -> None:
        """Rotary embedding of (n, heads, head size), in place."""
        first, second = heads.chunk(2, -1)
        was = first.clone()
        sign = -1 if back else 1
        first.mul_(self.cos).addcmul_(second, self.sin, value=-sign)
        second.mul_(self.cos).addcmul_(was, self.sin, value=sign)


def normalised(x: Tensor, weight: Tensor, epsilon: float, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """RMSNorm of (n, hidden), in the dtype of the products, and the inverse root mean square (n, 1)."""
    scale = torch.rsqrt(x.square().mean(-1, keepdim=True).add_(epsilon))
    return (x * scale).mul_(weight).to(dtype), scale


def before_norm(gradient: Tensor, x: Tensor, scale: Tensor, weight: Tensor) -> Tensor:
    """The gradient of RMSNorm's input from that of its output."""
    gradient, unit = gradient.float().mul_(weight), x * scale
    return gradient.addcmul_(unit, (gradient * unit).mean(-1, keepdim=True), value=-1).mul_(scale)


class Attention(torch.autograd.Function):
    """x + o(attention(norm(x))) of (n, hidden), causal within each row."""

    @staticmethod
    def forward(context, x, half, rows, *trained):
        h, scale = normalised(x, half.weight, half.epsilon, half.dtype)
        joined, saved = half.first.forward(h, trained[: half.split])
        heads = half.heads
        rows.turn(heads.turned(joined))
        q, k, v = map(heads.grouped, rows.spread(joined).split(heads.widths, -1))
        scores = (q @ k.mT).mul_(heads.scale).view(-1, rows.length, rows.length)
        # On a CPU softmax in fp32 and the cast take less time than softmax in bf16.
        likely = torch.softmax(scores.add_(rows.future), -1, dtype=torch.float32).to(scores.dtype)
        likely = likely.view(len(q), -1, rows.length)
        mixed = rows.collect(heads.by_token(likely @ v, rows))
        y, saved_last = half.last.forward(mixed, trained[half.split :])
        context.half, context.rows, context.first = half, rows, len(saved)
        context.save_for_backward(x, scale, q, k, v, likely, *saved, *saved_last)
        return x + y

    @staticmethod
    def backward(context, gradient):
        half, rows, first = context.half, context.rows, context.first
        heads = half.heads
        x, scale, q, k, v, likely, *saved = context.saved_tensors
        of_mixed, of_last = half.last.backward(gradient.to(q.dtype), saved[first:])
        of_mixed = heads.grouped(rows.spread(of_mixed))
        of_scores = torch.ops.aten._softmax_backward_data(of_mixed @ v.mT, likely, -1, likely.dtype)
        of_scores.mul_(heads.scale)
        parts = of_scores @ k, of_scores.mT @ q, likely.mT @ of_mixed
        of_joined = rows.collect(torch.cat([heads.by_token(part, rows) for part in parts], -1))
        rows.turn(heads.turned(of_joined), back=True)
        of_h, of_first = half.first.backward(of_joined, saved[:first])
        return before_norm(of_h, x, scale, half.weight).add_(gradient), None, None, *of_first, *of_last


class FeedForward(torch.autograd.Function):
    """x + down(silu(gate(norm(x))) * up(norm(x))) of (n, hidden)."""

    @staticmethod
    def forward(context, x, half, rows, *trained):
        h, scale = normalised(x, half.weight, half.epsilon, half.dtype)
        joined, saved = half.first.forward(h, trained[: half.split])
        gate, up = joined.chunk(2, -1)
        opened = functional.silu(gate)
        y, saved_last = half.last.forward(opened * up, trained[half.split :])
        context.half, context.first = half, len(saved)
        context.save_for_backward(x, scale, joined, opened, *saved, *saved_last)
        return x + y

    @staticmethod
    def backward(context, gradient):
        half, first = context.half, context.first
        x, scale, joined, opened, *saved = context.saved_tensors
        of_product, of_last = half.last.backward(gradient.to(joined.dtype), saved[first:])
        gate, up = joined.chunk(2, -1)
        of_joined = torch.empty_like(joined)
        of_gate, of_up = of_joined.chunk(2, -1)
        torch.mul(of_product, opened, out=of_up)
        torch.ops.aten.silu_backward.grad_input(of_product.mul_(up), gate, grad_input=of_gate)
        of_h, of_first = half.first.backward(of_joined, saved[:first])
        return before_norm(of_h, x, scale, half.weight).add_(gradient), None, None, *of_first, *of_last


class Heads:
    """How attention's heads lie in the output of q, k and v; several query heads read one key's."""

    def __init__(self, config):
        self.groups = config.num_key_value_heads
        self.turning = config.num_attention_heads + self.groups
        self.size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        self.scale = self.size**-0.5
        self.widths = [part * self.size for part in (config.num_attention_heads, self.groups, self.groups)]

    def turned(self, joined: Tensor) -> Tensor:
        """Of (n, heads x size), q, k and v: a view of those that the rotary embedding turns, (n, heads, size)."""
        return joined.unflatten(-1, (-1, self.size))[:, : self.turning]

    def grouped(self, padded: Tensor) -> Tensor:
        """(rows, length, heads x size) to (rows x groups, all tokens of one head after another, size)."""
        apart = padded.unflatten(-1, (-1, self.size)).transpose(1, 2)
        return apart.reshape(len(padded) * self.groups, -1, self.size)

    def by_token(self, heads: Tensor, rows: Rows) -> Tensor:
        """Back to (rows x length, heads x size)."""
        return heads.view(rows.count, -1, rows.length, self.size).transpose(1, 2).reshape(rows.count * rows.length, -1)


class Half:
    """Half a decoder layer: norm, the projections that read it, what is between, the projection back."""

    def __init__(self, function, norm, first: list, last, heads: Heads, dtype: torch.dtype):
        self.function, self.weight, self.epsilon = function, norm.weight.detach(), norm.variance_epsilon
        self.first, self.last, self.heads, self.dtype = Joint(first, dtype), Joint([last], dtype), heads, dtype
        self.split = len(self.first.trained)

    def __call__(self, x: Tensor, rows: Rows) -> Tensor:
        return self.function.apply(x, self, rows, *self.first.trained, *self.last.trained)
