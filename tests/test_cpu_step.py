"""The fast CPU step against PEFT's own: the same loss and the same gradients."""

import copy
from types import SimpleNamespace

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaForCausalLM, Qwen2ForCausalLM

from scripts.run import cpu_layer, cpu_step

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
SIZE = {"hidden_size": 64, "intermediate_size": 96, "num_attention_heads": 4, "num_key_value_heads": 2}


def small(kind=LlamaForCausalLM, **lora):
    """A random model of two layers in training, LoRA on all seven projections, lora_B away from zero."""
    torch.manual_seed(0)
    model = kind(kind.config_class(vocab_size=300, num_hidden_layers=2, tie_word_embeddings=True, **SIZE))
    lora = {"r": 4, "lora_alpha": 8, "target_modules": TARGETS} | lora
    model = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **lora))
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    return model.train()


def quick(plain, monkeypatch):
    """A copy with the plugin, whose own layers alone may run."""
    fast = copy.deepcopy(plain)
    cpu_step.CpuStep().post_model_load(None, fast)

    def refused(*rest, **more):
        raise AssertionError("transformers' layers ran")

    monkeypatch.setattr(fast.get_base_model().model, "forward", refused)
    return fast


def stepped(model, padding: str = "right") -> tuple[float, dict]:
    """Loss and gradients of two batches of 3 rows: three of seven positions trained, of one row two, or none."""
    generator, loss = torch.Generator().manual_seed(1), 0.0
    for row in (1, 2):
        ids = torch.randint(0, 300, (3, 7), generator=generator)
        labels = ids.clone()
        labels[:, :4] = -100
        mask = torch.ones_like(ids)
        if padding == "right":
            mask[row, 6:], labels[row, 6:] = 0, -100
        else:
            mask[row, :3], labels[0] = 0, -100
        now = model(input_ids=ids, attention_mask=mask if padding else None, labels=labels).loss
        now.backward()
        loss += now.item()
    return loss, {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}


@pytest.mark.parametrize("padding", ["right", "left", ""])
@pytest.mark.parametrize(("bf16", "tolerance"), [(False, 1e-5), (True, 0.05)])
def test_same_loss_and_gradients_as_peft(monkeypatch, bf16, tolerance, padding):
    monkeypatch.setattr(cpu_step, "has_bf16", lambda: bf16)
    plain = small()
    fast = quick(plain, monkeypatch)
    (loss, gradients), (fast_loss, fast_gradients) = stepped(plain, padding), stepped(fast, padding)
    assert fast_loss == pytest.approx(loss, rel=tolerance / 10)
    assert gradients.keys() == fast_gradients.keys()
    for name, gradient in gradients.items():
        assert fast_gradients[name].dtype == torch.float32
        assert (fast_gradients[name] - gradient).norm() <= tolerance * gradient.norm(), name
    learned = {name: weight for name, weight in fast.named_parameters() if "lora_" in name}
    assert all(torch.equal(weight, learned[name]) for name, weight in plain.named_parameters() if name in learned)


def test_a_batch_without_a_trained_token_teaches_nothing(monkeypatch):
    fast = quick(small(), monkeypatch)
    ids = torch.ones(2, 5, dtype=torch.long)
    loss = fast(input_ids=ids, labels=torch.full_like(ids, -100)).loss
    loss.backward()
    assert loss.item() == 0
    assert not any(weight.grad.any() for weight in fast.parameters() if weight.grad is not None)


def test_gradient_checkpointing_is_transformers_own(monkeypatch):
    plain = small()
    fast = copy.deepcopy(plain)
    settings = SimpleNamespace(answer_start_weight=None, gradient_checkpointing=True)
    cpu_step.CpuStep().post_model_load(settings, fast)
    seen = []
    fast.get_base_model().model.layers[0].register_forward_hook(lambda *rest: seen.append(1))
    stepped(fast)
    assert len(seen) == 2


