"""The arithmetic of stacks against dense float64 sums and against PEFT, on toy adapters."""

import itertools
import json

import pytest
import torch
from safetensors.torch import save_file

from scripts.model import lora, stack
from scripts.model.stack import Settings

LAYERS = {
    "model.layers.0.self_attn.q_proj": (48, 48),
    "model.layers.0.mlp.up_proj": (80, 48),
    "model.layers.1.mlp.down_proj": (48, 80),
}


def toy(folder, rank, alpha, seed, layers=LAYERS, dtype=torch.float32, **config):
    """An adapter folder with random weights."""
    folder.mkdir(parents=True)
    random = torch.Generator().manual_seed(seed)
    tensors = {}
    for layer, (out, width) in layers.items():
        tensors[f"base_model.model.{layer}.lora_A.weight"] = torch.randn(rank, width, generator=random).to(dtype)
        tensors[f"base_model.model.{layer}.lora_B.weight"] = torch.randn(out, rank, generator=random).to(dtype)
    save_file(tensors, folder / "adapter_model.safetensors")
    names = sorted({layer.rsplit(".", 1)[1] for layer in layers})
    settings = {
        "peft_type": "LORA",
        "r": rank,
        "lora_alpha": alpha,
        "target_modules": names,
        "alpha_pattern": {},
        **config,
    }
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    return lora.read(folder)


@pytest.fixture
def members(tmp_path):
    settings = [("a", 4, 8), ("b", 8, 8), ("c", 16, 64), ("d", 8, 16)]
    return [toy(tmp_path / name, rank, alpha, seed) for seed, (name, rank, alpha) in enumerate(settings)]


def dense(members, layer):
    """The oracle: the sum of full deltas in float64."""
    parts = [w * m.scales[layer] * (m.factors[layer][1].double() @ m.factors[layer][0].double()) for m, w in members]
    return sum(parts)


def error(result, members):
    squared = sum(
        ((up.double() @ down.double() - dense(members, layer)) ** 2).sum() for layer, (down, up) in result.items()
    )
    return float((squared / sum((dense(members, layer) ** 2).sum() for layer in result)).sqrt())


SUBSETS = [subset for size in (1, 2, 3, 4) for subset in itertools.combinations(range(4), size)]


@pytest.mark.parametrize("subset", SUBSETS, ids=str)
@pytest.mark.parametrize("weights", [(1, 1, 1, 1), (-1, 0.3, 2, 0.7), (2, -0.5, 1e-3, 1.9)], ids=str)
def test_cat_is_the_exact_sum(members, subset, weights):
    chosen = [(members[i], weights[i]) for i in subset]
    result = stack.exact(chosen)
    assert error(result, chosen) <= 1e-6
    assert all(len(down) == sum(members[i].config["r"] for i in subset) for down, _ in result.values())


def test_weight_zero_is_absent(members):
    with_zero = stack.exact([(members[0], 1.0), (members[1], 0.0), (members[2], -0.5)])
    without = stack.exact([(members[0], 1.0), (members[2], -0.5)])
    assert all(torch.equal(a, b) for layer in without for a, b in zip(with_zero[layer], without[layer], strict=True))


def test_cat_of_different_layers_is_padded_and_still_exact(tmp_path, members):
    (layer, shape), *_ = LAYERS.items()
    small = toy(tmp_path / "small", 4, 4, 9, {layer: shape})
    named = stack.tensors(stack.exact([(members[0], 1.0), (small, 1.0)]))
    assert {len(t) for name, t in named.items() if "lora_A" in name} == {8}
    for each in LAYERS:
        down, up = (named[f"base_model.model.{each}.lora_{part}.weight"].double() for part in "AB")
        want = dense([(members[0], 1.0)] + ([(small, 1.0)] if each == layer else []), each)
        assert torch.allclose(up @ down, want, rtol=0, atol=1e-5 * want.abs().max())


def test_half_precision_members_are_summed_in_float32(tmp_path):
    pair = [
        (toy(tmp_path / n, 8, 24, seed, dtype=torch.bfloat16), w)
        for seed, (n, w) in enumerate([("x", 0.3), ("y", 1.7)])
    ]
    assert error(stack.exact(pair), pair) <= 1e-6


def test_alpha_pattern_counts_layer_by_layer(tmp_path):
    member = toy(tmp_path / "p", 4, 8, 1, alpha_pattern={"mlp.up_proj": 32})
    assert [member.scales[layer] for layer in sorted(LAYERS)] == [8.0, 2.0, 2.0]


