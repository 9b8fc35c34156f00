"""An Axolotl plugin: what makes a training step on a CPU fast, at the same loss.

- Logits only where a token is trained. A vocabulary of 49,152 over a hidden size of 576 makes the output layer a
  fifth of the forward pass and its fp32 logits most of the memory, while only the assistant's tokens have a label.
- Matrix products in bfloat16 where the CPU has instructions for it (about 420 GFLOP/s against 190 in fp32 on two
  cores with avx512_bf16); LoRA's own weights, their optimizer and the loss stay in fp32. Axolotl's own `bf16: true`
  asks for a GPU.
"""

from types import MethodType

import torch
import torch.nn.functional as functional
from axolotl.integrations.base import BasePlugin
from transformers.modeling_outputs import CausalLMOutputWithPast

from scripts.model.generate import has_bf16


class CpuStep(BasePlugin):
    """Named in a profile's `plugins`; changes the cost of a step and, but for rounding, nothing else."""

    def post_model_load(self, cfg, model):
        """Replaces the causal LM's forward below PEFT's wrapper."""
        causal = model.get_base_model() if hasattr(model, "get_base_model") else model
        causal.forward = MethodType(forward(causal.forward, has_bf16()), causal)


def forward(original, bf16: bool):
    """A forward that computes loss from trained positions when labels are given, else calls `original`."""

    def trained_forward(self, input_ids=None, labels=None, num_items_in_batch=None, **rest):
        if labels is None or not self.training:
            return original(input_ids=input_ids, labels=labels, **rest)
        # Position t predicts token t + 1, so labels are shifted one to the left.
        targets = labels[:, 1:]
        trained = targets != -100
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            hidden = self.model(input_ids=input_ids, use_cache=False, **rest).last_hidden_state
            logits = self.lm_head(hidden[:, :-1][trained])
        total = functional.cross_entropy(logits.float(), targets[trained], reduction="sum")
        count = num_items_in_batch if num_items_in_batch is not None else trained.sum().clamp(min=1)
        return CausalLMOutputWithPast(loss=total / count)

    return trained_forward
