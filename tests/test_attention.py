"""Attention of one new token against transformers' eager attention."""

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from scripts.model import attention

SIZES = {"hidden_size": 96, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 6}


MODELS = [
    LlamaForCausalLM(LlamaConfig(vocab_size=300, num_key_value_heads=2, **SIZES)),
    Qwen2ForCausalLM(Qwen2Config(vocab_size=300, num_key_value_heads=6, **SIZES)),
]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("padding", [0, 4])
def test_the_next_token_is_as_by_eager_attention(model, padding, monkeypatch):
    model.eval()
    ids, mask = torch.randint(0, 300, (3, 9)), torch.ones(3, 10, dtype=torch.long)
    mask[0, :padding] = 0
    places = (mask.cumsum(1) - 1).clamp(min=0)
    found = {}
    honest = attention.sdpa_attention_forward
    long = []
    monkeypatch.setattr(
        attention, "sdpa_attention_forward", lambda *rest, **more: long.append(1) or honest(*rest, **more)
    )
    for kind in ("eager", attention.GROUPED):
        model.set_attn_implementation(kind)
        with torch.inference_mode():
            first = model(input_ids=ids, attention_mask=mask[:, :9], position_ids=places[:, :9], use_cache=True)
            more = {"attention_mask": mask, "position_ids": places[:, 9:], "past_key_values": first.past_key_values}
            found[kind] = model(input_ids=ids[:, :1], **more).logits
    assert len(long) == 2, "the prompt, in each layer, and nothing else"
    assert torch.allclose(found["eager"], found[attention.GROUPED], atol=1e-5)
