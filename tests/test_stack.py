"""make stack on toy runs: what it writes, and everything that it refuses before any compute."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from scripts import stack as verb
from scripts.errors import UserError
from scripts.files import sha256
from scripts.model import lora, stackfile

HASHES = {"config.json": "c0", "tokenizer.json": "t0", "chat_template.jinja": "j0", "model.safetensors": "m0"}
LAYER = "base_model.model.model.layers.0.self_attn.q_proj"


def run(runs, name, rank=4, alpha=8, seed=0, manifest=None, **config):
    """A finished run of a toy adapter."""
    folder = runs / name
    folder.mkdir(parents=True)
    random = torch.Generator().manual_seed(seed)
    down, up = torch.randn(rank, 12, generator=random), torch.randn(20, rank, generator=random)
    save_file({f"{LAYER}.lora_A.weight": down, f"{LAYER}.lora_B.weight": up}, folder / "adapter_model.safetensors")
    config = {
        "peft_type": "LORA",
        "r": rank,
        "lora_alpha": alpha,
        "target_modules": ["q_proj"],
        "bias": "none",
        **config,
    }
    (folder / "adapter_config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text("{}")
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    manifest = {
        "kind": "adapter",
        "base": {"name": "toy", "sha256": HASHES},
        "weights": sha256(folder / "adapter_model.safetensors"),
        **(manifest or {}),
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """outputs/toy with a base and the runs a (rank 4) and b (rank 8); stacks are read from tmp_path/stacks."""
    monkeypatch.setattr(stackfile, "OUTPUTS", tmp_path)
    monkeypatch.setattr(stackfile, "STACKS", tmp_path / "stacks")
    (tmp_path / "stacks").mkdir()
    runs = tmp_path / "toy"
    (runs / "base").mkdir(parents=True)
    (runs / "base" / "base.json").write_text(json.dumps({"name": "toy", "sha256": HASHES}))
    run(runs, "a", seed=1)
    run(runs, "b", rank=8, alpha=8, seed=2)
    write(runs, "pair", "members: [{adapter: b, weight: 0.5}, {adapter: a}]\nbase: toy\n")
    return runs


def write(runs, name, text):
    (runs.parent / "stacks" / f"{name}.yml").write_text(text)


def refused(runs, text, reason, name="other"):
    write(runs, name, text)
    before = sorted(path.name for path in runs.iterdir())
    with pytest.raises(UserError, match=reason):
        verb.main(["--stack", name])
    assert sorted(path.name for path in runs.iterdir()) == before


def test_a_stack_is_an_ordinary_adapter_folder(runs, capsys):
    verb.main(["--stack", "pair"])
    said = capsys.readouterr().out
    assert "cat of 1 a, 0.5 b" in said and "rank 12" in said and "cosine of a and b" in said and "next: make" in said
    folder = runs / "pair"
    assert sorted(path.name for path in folder.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "chat_template.jinja",
        "manifest.json",
        "tokenizer.json",
    ]
    config = json.loads((folder / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["target_modules"], config["inference_mode"]) == (
        12,
        12,
        ["q_proj"],
        True,
    )
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["kind"] == "stack" and manifest["base"]["sha256"] == HASHES and manifest["error"] == 0
    assert [(m["adapter"], m["weight"]) for m in manifest["members"]] == [("a", 1.0), ("b", 0.5)]
    assert manifest["weights"] == sha256(folder / "adapter_model.safetensors")
    a, b = lora.read(runs / "a"), lora.read(runs / "b")
    ((down, up),) = lora.deltas(lora.read(folder)).values()
    want = sum(
        w * m.scales[k] * (m.factors[k][1].double() @ m.factors[k][0].double())
        for m, w in ((a, 1), (b, 0.5))
        for k in m.factors
    )
    assert torch.allclose(up.double() @ down.double(), want, rtol=0, atol=1e-5 * want.abs().max())


def test_the_order_in_the_file_changes_no_byte(runs):
    write(runs, "turned", "members: [{adapter: a}, {adapter: b, weight: 0.5}]\nbase: toy\n")
    verb.main(["--stack", "pair"])
    verb.main(["--stack", "turned"])
    assert sha256(runs / "pair/adapter_model.safetensors") == sha256(runs / "turned/adapter_model.safetensors")


def test_weight_zero_is_absent_from_the_rank_too(runs):
    write(runs, "zero", "members: [{adapter: a}, {adapter: b, weight: 0}]\nbase: toy\n")
    verb.main(["--stack", "zero"])
    assert {len(t) for key, t in load_file(runs / "zero/adapter_model.safetensors").items() if "lora_A" in key} == {4}


def test_same_again_is_up_to_date_and_other_is_refused_unless_forced(runs, capsys):
    verb.main(["--stack", "pair"])
    first = sha256(runs / "pair/manifest.json")
    verb.main(["--stack", "pair"])
    assert "is up to date" in capsys.readouterr().out
    refused(
        runs,
        "members: [{adapter: a, weight: 2}]\nbase: toy\n",
        "pair exists and was made from something else\nnext: another name",
        "pair",
    )
    assert sha256(runs / "pair/manifest.json") == first
    verb.main(["--stack", "pair", "--force", "1"])
    assert sha256(runs / "pair/manifest.json") != first
    refused(runs, "members: [{adapter: b}]\nbase: toy\n", "a exists and was made from something else", "a")


OTHER = {
    "model.safetensors": "other base weights",
    "tokenizer.json": "another tokenizer",
    "chat_template.jinja": "another chat template",
    "config.json": "another size or architecture",
}


@pytest.mark.parametrize("file", OTHER)
@pytest.mark.parametrize("local", [True, False], ids=["base on disk", "base elsewhere"])
def test_another_base_is_refused_by_hash(runs, file, local):
    if not local:
        shutil.rmtree(runs / "base")
    run(runs, "c", manifest={"base": {"name": "toy2", "sha256": {**HASHES, file: "other"}}})
    refused(
        runs, "members: [{adapter: a}, {adapter: c}]\nbase: toy\n", f"c: trained on another base than .*: {OTHER[file]}"
    )


HUB = {"name": "meta/toy-8b", "revision": "abc", "sha256": {"chat_template.jinja": "j0"}}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"revision": "abd"}, "b: trained on another base than a's: another revision"),
        ({"name": "meta/toy-70b"}, "b: trained on another base than a's: another name .meta/toy-70b, not meta/toy-8b"),
        ({"sha256": {"chat_template.jinja": "j1"}}, "b: trained on another base than a's: another chat template"),
    ],
)
def test_bases_of_the_hub_are_told_apart_by_name_revision_and_template(runs, change, reason):
    for name, base in (("a", HUB), ("b", HUB | change)):
        shutil.rmtree(runs / name)
        run(runs, name, manifest={"base": base})
    shutil.rmtree(runs / "base", ignore_errors=True)
    refused(runs, "members: [{adapter: a}, {adapter: b}]\nbase: toy\n", reason)
    shutil.rmtree(runs / "b")
    run(runs, "b", manifest={"base": HUB})
    verb.main(["--stack", "other"])
    assert (runs / "other/adapter_model.safetensors").exists()


def test_a_hub_base_without_a_revision_is_refused(runs):
    for name in "ab":
        shutil.rmtree(runs / name)
        run(runs, name, manifest={"base": HUB | {"revision": ""}})
    shutil.rmtree(runs / "base")
    refused(runs, "members: [{adapter: a}, {adapter: b}]\nbase: toy\n", "a: .*nothing says which weights it had")


def test_a_run_that_names_no_base_is_refused(runs):
    run(runs, "c", manifest={"base": {}})
    refused(runs, "members: [{adapter: a}, {adapter: c}]\nbase: toy\n", "c: trained on another base")


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"use_rslora": True}, "c: use_rslora: rsLoRA scales"),
        ({"use_dora": True}, "c: use_dora: DoRA"),
        ({"bias": "lora_only"}, "c: bias: lora_only"),
        ({"lora_bias": True}, "c: lora_bias: trained biases"),
        ({"modules_to_save": ["lm_head"]}, "c: modules_to_save"),
        ({"peft_type": "IA3"}, "c: IA3 instead of LoRA"),
    ],
)
@pytest.mark.parametrize("method", ["cat", "svd"])
def test_what_would_be_silently_wrong_is_refused(runs, config, reason, method):
    run(runs, "c", **config)
    refused(runs, f"members: [{{adapter: a}}, {{adapter: c}}]\nmethod: {method}\nbase: toy\n", reason)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "members: [{adapter: a}, {adapter: b}]\nmethod: linear\n",
            "needs equal ranks, but a has rank 4, b has rank 8; cat and the svd",
        ),
        ("members: [{adapter: a}, {adapter: nobody}]\n", "nobody: .* has no manifest.json.*not a finished run"),
        ("members: [{adapter: a}, {adapter: a}]\n", r"\$.members\[1\].adapter: 'a' is there already"),
        ("members: [{adapter: a, weight: 0}]\n", "every weight is 0"),
        ("members: [{adapter: a}]\nmethod: tie\n", "other.yml:2:.*'tie' is not .*did you mean 'ties'"),
        ("members: [{adapter: a, wieght: 2}]\n", "unknown key 'wieght'.*did you mean 'weight'"),
        ("members: [{adapter: a}, {adapter: merged}]\n", "merged: already merged into a full model"),
        ("members: [{adapter: a}, {adapter: pile}]\n", r"pile: already a stack; name its members \(a, b\)"),
        (
            "members: [{adapter: a}, {adapter: broken}]\n",
            "broken: adapter_model.safetensors is not the one its manifest names",
        ),
    ],
)
def test_refused_with_the_reason(runs, text, reason):
    run(runs, "merged", manifest={"kind": "merged"})
    run(runs, "pile", manifest={"kind": "stack", "members": [{"adapter": "a"}, {"adapter": "b"}]})
    run(runs, "broken", manifest={"weights": "0" * 64})
    refused(runs, text + "base: toy\n", reason)


def test_all_reasons_at_once(runs):
    run(runs, "c", use_dora=True)
    write(runs, "bad", "members: [{adapter: c}, {adapter: nobody}]\nbase: toy\n")
    with pytest.raises(UserError) as error:
        verb.main(["--stack", "bad"])
    assert "use_dora" in str(error.value) and "nobody" in str(error.value)


def test_an_unknown_stack_lists_the_choices(runs):
    with pytest.raises(UserError, match=r"there is no stack 'pari'; there are: pair .did you mean 'pair'"):
        verb.main(["--stack", "pari"])


@pytest.mark.parametrize("method", ["svd", "ties_svd", "dare_ties_svd", "magnitude_prune_svd", "dare_linear_svd"])
def test_approximations_say_their_error(runs, capsys, method):
    write(runs, "near", f"members: [{{adapter: a}}, {{adapter: b}}]\nmethod: {method}\nrank: 6\nbase: toy\n")
    verb.main(["--stack", "near"])
    error = json.loads((runs / "near/manifest.json").read_text())["error"]
    assert 0.01 < error < 3 and f"error against the exact sum {error:.1e}" in capsys.readouterr().out


def test_compare_shows_every_method_and_writes_nothing(runs, capsys):
    verb.main(["--stack", "pair", "--compare", "1"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 12 and sum("needs equal ranks" in line for line in lines) == 5
    assert not (runs / "pair").exists()


def test_stacks_of_the_repository_are_read():
    assert "schema-kpi" in stackfile.names()
    for name in stackfile.names():
        assert stackfile.read(name).weights
