"""Attention of one new token against transformers' eager attention."""

from types import SimpleNamespace

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


def test_in_bf16_with_values_of_another_size_and_with_a_mask_that_is_added():
    torch.manual_seed(0)
    query, key, value = (torch.randn(2, heads, new, 16) for heads, new in ((6, 1), (2, 7), (2, 7)))
    value, seen = value[..., :8], torch.ones(2, 1, 1, 7, dtype=torch.bool)
    seen[0, ..., :3] = False
    wanted, _ = attention.grouped(torch.nn.Module(), query, key, value, seen)
    assert wanted.shape == (2, 1, 6, 8)
    assert torch.equal(
        wanted[0], attention.grouped(torch.nn.Module(), query, key[..., 3:, :], value[..., 3:, :], None)[0][0]
    )
    half, _ = attention.grouped(torch.nn.Module(), query.bfloat16(), key.bfloat16(), value.bfloat16(), seen)
    assert half.dtype == torch.bfloat16 and (half - wanted).norm() < 0.02 * wanted.norm()
    groups = SimpleNamespace(num_key_value_groups=3)
    added = torch.zeros(seen.shape).masked_fill(~seen, -torch.inf)
    assert torch.allclose(attention.grouped(groups, query, key, value, added, scaling=0.25)[0], wanted, atol=1e-5)