def test_part_of_the_projections_and_biases(monkeypatch):
    """LoRA on two of seven projections, of a Qwen2, whose q, k and v have a bias."""
    monkeypatch.setattr(cpu_step, "has_bf16", lambda: False)
    plain = small(Qwen2ForCausalLM, target_modules=["v_proj", "gate_proj"])
    for name, weight in plain.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(weight)
    fast = quick(plain, monkeypatch)
    (loss, gradients), (fast_loss, fast_gradients) = stepped(plain), stepped(fast)
    assert fast_loss == pytest.approx(loss, rel=1e-6)
    for name, gradient in gradients.items():
        assert (fast_gradients[name] - gradient).norm() <= 1e-5 * gradient.norm(), name


@pytest.mark.parametrize("lora", [{"lora_dropout": 0.1}, {"use_dora": True}, {"lora_bias": True}])
def test_what_is_no_plain_lora_keeps_transformers_layers(monkeypatch, lora):
    monkeypatch.setattr(cpu_step, "has_bf16", lambda: False)
    plain = small(**lora)
    assert not cpu_layer.halves(plain.get_base_model().model, torch.float32)
    fast = copy.deepcopy(plain)
    cpu_step.CpuStep().post_model_load(None, fast)
    torch.manual_seed(5)
    loss, _ = stepped(plain)
    torch.manual_seed(5)
    assert stepped(fast)[0] == pytest.approx(loss, rel=1e-6)


def test_a_trained_output_layer_keeps_its_gradient(monkeypatch):
    monkeypatch.setattr(cpu_step, "has_bf16", lambda: False)
    plain = small(target_modules=["q_proj", "lm_head"])
    fast = copy.deepcopy(plain)
    cpu_step.CpuStep().post_model_load(None, fast)
    (loss, gradients), (fast_loss, fast_gradients) = stepped(plain), stepped(fast)
    assert fast_loss == pytest.approx(loss, rel=1e-6)
    heads = [name for name in gradients if "lm_head" in name]
    assert heads and all(torch.allclose(fast_gradients[name], gradients[name]) for name in heads)


@pytest.mark.parametrize(("bf16", "tolerance"), [(False, 0), (True, 0.05)])
def test_evaluation_is_transformers_own(monkeypatch, bf16, tolerance):
    monkeypatch.setattr(cpu_step, "has_bf16", lambda: bf16)
    model = small().eval()
    ids = torch.tensor([[1, 2, 3]])
    before = model(ids, labels=ids).logits
    cpu_step.CpuStep().post_model_load(None, model)
    after = model(ids, labels=ids).logits
    assert (after - before).norm() <= tolerance * before.norm()


def test_only_what_the_loss_depends_on_is_computed():
    trained = torch.zeros(4, 16, dtype=torch.bool)
    trained[0, 9], trained[1, [3, 12]], trained[3, 15] = True, True, True
    kept = cpu_step.needed(trained, torch.ones_like(trained))
    for row, last in ((0, 9), (1, 12), (3, 15)):
        assert kept[row, : last + 1].all()
    assert kept.sum() == 40, "39 are needed, a multiple of 8 is computed"
    held_out = torch.ones_like(trained)
    held_out[0, :5] = False
    assert not cpu_step.needed(trained, held_out)[0, :5].any(), "padding on the left stays out"


def test_the_first_tokens_of_an_answer_weigh_more(monkeypatch):
    monkeypatch.setattr(cpu_step, "has_bf16", lambda: False)
    plain = small()
    heavy = copy.deepcopy(plain)
    cpu_step.CpuStep().post_model_load(SimpleNamespace(answer_start_weight=5.0, gradient_checkpointing=None), heavy)
    ids = torch.randint(0, 300, (1, 12))
    labels = torch.where(torch.tensor([[0, 0, 1, 1, 1, 1, 1, 0, 0, 1, 1, 0]]).bool(), ids, -100)
    each = torch.nn.functional.cross_entropy(plain(input_ids=ids).logits[0, :-1], ids[0, 1:], reduction="none")
    weights = torch.tensor([0, 5, 5, 5, 1, 1, 0, 0, 5, 5, 0]).float()
    loss = heavy(input_ids=ids, labels=labels).loss
    assert loss.item() == pytest.approx(((each * weights).sum() / weights.sum()).item(), rel=1e-5)
