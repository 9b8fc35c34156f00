"""Forgetting a person: their rows go, other bytes stay, and stale runs are named. Cards are current."""

import json
from pathlib import Path

import pytest

from scripts import forget
from scripts.data import cards, jsonl, lineage
from scripts.data.cards import card
from scripts.data.imports import subject
from scripts.errors import UserError
from scripts.files import sha256
from scripts.paths import DATASETS

WHO, OTHER = subject("52998224725", "s"), subject("1", "s")


@pytest.fixture
def place(tmp_path, monkeypatch):
    for name in ("DATASETS", "OUTPUTS"):
        monkeypatch.setattr(lineage, name, tmp_path / name.lower())
    monkeypatch.setattr(lineage, "ROOT", tmp_path)
    rows = tmp_path / "datasets/unimed-attendant/rows"
    rows.mkdir(parents=True)
    lines = [jsonl.dump({"messages": [], "subject": who}) for who in (WHO, OTHER, WHO)] + [
        "broken, mentions " + WHO + "\n"
    ]
    (rows / "a.jsonl").write_text("".join(lines))
    (rows / "b.jsonl").write_text(lines[1])
    for run, file in (("unimed-attendant", "a"), ("kpi", "b")):
        manifest = tmp_path / "outputs/base" / run / "manifest.json"
        manifest.parent.mkdir(parents=True)
        path = rows / f"{file}.jsonl"
        manifest.write_text(
            json.dumps({"data": {"files": [{"path": str(path.relative_to(tmp_path)), "sha256": sha256(path)}]}})
        )
    return rows


def test_a_subject_is_forgotten_and_what_saw_them_named(place, capsys):
    untouched = (place / "b.jsonl").stat().st_mtime_ns
    forget.main(["--subject", "52998224725", "--salt", "s"])
    kept = (place / "a.jsonl").read_text()
    assert kept == jsonl.dump({"messages": [], "subject": OTHER}) + f"broken, mentions {WHO}\n"
    assert (place / "b.jsonl").stat().st_mtime_ns == untouched
    told = capsys.readouterr().out
    assert "a.jsonl: 2 rows erased" in told and "unimed-attendant: must be made again" in told
    assert "kpi: must" not in told and "make train ADAPTER=unimed-attendant FORCE=1" in told


def test_a_changed_file_is_stale_without_anyone_forgotten(place, capsys):
    (place / "b.jsonl").write_text("")
    forget.main(["--subject", "0" * 32])
    told = capsys.readouterr().out
    assert "no row of this subject" in told and "kpi: must be made again" in told


def test_the_number_is_the_same_however_it_is_written_and_rejected_rows_count(place, capsys):
    rejected = place.parent / ".rejected/train.jsonl"
    rejected.parent.mkdir()
    rejected.write_text(jsonl.dump({"messages": [], "subject": WHO}))
    forget.main(["--subject", "529.982.247-25", "--salt", "s"])
    told = capsys.readouterr().out
    assert "a.jsonl: 2 rows erased" in told and ".rejected/train.jsonl: 1 rows erased" in told
    assert rejected.read_text() == ""


def test_lines_that_nobody_can_read_stay_as_they_are(place):
    file = place / "a.jsonl"
    others = b'{"long": "' + b"x" * jsonl.MAX_LINE + b'"}\n' + b"\xff\n"
    file.write_bytes(others + file.read_bytes())
    assert lineage.forget(file, WHO) == 2
    assert file.read_bytes().startswith(others + b'{"messages": [], "subject": "' + OTHER.encode())


def test_what_is_made_of_a_stale_run_is_stale_and_nothing_else(place, capsys):
    runs = {
        "both": {"kind": "stack", "members": [{"adapter": "kpi"}, {"adapter": "unimed-attendant"}]},
        "alone": {"kind": "stack", "members": [{"adapter": "kpi"}]},
        "both-merged": {"kind": "merged", "of": {"name": "both"}},
        "kpi-merged": {"kind": "merged", "of": {"name": "kpi"}},
    }
    for name, manifest in runs.items():
        file = place.parents[2] / "outputs/base" / name / "manifest.json"
        file.parent.mkdir()
        file.write_text(json.dumps(manifest))
    (place.parent / "recipe.yml").touch()
    forget.main(["--subject", WHO])
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("next:")]
    assert told == [
        "next: make dataset ADAPTER=unimed-attendant && make train ADAPTER=unimed-attendant FORCE=1",
        "next: make stack STACK=both FORCE=1",
        "next: make merge STACK=both FORCE=1",
    ]


def test_what_is_no_hash_is_refused(place):
    with pytest.raises(UserError, match="SUBJECT is no hash"):
        forget.main(["--subject", "52998224725x"])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("limits:\n", "limits:\n  - Conhece: só isto\n"), '$.limits[0]: {"Conhece": "só isto"} is not text'),
        (("licence: ", "licence: 5 #"), "$.licence: 5 is not text"),
        (("licence: ", "license: "), "$.licence: missing"),
        (("title: ", "title: [a] #"), '$.title: ["a"] is not text'),
    ],
)
def test_a_card_that_says_something_else_is_told_where(tmp_path, monkeypatch, change, told):
    text = (DATASETS / "kpi/card.yml").read_text(encoding="utf-8")
    assert change[0] in text
    (tmp_path / "kpi").mkdir()
    (tmp_path / "kpi/card.yml").write_text(text.replace(*change), encoding="utf-8")
    monkeypatch.setattr(cards, "DATASETS", tmp_path)
    with pytest.raises(UserError) as error:
        card("kpi")
    assert told in str(error.value)


CARDS = sorted(file.parent.name for file in DATASETS.glob("*/card.yml"))


def test_every_adapter_has_a_card():
    assert CARDS == ["kpi", "schema", "unimed-attendant"]


@pytest.mark.parametrize("adapter", CARDS)
def test_the_committed_card_is_current(adapter):
    file = Path(DATASETS / adapter / "CARD.md")
    assert file.read_text(encoding="utf-8") == card(adapter), "run make data-card"
