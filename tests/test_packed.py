"""Packed weights against torch's own linear: the same products, and models that say the same."""

import copy

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from scripts.model.generate import has_bf16
from scripts.model.packed import Frozen, pack, packed

needs_bf16 = pytest.mark.skipif(not has_bf16(), reason="this CPU emulates bf16")


@pytest.mark.parametrize(("dtype", "error"), [(torch.float32, 0), pytest.param(torch.bfloat16, 0.01, marks=needs_bf16)])
@pytest.mark.parametrize("tokens", [0, 1, 7, 300])
@pytest.mark.parametrize("biased", [False, True])
def test_products_from_both_sides_are_linears(dtype, error, tokens, biased):
    torch.manual_seed(0)
    weight, bias = torch.randn(96, 64).to(dtype), torch.randn(96).to(dtype) if biased else None
    x, gradient = torch.randn(tokens, 64).to(dtype), torch.randn(tokens, 96).to(dtype)
    frozen = Frozen(weight, bias)
    assert (frozen.weight is None) == (dtype == torch.bfloat16)
    for got, wanted in (
        (frozen.forward(x), torch.nn.functional.linear(x, weight, bias)),
        (frozen.backward(gradient), gradient @ weight),
    ):
        assert got.shape == wanted.shape and got.dtype == dtype
        assert (got - wanted).norm() <= error * wanted.norm()


@needs_bf16
def test_a_packed_model_says_the_same_with_and_without_its_adapter():
    torch.manual_seed(0)
    sizes = {"hidden_size": 64, "intermediate_size": 96, "num_attention_heads": 4, "num_key_value_heads": 2}
    plain = LlamaForCausalLM(LlamaConfig(vocab_size=300, num_hidden_layers=2, **sizes)).bfloat16().eval()
    quick = copy.deepcopy(plain)
    pack(quick)
    lora = LoraConfig(r=4, target_modules=["q_proj", "down_proj"], init_lora_weights=False)
    ids = torch.randint(0, 300, (3, 20))
    models = []
    for model in (plain, quick):
        torch.manual_seed(1)
        models.append(get_peft_model(model, lora).bfloat16().eval())
    with torch.inference_mode():
        plain_logits, quick_logits = (model(ids).logits.float() for model in models)
        assert (quick_logits - plain_logits).norm() < 0.01 * plain_logits.norm()
        with models[0].disable_adapter(), models[1].disable_adapter():
            base = [model(ids).logits.float() for model in models]
    assert (base[1] - base[0]).norm() < 0.01 * base[0].norm()
    assert (base[0] - plain_logits).norm() > 0.1 * base[0].norm(), "the adapter is on"


def test_what_has_no_such_layout_is_left_as_it_is():
    class FourBit(torch.nn.Linear):
        """As bitsandbytes' layers are: of another kind, with products of their own."""

    model = torch.nn.Sequential(torch.nn.Linear(4, 4), FourBit(4, 4).bfloat16())
    pack(model)
    assert not any("forward" in vars(module) for module in model) and packed(model[0].weight) is None
