# ruff: noqa: E501 (tables of examples)
"""The verb itself: formats, exit codes, what it imports, how fast it is, and what it says across files."""

import json
import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.config import crossfile, report, yamlfile
from scripts.errors import Problem
from scripts.paths import ROOT

ROW = {
    "messages": [{"role": "user", "content": "Qual o telefone?"}, {"role": "assistant", "content": "É o da central."}],
    "kind": "fact",
}


@pytest.fixture
def copy(tmp_path):
    """A checkout of configs, schemas and what the data sets are made from, without built rows."""
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    shutil.copytree(ROOT / "schemas", tmp_path / "schemas")
    shutil.copytree(ROOT / "datasets", tmp_path / "datasets", ignore=shutil.ignore_patterns("*.jsonl", "*.db"))
    (tmp_path / "scripts").symlink_to(ROOT / "scripts")
    return tmp_path


def check(root: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """Runs the verb on another checkout."""
    kept = {key: value for key, value in os.environ.items() if key not in ("ADAPTER", "FORMAT")}
    return subprocess.run(
        [sys.executable, "-m", "scripts.check", *arguments], cwd=ROOT, env=kept | {"ADAPTERS_ROOT": str(root)} | environment,
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_all_right(copy):
    done = check(copy)
    assert (done.returncode, done.stderr) == (0, "")
    first, second = done.stdout.splitlines()
    assert re.fullmatch(r"all right: [\d,]+ files, 0 rows \(\d+\.\d\d s\)", first)
    assert second == "next: make plan ADAPTER=<one of them>"


def broken(copy: Path) -> None:
    file = copy / "configs/kpi.yml"
    file.write_text(file.read_text().replace("lora_r:", "lora_rank:").replace("0.0002", "2e-4"))
    (copy / "configs/stacks/x.yml").write_text("members: [{adapter: nobody}]\n")


def line_of(copy: Path, word: str) -> int:
    lines = (copy / "configs/kpi.yml").read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.startswith(word))


def test_every_mistake_at_once(copy):
    broken(copy)
    done = check(copy)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    top, rank, rate = (line_of(copy, word) for word in ("base_model:", "lora_rank:", "learning_rate:"))
    assert [each.split(": ", 1)[0] for each in lines] == [
        f"configs/kpi.yml:{top}:1", f"configs/kpi.yml:{rank}:1", f"configs/kpi.yml:{rate}:16", "configs/stacks/x.yml:1:12",
    ]  # fmt: skip
    assert "did you mean 'lora_r'?" in lines[1]
    assert done.stderr.splitlines()[0].startswith("4 problems in ")
    assert done.stderr.splitlines()[1] == "next: mend them, then make check"


def test_json(copy):
    broken(copy)
    done = check(copy, FORMAT="json")
    found = json.loads(done.stdout)
    assert done.returncode == 1 and len(found) == 4
    assert {"file", "line", "col", "path", "message", "hint", "house"} == set(found[0])
    assert [each["house"] for each in found] == [True, False, False, False]
    assert json.loads(check(copy, "--adapter", "schema", "--format", "json").stdout) == []


def test_github_annotations(copy):
    broken(copy)
    lines = check(copy, FORMAT="github").stdout.splitlines()
    line = line_of(copy, "lora_rank:")
    assert lines[1].startswith(
        f"::error file=configs/kpi.yml,line={line},col=1,title=$.lora_rank::unknown key 'lora_rank'"
    )
    assert all(line.startswith("::error file=") for line in lines)


def test_annotations_can_not_be_forged():
    problem = Problem("a,b:c%.yml", 1, 2, "$.x\n", "one\n::error file=y::two", "50%")
    assert (
        report.github([problem])
        == "::error file=a%2Cb%3Ac%25.yml,line=1,col=2,title=$.x%0A::one%0A::error file=y::two (50%25)"
    )


def test_one_adapter_and_what_belongs_to_it(copy):
    broken(copy)
    done = check(copy, ADAPTER="schema")
    assert done.returncode == 0 and done.stdout.endswith("next: make plan ADAPTER=schema\n")
    done = check(copy, ADAPTER="kp")
    assert done.returncode == 1 and "$.lora_rank" in done.stdout and "stacks" not in done.stdout


@pytest.mark.parametrize("value", ["x; touch pwned", "$(touch pwned)", "-x", "a\nb", "../../etc/passwd", "%s%n", ""])
def test_names_from_outside_execute_nothing(copy, value):
    done = check(copy, ADAPTER=value)
    assert "Traceback" not in done.stderr and not (ROOT / "pwned").exists() and not (copy / "pwned").exists()
    assert (done.returncode == 1 and "there is no adapter" in done.stderr) or value == ""


def test_unknown_format(copy):
    done = check(copy, FORMAT="jsn")
    assert (
        done.returncode == 1 and done.stderr == "FORMAT=jsn is not one of text, github, json (did you mean 'json'?)\n"
    )


def test_files_that_are_no_config(copy):
    (copy / "configs/x.yaml").write_text("a: 1")
    (copy / "configs/y.yml").write_bytes(b"a: \xff\n")
    (copy / "configs/z.yml").write_text("a: " + "x" * 300_000)
    (copy / "configs/deepspeed/bad.json").write_text('{"zero_optimization": ')
    (copy / "configs/templates/bad.jinja").write_text("{% for m in messages %}")
    found = check(copy).stdout
    for expected in ("configs/x.yaml:1:1: nothing reads this name (call it x.yml)", "configs/y.yml:1:1: not UTF-8 at byte 3",
                     "configs/z.yml:1:1: larger than 256 KB", "configs/deepspeed/bad.json:1:23: not JSON", "configs/templates/bad.jinja:1:1: not a template"):  # fmt: skip
        assert expected in found


def test_rows_are_looked_at(copy):
    rows = [
        ROW,
        {"messages": [{"role": "user", "content": "a"}]},
        {**ROW, "messages": [ROW["messages"][0], {"role": "assistant", "content": "palavra " * 3000}]},
    ]
    (copy / "datasets/kpi/train.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    found = check(copy, ADAPTER="kpi").stdout
    assert "datasets/kpi/train.jsonl:2:" in found
    assert re.search(
        r"datasets/kpi/train.jsonl:3: \$\.messages: about \d+ tokens, and sequence_len is 1024: Axolotl would drop the row",
        found,
    )
    assert "train.jsonl:1:" not in found


def test_a_turn_that_is_not_to_be_learned_needs_its_key_in_the_config(copy):
    call = {"type": "function", "function": {"name": "unimed_consult", "arguments": '{"cpf": "1"}'}}
    told = [{"role": "tool", "content": '{"status": "error"}'}, {"role": "assistant", "content": "Faltam números."}]
    row = {"messages": [ROW["messages"][0], {"role": "assistant", "tool_calls": [call], "train": False}, *told]}
    (copy / "datasets/unimed-attendant/train.jsonl").write_text(json.dumps(row) + "\n")
    config = copy / "configs/unimed-attendant.yml"
    assert "all right" in check(copy, ADAPTER="unimed").stdout
    config.write_text(re.sub(r" +message_field_training.*\n", "", config.read_text()))
    found = check(copy, ADAPTER="unimed").stdout
    assert "$.datasets[0]: turns of datasets/unimed-attendant/train.jsonl have `train: false`" in found
    assert "message_field_training: train" in found
    row["messages"][1]["train"] = True
    (copy / "datasets/unimed-attendant/train.jsonl").write_text(json.dumps(row) + "\n")
    found = check(copy, ADAPTER="unimed").stdout
    assert "train.jsonl:1: $.messages[1].tool_calls[0].function.arguments" in found and "$.datasets" not in found


def test_tokens_are_counted_where_the_tokenizer_is(tmp_path, monkeypatch):
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = Tokenizer(models.WordLevel({"a": 0, "[UNK]": 1}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    (tmp_path / "outputs/x/base").mkdir(parents=True)
    words.save(str(tmp_path / "outputs/x/base/tokenizer.json"))
    monkeypatch.setattr(crossfile, "ROOT", tmp_path)
    monkeypatch.setattr(crossfile, "OUTPUTS", tmp_path / "outputs")
    assert crossfile.token_counter("outputs/x/base")("a a a") == 3
    assert crossfile.token_counter("org/X")("a a a") == 3
    assert crossfile.token_counter("org/other")("a" * 25) == 12  # by characters, high


def test_imports_nothing_heavy():
    code = "import sys, scripts.check; scripts.check.main([]); print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    loaded = {name.split(".")[0] for name in re.findall(r"'([\w.]+)'", done.stdout.splitlines()[-1])}
    assert "jsonschema_rs" in loaded
    assert (
        loaded
        & {
            "torch",
            "transformers",
            "axolotl",
            "peft",
            "accelerate",
            "datasets",
            "pandas",
            "requests",
            "numba",
            "bitsandbytes",
        }
        == set()
    )


@pytest.mark.slow
def test_a_second_for_ten_thousand_rows(copy):
    """Processor time of a cold run, because what else runs on the machine is not ours to measure."""
    lines = [
        line for file in sorted((ROOT / "datasets").glob("*/train.jsonl")) for line in file.read_text().splitlines()
    ]
    if len(lines) < 10_000:
        pytest.skip("fewer than 10,000 rows are built: make dataset ADAPTER=unimed")
    share = (ROOT / "datasets/unimed-attendant/train.jsonl").read_text().splitlines()[:10_000]
    (copy / "datasets/unimed-attendant/train.jsonl").write_text("\n".join(share) + "\n")
    spent = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = check(copy)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    print(done.stdout, spent)
    assert "10,000 rows" in done.stdout + done.stderr
    assert min(spent) <= 1.0


def test_a_place_survives_odd_keys():
    document = yamlfile.parse('a.b: {"c[0]": 1}\n', Path("x.yml"))[0]
    assert document.problem("$.a.b.c[0]", "x").line == 1
