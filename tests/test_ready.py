"""Where a run is found by its name, and which command makes it."""

from pathlib import Path

import pytest

from scripts import verify
from scripts.config import profile
from scripts.errors import UserError
from scripts.files import write_json
from scripts.model import stackfile
from scripts.run import proof, ready

SMALL, LARGE = "smollm2-135m-instruct", "meta-llama-3-8b-instruct"


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch) -> Path:
    for module in (profile, stackfile, ready):
        monkeypatch.setattr(module, "OUTPUTS", tmp_path)
    return tmp_path


def made(outputs: Path, base: str, name: str, sha256: dict | None = None) -> Path:
    """A run's folder with the least of a manifest."""
    write_json(outputs / base / name / "manifest.json", {"kind": "stack", "base": {"sha256": sha256 or {}}})
    return outputs / base / name


@pytest.mark.parametrize("name", ["schema-kpi", "schema-kpi-merged", "kpi-merged", "kpi"])
def test_of_a_name_over_two_bases_the_profiles_is_meant(outputs: Path, name: str):
    small, large = made(outputs, SMALL, name), made(outputs, LARGE, name)
    assert ready.run(name, "cpu") == small and ready.run(name, "gpu") == large


@pytest.mark.parametrize("name", ["schema-kpi", "kpi-merged", "gone"])
def test_what_is_no_adapter_is_found_where_it_was_made(outputs: Path, name: str):
    only = made(outputs, SMALL, name)
    assert ready.run(name, "gpu") == ready.run(name, "cpu") == only


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("kpi", "make train ADAPTER=kpi"),
        ("schema-kpi", "make stack STACK=schema-kpi"),
        ("kpi-merged", "make merge ADAPTER=kpi"),
        ("schema-kpi-merged", "make merge STACK=schema-kpi"),
    ],
)
def test_each_name_is_made_by_its_own_verb(outputs: Path, monkeypatch, capsys, name: str, command: str):
    assert ready.made_by(name) == command
    run = made(outputs, SMALL, name, {"config.json": "old"})
    (outputs / SMALL / "base").mkdir()
    monkeypatch.setattr(ready.base, "identity", lambda folder: {"sha256": {"config.json": "new"}})
    with pytest.raises(UserError, match=f"config.json differ\nnext: {command} FORCE=1"):
        ready.run(name, "cpu")
    monkeypatch.setattr(proof, "checks", lambda run: [proof.Check("weights", "x", "a", "b")])
    assert not verify.verified(run) and f"next: {command} FORCE=1" in capsys.readouterr().out


def test_a_stack_that_is_not_made_says_how(outputs: Path):
    with pytest.raises(UserError, match="not trained yet\nnext: make stack STACK=schema-kpi"):
        ready.run("schema-kpi", "cpu")
