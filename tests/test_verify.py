"""make verify and make card: every changed byte is found and named, and nothing is published by mistake."""

import json
import re
import shutil
from pathlib import Path

import httpx
import huggingface_hub
import pytest
import yaml
from huggingface_hub import errors

from scripts import evaluate as verb
from scripts import publish, verify
from scripts.errors import UserError
from scripts.files import sha256, write_json
from scripts.paths import CODE
from scripts.run import manifest, proof, ready
from scripts.score import evaluated, suite

CONFIG = {
    "base_model": "outputs/toy/base",
    "chat_template_jinja": "configs/templates/chatml.jinja",
    "lora_r": 8,
    "learning_rate": 0.001,
}
LINE = {"suite": "kpi", "metric": "facts", "n": 100, "base": 0.1, "adapter": 0.99, "gate": 0.9, "passed": True}


@pytest.fixture
def run(tmp_path: Path, monkeypatch) -> Path:
    """outputs/toy/kpi/ as a training leaves it, with files of a few bytes, beside its base and its data."""
    for module in (proof, manifest):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(manifest, "SCRIPTS", tmp_path / "code")
    folder, base = tmp_path / "outputs/toy/kpi", tmp_path / "outputs/toy/base"
    files = {
        base / "config.json": "{}",
        base / "model.safetensors": "base",
        tmp_path / "configs/templates/chatml.jinja": "template",
        tmp_path / "datasets/kpi/train.jsonl": "rows\n",
        tmp_path / "code/batches.py": "code",
        folder / "adapter_model.safetensors": "weights",
        folder / "chat_template.jinja": "template",
        folder / "tokenizer.json": "{}",
        folder / "adapter_config.json": "{}",
        folder / "config.yml": yaml.safe_dump(CONFIG),
        folder / "train.log": "someone's words",
    }
    for file, text in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    write_json(folder / "manifest.json", manifest_of(folder, base, tmp_path))
    monkeypatch.setattr(ready, "run", lambda name, profile="": folder)
    return folder


def manifest_of(folder: Path, base: Path, root: Path) -> dict:
    inputs = {
        "config": CONFIG,
        "data": {"files": [{"path": "datasets/kpi/train.jsonl", "sha256": sha256(root / "datasets/kpi/train.jsonl")}]},
        "base": {"name": "toy", "sha256": {name: sha256(base / name) for name in ("config.json", "model.safetensors")}},
        "template": sha256(root / "configs/templates/chatml.jinja"),
        "versions": manifest.versions(),
        "code": {"batches.py": sha256(root / "code/batches.py")},
    }
    metrics = {"steps": 3, "tokens": 1000, "seconds": 60, "first_loss": 3.0, "loss": 1.0}
    facts = {"kind": "adapter", "weights": sha256(folder / "adapter_model.safetensors"), "metrics": metrics}
    facts["files"] = {name: sha256(folder / name) for name in ("adapter_config.json", "tokenizer.json")}
    return inputs | facts | {"fingerprint": manifest.fingerprint(inputs), "git": {}, "made": "2026-01-01"}


def evaluate(run: Path, lines: list | None = None, suites: list | None = None, most: int = 0) -> None:
    """What `make eval` leaves, of all suites that kpi faces or of these."""
    write_json(run / "eval/metrics.json", lines or [LINE])
    evaluated.write(run, suites or [each.name for each in suite.of("kpi")], most)


def test_an_untouched_run_is_right(run: Path, capsys):
    assert verify.main(["--adapter", "kpi"]) == 0
    told = capsys.readouterr().out
    assert "11 hashes recomputed: every hash is right" in told and "CHANGED" not in told


@pytest.mark.parametrize(
    ("file", "what"),
    [
        ("outputs/toy/kpi/adapter_model.safetensors", "weights"),
        ("outputs/toy/kpi/adapter_config.json", "file"),
        ("outputs/toy/kpi/tokenizer.json", "file"),
        ("outputs/toy/kpi/config.yml", "config"),
        ("outputs/toy/kpi/chat_template.jinja", "template"),
        ("outputs/toy/base/model.safetensors", "base"),
        ("outputs/toy/base/config.json", "base"),
        ("datasets/kpi/train.jsonl", "data"),
        ("configs/templates/chatml.jinja", "template"),
        ("code/batches.py", "code"),
    ],
)
@pytest.mark.parametrize("how", ["changed", "gone"])
def test_every_changed_or_missing_file_is_named(run: Path, tmp_path: Path, file: str, what: str, how: str, capsys):
    target = tmp_path / file
    target.write_text("lora_r: 9\n", encoding="utf-8") if how == "changed" else target.unlink()
    assert verify.main(["--adapter", "kpi"]) == 1
    told = capsys.readouterr().out
    marked = [line for line in told.splitlines() if line.strip().startswith(("CHANGED", "NOT HERE"))]
    assert len(marked) == 1 and f" {what} " in marked[0] and file in marked[0]
    assert marked[0].strip().startswith("CHANGED" if how == "changed" else "NOT HERE")
    assert f"1 of 11 hashes are not the recorded ones ({what})" in told


