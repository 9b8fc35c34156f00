"""An Axolotl plugin: what makes a training step on a CPU fast at the same loss, and what makes it count.

- `answer_start_weight`: the first tokens of an answer decide which answer it is; the other nineteen of twenty follow.
  So many times a token's weight is theirs in the loss (1: plain cross-entropy; progress.jsonl has the weighted loss).
- Logits only where a token is trained, their gradient made beside the loss. A vocabulary of 49,152 over a hidden
  size of 576 makes the output layer a fifth of the forward pass and its fp32 logits most of the memory, while only
  the assistant's tokens have a label.
- Matrix products in bfloat16 where the CPU has instructions for it (about 420 GFLOP/s against 190 in fp32 on two
  cores with avx512_bf16); frozen weights are cast once and not in each step. LoRA's own weights, their optimizer, the
  residual stream and the loss stay in fp32. Axolotl's own `bf16: true` asks for a GPU.
- One autograd function for a projection and its LoRA, as Axolotl's LoRA kernels are on a GPU: of PEFT's dozen small
  operations for each of 210 projections six products are left.
"""

from types import MethodType

import torch
import torch.nn.functional as functional
from axolotl.integrations.base import BasePlugin
from peft.tuners.lora.layer import Linear
from pydantic import BaseModel
from transformers.modeling_outputs import CausalLMOutputWithPast

from scripts.model.generate import has_bf16

#: Tokens that tell one answer from another: "O telefone …", "O atendimento …".
START = 3


class CpuStepArgs(BaseModel):
    """The key that the plugin adds to Axolotl's config."""

    answer_start_weight: float = 1.0


class CpuStep(BasePlugin):
    """Named in a profile's `plugins`; changes the cost of a step and, but for rounding and the weight, nothing."""

    def get_input_args(self):
        """Where Axolotl finds the added key."""
        return "scripts.run.cpu_step.CpuStepArgs"

    def post_model_load(self, cfg, model):
        """Replaces the forward of the causal LM below PEFT's wrapper, and that of each plain LoRA projection."""
        causal = model.get_base_model() if hasattr(model, "get_base_model") else model
        dtype = torch.bfloat16 if has_bf16() else torch.float32
        head = causal.lm_head.weight.detach().to(dtype)
        weight = (cfg.answer_start_weight if cfg else None) or 1.0
        causal.forward = MethodType(forward(causal.forward, head, weight), causal)
        for module in model.modules():
            if isinstance(module, Linear) and is_plain(module):
                module.base_layer.to(dtype)
                module.forward = MethodType(projection(module.forward), module)


def is_plain(module: Linear) -> bool:
    """Whether a projection's LoRA is the product of two matrices and nothing else, under a weight of floats."""
    weight = module.base_layer.weight
    return (
        len(module.active_adapters) == 1
        and not module.use_dora.get(module.active_adapters[0])
        and isinstance(module.lora_dropout[module.active_adapters[0]], torch.nn.Identity)
        and module.base_layer.bias is None
        and weight.is_floating_point()
        and not weight.requires_grad
    )


def forward(original, head: torch.Tensor, weight: float = 1.0):
    """A forward that computes loss from trained positions when labels are given, else calls `original`.

    `head` is the output layer, (vocabulary, hidden size), in the dtype of the products; `weight` is that of a token
    which starts an answer, where other tokens have 1.
    """

    def trained_forward(self, input_ids=None, labels=None, num_items_in_batch=None, **rest):
        if labels is None or not self.training:
            return original(input_ids=input_ids, labels=labels, **rest)
        # Position t predicts token t + 1, so labels are shifted one to the left.
        targets = labels[:, 1:]
        trained = targets != -100
        with torch.autocast("cpu", head.dtype, enabled=head.dtype != torch.float32):
            hidden = self.model(input_ids=input_ids, use_cache=False, **rest).last_hidden_state
        weights = torch.where(starts(trained), weight, 1.0)[trained]
        count = num_items_in_batch if num_items_in_batch is not None else trained.sum().clamp(min=1)
        total = SummedLoss.apply(hidden[:, :-1][trained], head, targets[trained], weights)
        return CausalLMOutputWithPast(loss=total / (count * weights.mean()))

    return trained_forward


def starts(trained: torch.Tensor) -> torch.Tensor:
    """Where a trained run of tokens begins: its first START positions; (rows, length) of booleans, as `trained`."""
    before = [functional.pad(trained, (shift, 0))[:, : trained.shape[1]] for shift in range(1, START + 1)]
    return trained & ~torch.stack(before).all(0)


def projection(original):
    """A LoRA projection's forward in training; `original` else, which evaluates and merges."""

    def trained_projection(self, x, *rest, **more):
        if not self.training or self.merged or self.disable_adapters:
            return original(x, *rest, **more)
        name = self.active_adapters[0]
        parts = self.base_layer.weight, self.lora_A[name].weight, self.lora_B[name].weight
        return Projection.apply(x, *parts, self.scaling[name])

    return trained_projection


class SummedLoss(torch.autograd.Function):
    """Weighted cross-entropy, summed, of hidden states (n, hidden) against targets (n); gradient: softmax - one-hot."""

    @staticmethod
    def forward(context, hidden, head, targets, weights):
        likely = torch.log_softmax((hidden.to(head.dtype) @ head.t()).float(), -1)
        rows = torch.arange(len(targets))
        loss = -(likely[rows, targets] @ weights)
        wrong = likely.exp_()
        wrong[rows, targets] -= 1
        wrong *= weights[:, None]
        context.save_for_backward((wrong.to(head.dtype) @ head).to(hidden.dtype))
        return loss

    @staticmethod
    def backward(context, gradient):
        return context.saved_tensors[0] * gradient, None, None, None


class Projection(torch.autograd.Function):
    """x W' + s (x A') B', with gradients for x, A (rank, in) and B (out, rank); products in the dtype of W."""

    @staticmethod
    def forward(context, x, weight, a, b, scaling):
        flat = x.reshape(-1, x.shape[-1]).to(weight.dtype)
        a, b = a.to(weight.dtype), b.to(weight.dtype)
        inner = (flat @ a.t()).mul_(scaling)
        context.save_for_backward(flat, weight, a, b, inner)
        context.scaling, context.shape, context.dtype = scaling, x.shape, x.dtype
        return (flat @ weight.t()).addmm_(inner, b.t()).view(*x.shape[:-1], -1)

    @staticmethod
    def backward(context, gradient):
        flat, weight, a, b, inner = context.saved_tensors
        gradient = gradient.reshape(-1, gradient.shape[-1]).to(weight.dtype)
        of_inner = (gradient @ b).mul_(context.scaling)
        of_x = (gradient @ weight).addmm_(of_inner, a).view(context.shape).to(context.dtype)
        return of_x, None, (of_inner.t() @ flat).float(), (gradient.t() @ inner).float(), None
