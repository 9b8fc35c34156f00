"""A user's mistakes at the main verbs: one clear message, exit 1, no traceback, nothing lost."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from conftest import chat

from scripts import new, plan, train
from scripts.config import adapter, profile
from scripts.errors import UserError


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("train", {"ADAPTER": "nope"}, "there is no adapter 'nope'; there are: toy"),
        ("train", {"ADAPTER": "toi"}, "did you mean 'toy'?"),
        ("train", {"ADAPTER": ""}, "which adapter?"),
        ("train", {"ADAPTER": "toy", "PROFILE": "cpuu"}, "did you mean 'cpu'?"),
        ("train", {"ADAPTER": "toy", "PROFILE": "cpu", "PROCESSES": "many"}, "PROCESSES=many is not a number"),
        ("train", {"ADAPTER": "toy", "PROCESSES": "3", "MACHINES": "2"}, "PROCESSES=3 can't be shared out evenly"),
        ("train", {"ADAPTER": "toy", "MACHINES": "2", "MACHINE": "2"}, "MACHINE=2 is not a number from 0 to 1"),
        ("train", {"ADAPTER": "toy", "MAIN": "$(touch x):80"}, "is not host:port, such as 10.0.0.1:29500"),
        ("evaluate", {"ADAPTER": "toy", "PROFILE": "cpu"}, "next: make train ADAPTER=toy"),
        ("evaluate", {"ADAPTER": "../toy"}, "there is no adapter or stack '../toy'"),
        ("chat", {"ADAPTER": "toy", "PROFILE": "cpu"}, "not trained yet"),
        ("predict", {"ADAPTER": "toy", "OUT": "x"}, "IN= is missing"),
        ("predict", {"ADAPTER": "toy", "IN": "nowhere.jsonl", "OUT": "x"}, "nowhere.jsonl: no such file"),
        ("new", {"ADAPTER": "Toy 2", "FROM": "toy"}, "can't be an adapter's name"),
        ("new", {"ADAPTER": "toy", "FROM": "toy"}, "exists already; nothing was touched"),
        ("new", {"ADAPTER": "toy-merged", "FROM": "toy"}, "without -merged at its end"),
    ],
)
def test_one_clear_message(verb, name, arguments, said):
    done = verb(name, **arguments)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_name_that_begins_two_adapters_lists_them(checkout: Path, verb):
    text = (checkout / "configs" / "toy.yml").read_text(encoding="utf-8")
    (checkout / "configs" / "toys.yml").write_text(text, encoding="utf-8")
    done = verb("train", ADAPTER="to")
    assert "is ambiguous: it begins toy, toys" in done.stderr


def test_training_refuses_what_check_refuses(checkout: Path, verb):
    config = checkout / "configs" / "toy.yml"
    config.write_text(config.read_text(encoding="utf-8").replace("lora_r:", "lora_rank:"), encoding="utf-8")
    (checkout / "datasets" / "toy" / "rows.jsonl").write_text('{"messages": []}\n{"mess', encoding="utf-8")
    done = verb("train", ADAPTER="toy", PROFILE="cpu")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "configs/toy.yml:15:1: $.lora_rank: unknown key" in done.stderr and "did you mean 'lora_r'?" in done.stderr
    assert "datasets/toy/rows.jsonl:1" in done.stderr and "datasets/toy/rows.jsonl:2" in done.stderr


def test_yaml_that_does_not_parse_has_a_place(checkout: Path, verb):
    (checkout / "configs" / "toy.yml").write_text("base_model: [a\n", encoding="utf-8")
    done = verb("train", ADAPTER="toy", PROFILE="cpu")
    assert done.returncode == 1 and "configs/toy.yml:2:1: not YAML" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("verb_of", [train, plan])
@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("datasets:", "dataset:", "$.datasets: missing"),
        ("  - path:", "  - pth:", "$.datasets[0].path: missing"),
        ("base_model:", "# base_model:", "$.base_model: missing"),
        ("lora_r: ", "lora_r: '3' # ", "$.lora_r: '3' is not a whole number"),
        ("seed:", "# seed:", "$.seed: missing"),
        ("chat_template_jinja:", "# chat_template_jinja:", "$.chat_template_jinja: missing"),
        (None, "- base_model\n", "is not keys and values"),
    ],
)
def test_a_config_that_does_not_fit_is_said_before_it_is_used(tmp_path, monkeypatch, verb_of, old, new, said):
    text = adapter.config_of("kpi").read_text(encoding="utf-8")
    assert old is None or f"\n{old}" in text
    (tmp_path / "kpi.yml").write_text(new if old is None else text.replace(f"\n{old}", f"\n{new}", 1), "utf-8")
    monkeypatch.setattr(adapter, "CONFIGS", tmp_path)
    monkeypatch.setattr(train, "refuse", lambda name: None)
    with pytest.raises(UserError) as refused:
        verb_of.main(["--adapter", "kpi", "--profile", "gpu"])
    assert said in str(refused.value)


def test_a_profile_that_takes_away_what_a_run_needs_is_said(tmp_path, monkeypatch):
    shutil.copytree(profile.PROFILES, tmp_path / "profiles")
    with open(tmp_path / "profiles" / "gpu.yml", "a", encoding="utf-8") as stream:
        stream.write("seed: null\n")
    monkeypatch.setattr(profile, "PROFILES", tmp_path / "profiles")
    with pytest.raises(UserError, match=r"gpu\.yml:\d+:1: \$\.seed: with adapter kpi: missing"):
        plan.main(["--adapter", "kpi", "--profile", "gpu"])


def test_rows_of_any_shape_are_findings_of_check(checkout: Path, verb):
    """Nested deeper than a reader goes; a call that no template can render, in a row long enough to be counted; …"""
    long = {"role": "user", "content": "oi " * 1500}
    rows = ['{"messages": ' + "[" * 100_000, '{"messages": ["oi"]}']
    rows.append(json.dumps({"messages": [long, {"role": "assistant", "content": None, "tool_calls": [{"id": "a"}]}]}))
    (checkout / "datasets/toy/rows.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (checkout / "datasets/toy/eval.jsonl").write_text(chat("oi", "olá").replace("{", '{"kind": ["a"], ', 1), "utf-8")
    suite = "adapter: toy\nrows: datasets/toy/eval.jsonl\nmetrics:\n- {name: calls, metric: no_call, kinds: [a]}\n"
    (checkout / "configs/suites/toy.yml").write_text(suite, encoding="utf-8")
    done = verb("check", ADAPTER="toy")
    said = done.stdout + done.stderr
    assert done.returncode == 1 and "Traceback" not in said
    for place in ("rows.jsonl:1: $: nested too deeply", "rows.jsonl:2", "rows.jsonl:3", "eval.jsonl:1"):
        assert f"datasets/toy/{place}" in said
    assert "datasets/toy/eval.jsonl has no row of kind 'a'" in said


def test_rows_to_answer_are_refused_all_at_once(checkout: Path, verb):
    rows = [{"messages": []}, {"messages": [{"role": "user"}]}, {"messages": [{"role": "robot", "content": "oi"}]}]
    rows.append({"messages": [{"role": "user", "content": "oi"}, {"role": "assistant", "content": "olá"}]})
    function = {"name": "x"}
    for calls in ("x", [1], [{}], [{"function": function}], [{"function": function | {"arguments": 1}}]):
        turn = {"role": "assistant", "content": None, "tool_calls": calls}
        rows.append({"messages": [turn, {"role": "user", "content": "oi"}]})
    file = checkout / "rows.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)) + "\nnot json\n", encoding="utf-8")
    done = verb("predict", ADAPTER="base", IN=str(file), OUT=str(checkout / "out.jsonl"), PROFILE="cpu")
    assert done.returncode == 1
    for place in (
        "rows.jsonl:1: $.messages: a list of messages is needed",
        "rows.jsonl:2: $.messages[0].content: a text is needed",
        "rows.jsonl:3: $.messages[0].role: one of system, user, assistant, tool is needed",
        "rows.jsonl:4: $.messages[1].role: the last turn must be a user's",
        *(f"rows.jsonl:{line}: $.messages[0].tool_calls: a list of" for line in range(5, 10)),
        "rows.jsonl:10",
    ):
        assert place in done.stderr
    assert not (checkout / "out.jsonl").exists()


@pytest.mark.parametrize("out", [".", "rows.jsonl/answers.jsonl"])
def test_where_nothing_can_be_written_nothing_is_answered(checkout: Path, verb, out: str):
    (checkout / "rows.jsonl").write_text('{"messages": [{"role": "user", "content": "oi"}]}\n', encoding="utf-8")
    done = verb("predict", ADAPTER="nobody", IN=str(checkout / "rows.jsonl"), OUT=str(checkout / out), PROFILE="cpu")
    # The adapter does not exist either, which is found out only after.
    assert done.returncode == 1 and "nobody" not in done.stderr and "Traceback" not in done.stderr
    assert "is a folder" in done.stderr or "rows.jsonl: " in done.stderr


def test_a_new_adapter_touches_nothing_and_fits_the_rules(checkout: Path, verb):
    before = (checkout / "configs" / "toy.yml").read_bytes()
    done = verb("new", ADAPTER="produto-x", FROM="toy")
    assert done.returncode == 0 and "next: fill datasets/produto-x/conversations.jsonl" in done.stdout
    assert (checkout / "configs" / "toy.yml").read_bytes() == before
    text = (checkout / "configs" / "produto-x.yml").read_text(encoding="utf-8")
    assert "path: datasets/produto-x/conversations.jsonl" in text
    assert "output_dir: outputs/meta-llama-3-8b-instruct/produto-x" in text
    empty = verb("train", ADAPTER="produto-x", PROFILE="cpu")
    assert empty.returncode == 1 and "datasets/produto-x/conversations.jsonl" in empty.stderr
    row = {"messages": [{"role": "user", "content": "Qual é o produto?"}, {"role": "assistant", "content": "É o X."}]}
    (checkout / "datasets" / "produto-x" / "conversations.jsonl").write_text(
        json.dumps(row, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    assert verb("check", ADAPTER="produto-x").returncode == 0


def test_a_new_adapter_is_not_named_like_a_stack(checkout: Path, verb):
    (checkout / "configs/stacks/pair.yml").write_text("members: [{adapter: toy}]\n", encoding="utf-8")
    done = verb("new", ADAPTER="pair", FROM="toy")
    assert done.returncode == 1 and "configs/stacks/pair.yml: exists already; nothing was touched" in done.stderr


@pytest.mark.parametrize("head", ["", "# one line\n", "# one line\n\nneftune_noise_alpha: 1\n"])
def test_a_new_adapter_takes_every_setting_wherever_they_begin(head: str):
    text = adapter.config_of("kpi").read_text(encoding="utf-8")
    source = head + text[text.index("base_model:") :]
    made = yaml.safe_load(new.derived(source, "kpi", "produto-x", "datasets/produto-x/conversations.jsonl"))
    assert made["output_dir"].endswith("/produto-x")
    assert [each["path"] for each in made["datasets"]] == ["datasets/produto-x/conversations.jsonl"]
    own = ("output_dir", "datasets")
    assert {key: made[key] for key in made if key not in own} == {
        key: value for key, value in yaml.safe_load(source).items() if key not in own
    }


def test_a_source_that_can_not_be_read_leaves_nothing_behind(checkout: Path, verb):
    with open(checkout / "configs/toy.yml", "a", encoding="utf-8") as stream:
        stream.write("lora_rank: 3\n")
    done = verb("new", ADAPTER="produto-x", FROM="toy")
    assert done.returncode == 1 and "unknown key 'lora_rank'" in done.stderr
    assert not (checkout / "datasets/produto-x").exists()
