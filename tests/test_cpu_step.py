"""The fast CPU step against PEFT's own: the same loss and the same gradients."""

import copy
from types import SimpleNamespace

import pytest
import torch
from peft import LoraConfig, get_peft_model
from peft.tuners.lora.layer import Linear
from transformers import LlamaConfig, LlamaForCausalLM

from scripts.run import cpu_step

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
SIZE = {"hidden_size": 64, "intermediate_size": 96, "num_attention_heads": 4, "num_key_value_heads": 2}


def small(**lora):
    """A random Llama of two layers in training, LoRA on all seven projections, lora_B away from zero."""
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(vocab_size=300, num_hidden_layers=2, tie_word_embeddings=True, **SIZE))
    model = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules=TARGETS, task_type="CAUSAL_LM", **lora))
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    return model.train()


def stepped(model) -> tuple[float, dict]:
    """Loss and gradients of one batch: padded on the right, three of seven positions trained."""
    ids = torch.randint(0, 300, (3, 7), generator=torch.Generator().manual_seed(1))
    labels = ids.clone()
    labels[:, :4] = -100
    mask = torch.ones_like(ids)
    mask[1, 6:], labels[1, 6:] = 0, -100
    loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
    loss.backward()
    return loss.item(), {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}


@pytest.mark.parametrize(("bf16", "tolerance"), [(False, 1e-5), (True, 0.05)])
def test_same_loss_and_gradients_as_peft(monkeypatch, bf16, tolerance):
    monkeypatch.setattr(cpu_step, "has_bf16", lambda: bf16)
    plain = small()
    fast = copy.deepcopy(plain)
    cpu_step.CpuStep().post_model_load(None, fast)
    (loss, gradients), (fast_loss, fast_gradients) = stepped(plain), stepped(fast)
    assert fast_loss == pytest.approx(loss, rel=tolerance / 10)
    assert gradients.keys() == fast_gradients.keys()
    for name, gradient in gradients.items():
        assert fast_gradients[name].dtype == torch.float32
        assert (fast_gradients[name] - gradient).norm() <= tolerance * gradient.norm(), name


def test_evaluation_and_what_is_no_plain_lora_keep_their_forward(monkeypatch):
    monkeypatch.setattr(cpu_step, "has_bf16", lambda: False)
    for lora, fast in (({}, 14), ({"lora_dropout": 0.1}, 0), ({"use_dora": True}, 0)):
        model = small(**lora)
        before = model.eval()(torch.tensor([[1, 2, 3]])).logits
        cpu_step.CpuStep().post_model_load(None, model)
        changed = [module for module in model.modules() if isinstance(module, Linear) and "forward" in vars(module)]
        assert len(changed) == fast, lora
        assert torch.equal(model(torch.tensor([[1, 2, 3]])).logits, before)


def test_the_first_tokens_of_an_answer_weigh_more(monkeypatch):
    monkeypatch.setattr(cpu_step, "has_bf16", lambda: False)
    plain = small()
    heavy = copy.deepcopy(plain)
    cpu_step.CpuStep().post_model_load(SimpleNamespace(answer_start_weight=5.0), heavy)
    ids = torch.randint(0, 300, (1, 12))
    labels = torch.where(torch.tensor([[0, 0, 1, 1, 1, 1, 1, 0, 0, 1, 1, 0]]).bool(), ids, -100)
    each = torch.nn.functional.cross_entropy(plain(input_ids=ids).logits[0, :-1], ids[0, 1:], reduction="none")
    weights = torch.tensor([0, 5, 5, 5, 1, 1, 0, 0, 5, 5, 0]).float()
    loss = heavy(input_ids=ids, labels=labels).loss
    assert loss.item() == pytest.approx(((each * weights).sum() / weights.sum()).item(), rel=1e-5)