def test_svd_is_the_best_of_its_rank_and_exact_at_full_rank(members):
    chosen = [(members[0], 1.0), (members[1], -0.5)]
    assert error(stack.combine(chosen, Settings("svd", rank=12)), chosen) <= 1e-6
    best = error(stack.combine(chosen, Settings("svd", rank=6)), chosen)
    lost = sum((torch.linalg.svdvals(dense(chosen, layer))[6:] ** 2).sum() for layer in LAYERS)
    assert best == pytest.approx(
        float((lost / sum((dense(chosen, layer) ** 2).sum() for layer in LAYERS)).sqrt()), rel=1e-5
    )


@pytest.mark.parametrize("method", [m for m in stack.METHODS if m != "cat"])
def test_each_method_gives_its_rank_and_an_error_that_is_measured_right(members, method):
    chosen = [(members[1], 1.0), (members[3], 0.8)]
    result = stack.combine(chosen, Settings(method, density=0.7, seed=3))
    assert {len(down) for down, _ in result.values()} == {8}
    assert lora.distance(result, stack.exact(chosen)) == pytest.approx(error(result, chosen), rel=1e-6)
    again = stack.combine(chosen, Settings(method, density=0.7, seed=3))
    assert all(torch.equal(a, b) for layer in result for a, b in zip(result[layer], again[layer], strict=True))


def peft_model(members, alphas):
    """The same toys in PEFT, on a model whose layers are as wide."""
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = {
        "hidden_size": 48,
        "intermediate_size": 80,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "vocab_size": 16,
    }
    model, names = LlamaForCausalLM(LlamaConfig(**sizes)), []
    for number, (rank, alpha) in enumerate(alphas):
        config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=["q_proj", "up_proj"])
        model = get_peft_model(model, config, adapter_name=f"m{number}") if not names else model
        if names:
            model.add_adapter(f"m{number}", config)
        names.append(f"m{number}")
    for key, value in model.named_parameters():
        if "lora_" in key:
            layer, rest = key.removeprefix("base_model.model.").split(".lora_")
            number = int(rest.split(".")[1][1:])
            value.data = members[number].factors[layer][0 if rest[0] == "A" else 1].clone()
    return model, names


@pytest.mark.parametrize("method", ["linear", "ties", "dare_linear", "dare_ties", "magnitude_prune", "cat"])
def test_same_as_peft(tmp_path, method):
    layers = {layer: shape for layer, shape in LAYERS.items() if ".0." in layer}
    members = [toy(tmp_path / "a", 8, 16, 1, layers), toy(tmp_path / "b", 8, 8, 2, layers)]
    model, names = peft_model(members, [(8, 16), (8, 8)])
    torch.manual_seed(5)
    density = None if method in ("linear", "cat") else 0.6
    model.base_model.add_weighted_adapter(names, [1.0, -0.5], "sum", combination_type=method, density=density)
    ours = stack.combine([(members[0], 1.0), (members[1], -0.5)], Settings(method, density=0.6, seed=5))
    for layer, (down, up) in ours.items():
        module = model.base_model.model.get_submodule(layer)
        theirs = module.get_delta_weight("sum")
        if method.startswith("dare"):  # the random masks are drawn in PEFT's order of layers
            assert theirs.shape == (up @ down).shape
        else:
            assert torch.allclose(theirs, up @ down, rtol=1e-4, atol=1e-4)


def test_peft_svd_counts_the_scale_twice_and_ours_once(tmp_path):
    layers = {layer: shape for layer, shape in LAYERS.items() if ".0." in layer}
    members = [toy(tmp_path / "a", 8, 16, 1, layers), toy(tmp_path / "b", 8, 16, 2, layers)]
    model, names = peft_model(members, [(8, 16), (8, 16)])
    model.base_model.add_weighted_adapter(names, [1.0, 1.0], "sum", combination_type="svd", svd_rank=16)
    ours = stack.combine([(member, 1.0) for member in members], Settings("svd", rank=16))
    for layer, (down, up) in ours.items():
        theirs = model.base_model.model.get_submodule(layer).get_delta_weight("sum")
        assert torch.allclose(up @ down, dense([(m, 1.0) for m in members], layer).float(), atol=1e-3)
        assert torch.allclose(theirs, 2 * (up @ down), atol=1e-3), (
            "PEFT has mended its svd kinds: use them, drop this test"
        )


def test_cosine_and_sign_conflicts(members):
    one, other = lora.deltas(members[1]), lora.deltas(members[3])
    assert lora.cosine(one, one) == pytest.approx(1.0)
    assert lora.cosine(one, lora.deltas(members[1], -2.0)) == pytest.approx(-1.0)
    flat = [torch.cat([(up @ down).flatten() for down, up in each.values()]) for each in (one, other)]
    assert lora.cosine(one, other) == pytest.approx(float(torch.cosine_similarity(*flat, dim=0)), abs=1e-5)
    assert lora.sign_conflicts(one, one) == 0.0 and lora.sign_conflicts(one, lora.deltas(members[1], -1.0)) == 1.0
    assert 0.3 < lora.sign_conflicts(one, other) < 0.7
