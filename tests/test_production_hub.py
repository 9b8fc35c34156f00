"""What comes after a training on a base of the Hub: no outputs/<base>/base/, only runs whose manifests name it.

The small bases act as the Hub's: a manifest's name is a folder elsewhere, which transformers loads as it would a name.
"""

import json
import shutil
from pathlib import Path

import pytest
import small_bases
import yaml
from test_matrix import write_rows

from scripts import chat, compare, evaluate, export, matrix, merge, predict, stack, tune_stack
from scripts.config import adapter
from scripts.errors import UserError
from scripts.model import generate, load, stackfile
from scripts.run import ready
from scripts.score import asked, grid, suite
from scripts.serve import __main__ as serve
from scripts.serve import catalog

LLAMA, QWEN = small_bases.LLAMA.name, small_bases.QWEN.name
ASKED = [[{"role": "user", "content": text}] for text in ("oi", "meu cpf é 12345678901, nasci em 15/06/1985")]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """outputs/ with all three adapters over their bases, one in 4 bits; made once, and copied for each test."""
    root = tmp_path_factory.mktemp("made")
    for name in ("kpi", "schema", "unimed-attendant"):
        small_bases.hub_run(root, name)
    return root


@pytest.fixture
def outputs(made: Path, tmp_path: Path, monkeypatch) -> Path:
    """A copy of it that is taken for the checkout's, with a stack of the two adapters of one base and tiny suites."""
    outputs = shutil.copytree(made / "outputs", tmp_path / "outputs")
    for module in (ready, stackfile):
        monkeypatch.setattr(module, "OUTPUTS", outputs)
    for module in (stackfile, tune_stack, stack):
        monkeypatch.setattr(module, "STACKS", tmp_path / "stacks")
    monkeypatch.setattr(suite, "SUITES", tmp_path / "suites")
    monkeypatch.setattr(suite, "ROOT", tmp_path)
    monkeypatch.setattr(adapter, "data_of", lambda name: tmp_path / "datasets" / name)
    for folder in ("suites", "stacks"):
        (tmp_path / folder).mkdir()
    for name, letters in (("kpi", "abc"), ("schema", "xyz")):
        write_rows(tmp_path, name, letters)
    pair = f"members: [{{adapter: kpi}}, {{adapter: schema}}]\nbase: {LLAMA}\n"
    (tmp_path / "stacks/pair.yml").write_text(pair, encoding="utf-8")
    return outputs


def of(run: Path, **changes: str) -> None:
    """Rewrites what a run's manifest says of its base."""
    written = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    (run / "manifest.json").write_text(json.dumps(written | {"base": written["base"] | changes}), encoding="utf-8")


def test_the_base_is_what_all_manifests_name(outputs, made):
    found = ready.base_of(outputs / LLAMA)
    assert found.source == str(made / "hub" / LLAMA) and len(found.revision) == 40
    assert found == ready.base_under(outputs / LLAMA / "kpi")
    of(outputs / LLAMA / "schema", revision="0" * 40)
    with pytest.raises(UserError, match=r"schema: trained on another base than kpi's: another revision.*\n.*train-all"):
        catalog.of(outputs / LLAMA)
    assert ready.base_under(outputs / LLAMA / "kpi") == found, "one run alone is as it was"
    with pytest.raises(UserError, match="neither a base nor a run\nnext: make train"):
        ready.base_of(outputs)


def test_runs_are_those_named_else_the_profiles_else_the_only_ones(outputs):
    assert ready.runs_of(LLAMA) == outputs / LLAMA and ready.runs_of("", "cpu").name == "smollm2-135m-instruct"
    with pytest.raises(UserError, match=rf"which base\? There are: {LLAMA}, {QWEN}\nnext: the same with BASE="):
        ready.runs_of("", "gpu")
    for name in ("../outputs", "nope"):
        with pytest.raises(UserError, match=rf"there is no base '{name}' in .*; there are: {LLAMA}, {QWEN}"):
            ready.runs_of(name)
    shutil.rmtree(outputs / LLAMA)
    (outputs / "smollm2-135m-instruct/base").mkdir(parents=True)  # it is always there, and nothing is trained on it
    assert ready.runs_of("", "gpu") == outputs / QWEN


@pytest.mark.parametrize(("base", "name", "bits"), [(LLAMA, "kpi", False), (QWEN, "unimed-attendant", True)])
def test_a_base_is_asked_in_the_bits_that_its_runs_were_trained_in(outputs, base, name, bits):
    from bitsandbytes.nn import Linear4bit

    for found in (generate.of_run(outputs / base / name), generate.of_base(outputs / base)):
        assert any(isinstance(each, Linear4bit) for each in found.model.modules()) is bits
    shutil.copytree(outputs / base / name, outputs / base / "other")
    (outputs / base / "other/config.yml").write_text(f"base_model: x\nload_in_4bit: {not bits}\n", encoding="utf-8")
    mixed = generate.of_base(outputs / base)
    assert not any(isinstance(each, Linear4bit) for each in mixed.model.modules()), "one was trained on whole weights"


