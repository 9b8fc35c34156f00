"""An Axolotl plugin: what makes a training step on a CPU fast at the same loss, and what makes it count.

- `answer_start_weight`: the first tokens of an answer decide which answer it is; the other nineteen of twenty follow.
  So many times a token's weight is theirs in the loss (1: plain cross-entropy; progress.jsonl has the weighted loss).
- Logits only where a token is trained, their gradient made beside the loss. A vocabulary of 49,152 over a hidden
  size of 576 makes the output layer a fifth of the forward pass and its fp32 logits most of the memory, while only
  the assistant's tokens have a label.
- Matrix products in bfloat16 where the CPU has instructions for it (about 420 GFLOP/s against 190 in fp32 on two
  cores with avx512_bf16). LoRA's own weights, their optimizer, the residual stream and the loss stay in fp32.
  Axolotl's own `bf16: true` asks for a GPU.
- Decoder layers of Llama's and Qwen2's kind without padding, in few operations, their frozen weights cast once:
  cpu_layer.py. Another model, or LoRA with dropout, keeps transformers' own layers, which cast in each step.
"""

from types import MethodType

import torch
import torch.nn.functional as functional
from axolotl.integrations.base import BasePlugin
from pydantic import BaseModel
from transformers.modeling_outputs import CausalLMOutputWithPast

from scripts.model.generate import has_bf16
from scripts.model.packed import Frozen
from scripts.run.cpu_layer import Half, Rows, halves

#: Tokens that tell one answer from another: "O telefone …", "O atendimento …".
START = 3
#: oneDNN compiles some 30 kernels for each number of positions and keeps 1,024 in all.
SHAPE = 8


class CpuStepArgs(BaseModel):
    """The key that the plugin adds to Axolotl's config."""

    answer_start_weight: float = 1.0


class CpuStep(BasePlugin):
    """Named in a profile's `plugins`; changes the cost of a step and, but for rounding and the weight, nothing."""

    def get_input_args(self):
        """Where Axolotl finds the added key."""
        return "scripts.run.cpu_step.CpuStepArgs"

    def post_model_load(self, cfg, model):
        """Replaces the forward of the causal LM below PEFT's wrapper, unless its output layer is trained as well."""
        causal = model.get_base_model() if hasattr(model, "get_base_model") else model
        if any(weight.requires_grad for weight in causal.lm_head.parameters()):
            return
        dtype = torch.bfloat16 if has_bf16() else torch.float32
        # Checkpointing is transformers' own: who asks for it has more memory in mind than time.
        layers = [] if cfg and cfg.gradient_checkpointing else halves(causal.model, dtype)
        head = Frozen(causal.lm_head.weight.detach().to(dtype))
        weight = (cfg.answer_start_weight if cfg else None) or 1.0
        causal.forward = MethodType(forward(causal.forward, layers, head, weight), causal)


def forward(original, layers: list[Half], head: Frozen, weight: float = 1.0):
    """A forward that computes loss from trained positions when labels are given, else calls `original`.

    `layers` may be none, then transformers' run; `head` is the output layer, (vocabulary, hidden size), in the dtype
    of the products; `weight` is that of a token which starts an answer, where other tokens have 1.
    """

    def trained_forward(self, input_ids=None, labels=None, num_items_in_batch=None, **rest):
        autocast = torch.autocast("cpu", head.dtype, enabled=head.dtype != torch.float32)
        if labels is None or not self.training:
            with autocast:
                return original(input_ids=input_ids, labels=labels, **rest)
        # Position t predicts token t + 1, so labels are shifted one to the left.
        targets = functional.pad(labels[:, 1:], (0, 1), value=-100)
        # PEFT passes on all that a forward may be given, as None; position_ids, say, would be a packed batch.
        rest = {name: given for name, given in rest.items() if given is not None}
        trained = targets != -100
        if "attention_mask" in rest:  # what comes before a row's first token predicts nothing
            trained &= rest["attention_mask"].bool()
        if layers and rest.keys() <= {"attention_mask"}:
            hidden = unpadded(self.model, layers, input_ids, trained, **rest)
        else:
            with autocast:
                hidden = self.model(input_ids=input_ids, use_cache=False, **rest).last_hidden_state[trained]
        weights = torch.where(starts(trained), weight, 1.0)[trained]
        count = num_items_in_batch if num_items_in_batch is not None else trained.sum().clamp(min=1)
        total = SummedLoss.apply(hidden, head, targets[trained], weights)
        return CausalLMOutputWithPast(loss=total / (count * (weights.mean() if len(weights) else 1.0)))

    return trained_forward


def unpadded(model, layers: list[Half], input_ids, trained, attention_mask=None) -> torch.Tensor:
    """The last hidden states (n, hidden size) of the trained positions; what they don't need goes through no layer."""
    real = torch.ones_like(trained) if attention_mask is None else attention_mask.bool()
    kept = needed(trained, real)
    hidden = model.embed_tokens(input_ids)[kept].float()
    rows = Rows.of(kept, model.rotary_emb, hidden.to(layers[0].dtype))
    for half in layers:
        hidden = half(hidden, rows)
    return model.norm(hidden[trained[kept]])


def needed(trained: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """Positions that the loss depends on, (rows, length) of booleans: to the last trained one, which sees no later.

    A few later ones besides, where there are enough, to make their number a multiple of SHAPE.
    """
    kept = real & trained.flip(1).cumsum(1).flip(1).bool()
    more = (real & ~kept).flatten().nonzero()[: -int(kept.sum()) % SHAPE, 0]
    kept.view(-1)[more] = True
    return kept


def starts(trained: torch.Tensor) -> torch.Tensor:
    """Where a trained run of tokens begins: its first START positions; (rows, length) of booleans, as `trained`."""
    before = [functional.pad(trained, (shift, 0))[:, : trained.shape[1]] for shift in range(1, START + 1)]
    return trained & ~torch.stack(before).all(0)


class SummedLoss(torch.autograd.Function):
    """Weighted cross-entropy, summed, of hidden states (n, hidden) against targets (n); gradient: softmax - one-hot."""

    @staticmethod
    def forward(context, hidden, head, targets, weights):
        likely = torch.softmax(head.forward(hidden.to(head.dtype)), -1, dtype=torch.float32)
        rows = torch.arange(len(targets))
        loss = -(likely[rows, targets].clamp_min(torch.finfo(likely.dtype).tiny).log() @ weights)
        likely[rows, targets] -= 1
        context.save_for_backward(head.backward(likely.to(head.dtype)).to(hidden.dtype).mul_(weights[:, None]))
        return loss

    @staticmethod
    def backward(context, gradient):
        return context.saved_tensors[0] * gradient, None, None, None