@pytest.mark.parametrize("key", proof.INPUTS)
def test_a_manifest_that_was_edited_betrays_itself(run: Path, key: str, capsys):
    written = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    written[key] = {**written[key], "added": {}} if isinstance(written[key], dict) else "0" * 64
    write_json(run / "manifest.json", written)
    if key in ("base", "code"):
        written[key].pop("added")
        written[key]["more"] = "x"
        write_json(run / "manifest.json", written)
    assert verify.main(["--adapter", "kpi"]) == 1
    assert "CHANGED   fingerprint" in capsys.readouterr().out


def test_a_file_that_is_no_manifest_is_said(run: Path, capsys):
    write_json(run / "manifest.json", {"kind": "adapter"})
    assert verify.main(["--adapter", "kpi"]) == 1
    assert "lacks 'weights': not a manifest" in capsys.readouterr().out


def test_a_stack_and_a_merged_model_are_verified_with_what_they_were_made_of(run: Path, capsys):
    weights = run / "adapter_model.safetensors"
    base = json.loads((run / "manifest.json").read_text(encoding="utf-8"))["base"]
    for kind, more in (
        ("stack", {"weights": sha256(weights), "members": [{"adapter": "kpi", "weights": sha256(weights)}]}),
        ("merged", {"weights": {weights.name: sha256(weights)}, "of": {"name": "kpi", "weights": sha256(weights)}}),
    ):
        made = run.parent / kind
        shutil.copytree(run, made)
        write_json(made / "manifest.json", {"kind": kind, "base": base, **more})
        assert verify.verified(made)
        (made / weights.name).write_text("other", encoding="utf-8")
        assert not verify.verified(made)
    assert capsys.readouterr().out.count("1 of 4 hashes") == 2


def test_the_card_holds_figures_and_hashes(run: Path):
    evaluate(run)
    publish.main(["--adapter", "kpi"])
    card = (run / "README.md").read_text(encoding="utf-8")
    written = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    assert yaml.safe_load(card.split("---")[1])["library_name"] == "peft"
    assert "| kpi: facts | 100 | 0.1 | 0.99 | 0.9 | yes |" in card
    assert (
        written["weights"] in card and written["data"]["files"][0]["sha256"] in card and written["fingerprint"] in card
    )


def test_pushing_is_a_dry_run_unless_told_otherwise(run: Path, monkeypatch, capsys):
    evaluate(run)
    monkeypatch.setattr(publish, "upload", lambda *_: pytest.fail("it was uploaded"))
    publish.main(["--adapter", "kpi", "--push", "me/kpi"])
    told = capsys.readouterr().out
    assert "nothing was uploaded" in told and "adapter_model.safetensors" in told and "DRY=0" in told
    assert "train.log" not in told and "config.yml" not in told, "only what is needed leaves"


def test_dry_0_uploads_the_same_files(run: Path, monkeypatch):
    evaluate(run)
    sent = []
    monkeypatch.setattr(publish, "upload", lambda *told: sent.append(told))
    publish.main(["--adapter", "kpi", "--push", "me/kpi", "--dry", "0"])
    [(folder, repo, names)] = sent
    assert folder == run and repo == "me/kpi" and set(names) <= set(publish.FILES) and "README.md" in names


@pytest.mark.parametrize(
    ("lines", "reason"),
    [([], "it was never evaluated"), ([LINE | {"passed": False}], "gate failed: kpi/facts")],
)
def test_what_failed_is_not_published(run: Path, lines: list, reason: str):
    if lines:
        evaluate(run, lines)
    with pytest.raises(UserError, match=reason):
        publish.main(["--adapter", "kpi", "--push", "me/kpi"])


