"""An Axolotl plugin: logits only where a token is trained.

A vocabulary of 49,152 over a hidden size of 576 makes the output layer a fifth of the forward pass and
its fp32 logits most of the memory, while only the assistant's tokens have a label. The hidden states of the
other positions are left out before the output layer; the loss is the same number.
"""

from types import MethodType

import torch.nn.functional as functional
from axolotl.integrations.base import BasePlugin
from transformers.modeling_outputs import CausalLMOutputWithPast


class TrainedLogits(BasePlugin):
    """Named in a profile's `plugins`; changes the loss's cost and nothing else."""

    def post_model_load(self, cfg, model):
        """Replaces the causal LM's forward below PEFT's wrapper."""
        causal = model.get_base_model() if hasattr(model, "get_base_model") else model
        causal.forward = MethodType(forward(causal.forward), causal)


def forward(original):
    """A forward that computes loss from trained positions when labels are given, else calls `original`."""

    def trained_forward(self, input_ids=None, labels=None, num_items_in_batch=None, **rest):
        if labels is None or not self.training:
            return original(input_ids=input_ids, labels=labels, **rest)
        hidden = self.model(input_ids=input_ids, use_cache=False, **rest).last_hidden_state
        # Position t predicts token t + 1, so labels are shifted one to the left.
        targets = labels[:, 1:]
        trained = targets != -100
        logits = self.lm_head(hidden[:, :-1][trained]).float()
        total = functional.cross_entropy(logits, targets[trained], reduction="sum")
        count = num_items_in_batch if num_items_in_batch is not None else trained.sum().clamp(min=1)
        return CausalLMOutputWithPast(loss=total / count)

    return trained_forward
