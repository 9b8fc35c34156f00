"""Example files, collected by folder: the valid ones pass, each invalid one says what its first line expects."""

from itertools import takewhile
from pathlib import Path

import pytest

from scripts import check
from scripts.config import adapter, crossfile, yamlfile

HERE = Path(__file__).parent
VALID = sorted(path for path in (HERE / "valid/configs").glob("*/*"))
INVALID = sorted(path for path in (HERE / "invalid/configs").glob("*/*"))


def problems_of(file: Path) -> list[str]:
    """What check says of one file among the real adapters."""
    kind = file.parent.name
    document, found = check.one(file, kind)
    real = [(yamlfile.load(adapter.config_of(name)), "adapter") for name in adapter.names()]
    if document:
        found += check.across([(document, kind), *real])
    return [str(each) for each in found if each.file.endswith(file.name)]


@pytest.mark.parametrize("file", VALID, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_valid(file):
    assert problems_of(file) == []


@pytest.mark.parametrize("file", INVALID, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_invalid(file):
    lines = takewhile(lambda line: "expect: " in line, file.read_text(encoding="utf-8").splitlines())
    expectations = [line.split("expect: ", 1)[1].removesuffix('",') for line in lines]
    found = problems_of(file)
    assert expectations
    for expected in expectations:
        assert any(expected in each for each in found), f"expected: {expected}\nfound:\n" + "\n".join(found)
    assert all(":0:" not in each for each in found)


@pytest.mark.parametrize("name", ["base", "kpi-merged"])
def test_a_name_that_outputs_needs_is_no_adapters(name):
    document = yamlfile.Document(adapter.config_of(name), adapter.load("kpi"), {})
    assert any(f"{name!r} can't be an adapter's name" in str(each) for each in crossfile.adapter_problems(document))


def test_examples_were_found():
    assert {file.parent.name for file in VALID} == {file.parent.name for file in INVALID}
    assert len(VALID) >= 8 and len(INVALID) >= 60


def test_the_real_configs_are_valid():
    files = [
        (file, kind)
        for file, kind in check.yaml_files()
        if kind in ("adapter", "profile", "stack", "suite", "deepspeed")
    ]
    assert {kind for _, kind in files} >= {"adapter", "profile"}
    documents = [(check.one(file, kind), kind, file) for file, kind in files]
    assert [str(each) for (_, found), _, _ in documents for each in found] == []
    assert [str(each) for each in check.across([(document, kind) for (document, _), kind, _ in documents])] == []


def test_each_first_line_names_its_schema():
    for file, kind in check.yaml_files():
        if kind in ("adapter", "profile", "stack", "suite"):
            depth = "../" * (len(file.relative_to(check.CONFIGS).parts))
            assert (
                file.read_text().splitlines()[0] == f"# yaml-language-server: $schema={depth}schemas/{kind}.schema.json"
            ), file