@pytest.mark.parametrize(
    ("suites", "most", "change", "reason"),
    [
        (None, 20, {}, "only 20 rows a suite were asked"),
        (["base-retention"], 0, {}, "suites that were not asked: kpi"),
        (None, 0, {"weights": "0" * 64}, "its figures are of other weights"),
        (None, 0, {"metrics": "0" * 64}, "its figures are of other weights"),
    ],
)
def test_figures_of_something_else_are_neither_shown_nor_published(run: Path, suites, most, change, reason, capsys):
    evaluate(run, [LINE], suites, most)
    write_json(run / "eval/of.json", evaluated.read(run) | change)
    with pytest.raises(UserError, match=reason):
        publish.main(["--adapter", "kpi", "--push", "me/kpi"])
    assert "Not evaluated yet." in (run / "README.md").read_text(encoding="utf-8")
    assert f"0 figures ({reason}" in capsys.readouterr().out


@pytest.mark.parametrize(("arguments", "rows"), [([], "all"), (["--suite", "kpi", "--rows", "20"], 20)])
def test_an_evaluation_notes_what_it_asked(run: Path, monkeypatch, arguments: list, rows: object):
    done = {"evaluate": [], "decide": [LINE], "tell": 0}
    for step, value in done.items():
        monkeypatch.setattr(verb, step, lambda *_, value=value: value)
    monkeypatch.setattr(verb, "publish", lambda folder, lines: write_json(folder / "eval/metrics.json", lines))
    assert verb.main(["--adapter", "kpi", *arguments]) == 0
    note = evaluated.read(run)
    assert note["rows"] == rows and note["weights"] == manifest.read(run)["weights"]
    assert note["suites"] == (["kpi"] if arguments else sorted(each.name for each in suite.of("kpi")))


def test_figures_are_verified_with_the_weights_that_they_are_of(run: Path, capsys):
    evaluate(run)
    assert verify.main(["--adapter", "kpi"]) == 0
    write_json(run / "eval/metrics.json", [LINE | {"adapter": 1.0}])
    assert verify.main(["--adapter", "kpi"]) == 1
    told = capsys.readouterr().out
    assert "1 of 13 hashes are not the recorded ones (figures)\n  next: make eval ADAPTER=kpi" in told


@pytest.mark.parametrize(("file", "what"), [("adapter_model.safetensors", "weights"), ("adapter_config.json", "file")])
def test_what_is_damaged_is_not_published(run: Path, file: str, what: str):
    evaluate(run)
    (run / file).write_text("other", encoding="utf-8")
    with pytest.raises(UserError, match=rf"{what} .*{file} is not the recorded one"):
        publish.main(["--adapter", "kpi", "--push", "me/kpi"])


@pytest.mark.parametrize(
    "repo", ["kpi", "a/b/c", "../x/y", "me/", "-x/y", "a b/c", "me/a--b", "me/a..b", "me/a-", "me./a"]
)
def test_a_repository_that_is_none_is_refused(run: Path, repo: str):
    with pytest.raises(UserError, match="is not a repository of the Hub"):
        publish.main(["--adapter", "kpi", f"--push={repo}"])


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (httpx.ConnectError("[Errno -3] no name service"), "the Hub can't be reached: .*Errno -3.*\nnext: make card"),
        (errors.HFValidationError("Repo id must be shorter"), "PUSH=me/kpi: Repo id must be shorter"),
        (errors.LocalTokenNotFoundError("no token"), "the Hub refused: no token"),
    ],
)
def test_what_the_hub_says_is_one_message(run: Path, monkeypatch, error: Exception, said: str):
    evaluate(run)

    def refused(*_, **__):
        raise error

    monkeypatch.setattr(huggingface_hub.HfApi, "create_repo", refused)
    with pytest.raises(UserError, match=said):
        publish.main(["--adapter", "kpi", "--push", "me/kpi", "--dry", "0"])


def test_the_fingerprint_covers_all_of_our_code_that_training_runs():
    """Every plugin that changes a step, and what it computes with; progress.py only watches."""
    questions = {"model/generate.py", "model/mixed.py"}  # has_bf16, is_two_matrices: they change no number
    left, seen = {"run/cpu_step.py", "run/token_batches.py"}, set()
    while left:
        seen.add(name := left.pop())
        text = (CODE / "scripts" / name).read_text(encoding="utf-8")
        found = re.findall(r"^\s*from scripts\.(run|model)\.(\w+) import", text, re.MULTILINE)
        left |= {f"{folder}/{module}.py" for folder, module in found} - seen - questions
    assert set(manifest.CODE) == seen