def test_the_server_and_the_export_for_vllm_name_the_base_and_its_commit(outputs, made, capsys):
    serve.main(["--base", LLAMA, "--engine", "vllm", "--print", "1"])
    assert f"vllm serve {made / 'hub' / LLAMA} --config" in capsys.readouterr().out
    export.main(["--base", LLAMA, "--adapter", "kpi", "--format", "vllm"])
    for file in (outputs / LLAMA / "vllm.yml", outputs / LLAMA / "kpi/export/vllm/vllm.yml"):
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
        assert values["revision"] == adapter.load("kpi")["revision_of_model"]
        assert values["model"] == str(made / "hub" / LLAMA)


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        (serve, ["--engine", "llamacpp"]),
        (compare, []),
        (export, ["--adapter", "kpi", "--format", "gguf"]),
        (export, ["--adapter", "kpi", "--format", "ollama"]),
        (export, ["--adapter", "kpi", "--format", "merged-gguf"]),
    ],
)
def test_what_llamacpp_cannot_do_without_the_bases_files_is_said(outputs, verb, arguments):
    with pytest.raises(UserError, match="which is on the Hub\nnext: make serve ENGINE=vllm, or make export"):
        verb.main(["--base", LLAMA, *arguments])


def test_the_base_alone_answers_and_is_talked_to(outputs, tmp_path):
    (tmp_path / "in.jsonl").write_text(json.dumps({"messages": ASKED[0]}) + "\n", encoding="utf-8")
    line = ["--adapter", "base", "--base", LLAMA, "--in", str(tmp_path / "in.jsonl")]
    predict.main([*line, "--out", str(tmp_path / "out.jsonl")])
    long = {"messages": [{"role": "user", "content": "oi " * 33_000}]}
    (tmp_path / "in.jsonl").write_text(json.dumps({"messages": ASKED[0]}) + "\n" + json.dumps(long), encoding="utf-8")
    with pytest.raises(UserError, match=r"in\.jsonl:2: \$\.messages: a conversation of \d+ tokens is longer"):
        predict.main([*line, "--out", str(tmp_path / "other.jsonl")])
    assert not (tmp_path / "other.jsonl").exists()
    assert json.loads((tmp_path / "out.jsonl").read_text(encoding="utf-8"))["answer"]["role"] == "assistant"
    name, speaker = chat.speaker_of(None, outputs / LLAMA, "")
    assert name == "base" and isinstance("".join(speaker.reply([*ASKED[0]])), str)


def test_stacks_the_matrix_and_the_search_for_weights(outputs, monkeypatch, capsys):
    stack.main(["--stack", "pair"])
    matrix.main(["--base", LLAMA, "--rows", "2"])
    written = json.loads((outputs / LLAMA / "matrix/matrix.json").read_text(encoding="utf-8"))
    assert [each["name"] for each in written["targets"]] == ["base", "kpi", "schema", "pair", "router"]
    for name in ("TOGETHER", "ALONE", "METHODS"):
        monkeypatch.setattr(tune_stack, name, ())
    tune_stack.main(["--stack", "pair", "--rows", "1"])
    assert "best: cat of 1 kpi, 1 schema" in capsys.readouterr().out
    marks = {each.name: each.mark for each in grid.targets(outputs / LLAMA)}
    files = {file.stem for file in (outputs / LLAMA / ".answers").iterdir()}
    assert marks["base"][:24] in files, "the base's answers lie beside the others', whatever its name has in it"


def test_a_merged_model_answers_with_its_own_tokenizer_and_judge(outputs):
    run = merge.merge(outputs / QWEN / "unimed-attendant")
    texts = predict.load(run.name)[0].answers(ASKED, run.name)
    whole = asked.load(next(each for each in grid.targets(run.parent) if each.kind == "merged"), None)
    assert texts == whole.answers(ASKED, run.name) and whole.tokenizer.padding_side == "left"
    assert whole.judges[run.name].due(ASKED[1]) and texts[1].startswith("<tool_call>"), "a call is due here"
    name, speaker = chat.speaker_of(run, run.parent, "")
    assert name == run.name and "".join(speaker.reply([*ASKED[1]])) == texts[1]
    with pytest.raises(UserError, match=r"unimed-attendant-merged is a whole model.*\nnext: make matrix"):
        evaluate.main(["--adapter", run.name])


@pytest.mark.parametrize("shard", ["../x.safetensors", "/x.safetensors", "a\\b.safetensors", "x.bin", ".safetensors"])
def test_an_index_that_leaves_its_folder_is_refused(outputs, made, shard, tmp_path):
    base = shutil.copytree(made / "hub" / LLAMA, tmp_path / "base")
    index = {"metadata": {}, "weight_map": {"lm_head.weight": shard, "model.norm.weight": "model.safetensors"}}
    (base / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    run = outputs / LLAMA / "kpi"
    of(run, name=str(base))
    for loads in (lambda: generate.of_run(run), lambda: load.as_trained(base, run), lambda: load.plain(base)):
        with pytest.raises(UserError, match=r"model\.safetensors\.index\.json: \$\.weight_map: .* of this folder"):
            loads()


def test_pickled_weights_are_not_loaded(made, tmp_path):
    import torch
    from safetensors.torch import load_file

    base = shutil.copytree(made / "hub" / LLAMA, tmp_path / "base")
    torch.save(load_file(base / "model.safetensors"), base / "pytorch_model.bin")
    (base / "model.safetensors").unlink()
    for loads in (generate.Generator, load.plain):
        with pytest.raises(OSError, match=r"model\.safetensors"):
            loads(base)
