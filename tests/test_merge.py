"""make merge on a tiny model: the adapter's logits in one full model, the base untouched, 4 bits measured."""

import json

import pytest
import torch
from safetensors.torch import save_file

from scripts import merge as verb
from scripts.errors import UserError
from scripts.files import sha256
from scripts.model import lora, merge, stackfile

HASHES = {"config.json": "c0", "tokenizer.json": "t0", "chat_template.jinja": "j0", "model.safetensors": "m0"}
TEMPLATE = "{% for m in messages %}{{ m.content }}{% endfor %}"


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """outputs/toy: a tiny random Llama as base, and adapters a and b of ranks 4 and 8 over it."""
    monkeypatch.setattr(stackfile, "OUTPUTS", tmp_path)
    monkeypatch.setattr(stackfile, "STACKS", tmp_path / "stacks")
    monkeypatch.setattr(verb.profile, "run_folder", lambda name, profile: tmp_path / "toy" / name)
    monkeypatch.setattr(verb.adapter, "find", lambda name: name)
    runs = tmp_path / "toy"
    base(runs / "base")
    adapter(runs, "a", 4, 1)
    adapter(runs, "b", 8, 2)
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks/pair.yml").write_text("members: [{adapter: a}, {adapter: b, weight: -0.5}]\nbase: toy\n")
    return runs


def base(folder, shard_size="200KB"):
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    sizes = {
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "vocab_size": 128,
    }
    LlamaForCausalLM(LlamaConfig(**sizes)).save_pretrained(folder, max_shard_size=shard_size)
    (folder / "base.json").write_text(json.dumps({"name": "toy", "sha256": HASHES}))


def adapter(runs, name, rank, seed, target="q_proj"):
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

    folder = runs / name
    folder.mkdir()
    random, tensors = torch.Generator().manual_seed(seed), {}
    for key, weight in LlamaForCausalLM.from_pretrained(runs / "base").state_dict().items():
        if key.endswith((f"{target}.weight", "down_proj.weight")):
            layer = f"base_model.model.{key.removesuffix('.weight')}"
            tensors[f"{layer}.lora_A.weight"] = torch.randn(rank, weight.shape[1], generator=random) / 8
            tensors[f"{layer}.lora_B.weight"] = torch.randn(weight.shape[0], rank, generator=random) / 8
    save_file(tensors, folder / "adapter_model.safetensors")
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": rank,
        "lora_alpha": 2 * rank,
        "target_modules": [target, "down_proj"],
    }
    (folder / "adapter_config.json").write_text(
        json.dumps({**config, "bias": "none", "base_model_name_or_path": "toy"})
    )
    letters = {chr(97 + n): n + 1 for n in range(26)}
    words = Tokenizer(models.WordLevel({"[UNK]": 0, **letters, "[PAD]": 27, "[END]": 28}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]", eos_token="[END]")
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    facts = {"kind": "adapter", "base": {"name": "toy", "sha256": HASHES}}
    (folder / "manifest.json").write_text(json.dumps(facts | {"weights": sha256(folder / "adapter_model.safetensors")}))


def bytes_of(folder):
    return {file.name: sha256(file) for file in folder.iterdir()}


def model_of(folder):
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


IDS = [[1, 5, 9, 20, 3], [7, 7, 2]]


def test_merged_equals_the_adapter_and_the_base_stays(runs, capsys):
    from peft import PeftModel

    before = bytes_of(runs / "base")
    verb.main(["--adapter", "a"])
    out = runs / "a-merged"
    said = capsys.readouterr().out
    assert "a-merged, in float32: logits differ by" in said and "a-merged, in float64: logits differ by" in said
    assert bytes_of(runs / "base") == before
    assert len(list(out.glob("*.safetensors"))) == len(list((runs / "base").glob("*.safetensors"))) > 1
    with_adapter = merge.logits(PeftModel.from_pretrained(model_of(runs / "base"), runs / "a").eval(), IDS)
    found = merge.difference(with_adapter, merge.logits(model_of(out), IDS))
    assert found.largest <= 1e-4 and found.same_token == 1.0 and found.positions == 8
    assert merge.difference(with_adapter, merge.logits(model_of(runs / "base"), IDS)).largest > 0.01
    manifest = json.loads((out / "manifest.json").read_text())
    assert (
        manifest["kind"] == "merged"
        and manifest["of"]["name"] == "a"
        and manifest["difference"]["float64"]["largest"] <= 1e-4
    )
    verb.main(["--adapter", "a"])
    assert "up to date" in capsys.readouterr().out


def test_a_stack_is_made_and_merged(runs):
    from peft import PeftModel

    verb.main(["--stack", "pair"])
    stacked = merge.logits(PeftModel.from_pretrained(model_of(runs / "base"), runs / "pair").eval(), IDS)
    assert merge.difference(stacked, merge.logits(model_of(runs / "pair-merged"), IDS)).largest <= 1e-4


def test_a_4bit_base_is_measured_and_stated(runs, capsys):
    pytest.importorskip("bitsandbytes")
    (runs / "a/config.yml").write_text("base_model: toy\nadapter: qlora\nload_in_4bit: true\n")
    verb.main(["--adapter", "a"])
    manifest = json.loads((runs / "a-merged/manifest.json").read_text())
    assert manifest["base_loaded_as"] == "4-bit NF4" and "a-merged, in 4-bit NF4:" in capsys.readouterr().out
    assert 1e-4 < manifest["difference"]["4-bit NF4"]["largest"] < 2


def test_a_merge_that_is_not_the_adapter_is_thrown_away(runs, monkeypatch):
    honest = lora.deltas
    monkeypatch.setattr(lora, "deltas", lambda found, weight=1.0: honest(found, 1.01))
    with pytest.raises(UserError, match=r"the merged model is not the adapter's: .* is more than 1e-04"):
        verb.main(["--adapter", "a"])
    assert sorted(path.name for path in runs.iterdir()) == ["a", "b", "base"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], r"which adapter or which stack\?\nnext: make merge ADAPTER="),
        (["--adapter", "a", "--stack", "pair"], "which adapter or which stack"),
        (["--adapter", "c"], "c has no manifest.json, .*: not a finished run\nnext: make train ADAPTER=c"),
        (["--adapter", "full"], "full is already merged"),
        (["--adapter", "alien"], "alien: trained on another base than .*: other base weights"),
        (
            ["--adapter", "wide"],
            "has no weights for 2 layers that the adapter changes: model.layers.0.self_attn.z_proj",
        ),
    ],
)
def test_refused_with_the_reason(runs, arguments, reason):
    adapter(runs, "full", 4, 3)
    (runs / "full/manifest.json").write_text('{"kind": "merged"}')
    adapter(runs, "alien", 4, 3)
    manifest = json.loads((runs / "alien/manifest.json").read_text())
    manifest["base"]["sha256"]["model.safetensors"] = "other"
    (runs / "alien/manifest.json").write_text(json.dumps(manifest))
    adapter(runs, "wide", 4, 3)
    tensors = {key.replace("q_proj", "z_proj"): value for key, value in load(runs / "wide").items()}
    save_file(tensors, runs / "wide/adapter_model.safetensors")
    with pytest.raises(UserError, match=reason):
        verb.main(arguments)
    assert not list(runs.glob("*-merged"))


def load(folder):
    from safetensors.torch import load_file

    return load_file(folder / "adapter_model.safetensors")


def test_a_full_disk_is_said_before_anything_is_written(runs, monkeypatch):
    monkeypatch.setattr(verb.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1000})())
    with pytest.raises(UserError, match="GB free, the merged model needs"):
        verb.main(["--adapter", "a"])
