"""The interface: every verb has help and a row in both READMEs, and what a user types is never run."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from scripts.paths import CODE
from scripts.run.launch import environment

MAKEFILE = (CODE / "Makefile").read_text(encoding="utf-8")
TARGETS = re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE)


def make(*arguments: str, **variables: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["make", *arguments], cwd=CODE, capture_output=True, text=True, env=os.environ | variables, timeout=60
    )


def test_make_alone_prints_every_verb():
    told = make().stdout
    assert TARGETS and all(re.search(rf"^  make {name} ", told, re.MULTILINE) for name in TARGETS)


def test_every_verb_is_phony():
    phony = set(re.search(r"^\.PHONY:(.*)", MAKEFILE, re.MULTILINE).group(1).split())
    assert phony == set(TARGETS), "a folder of that name would hide the verb"


@pytest.mark.parametrize("readme", ["README.md", "README.pt-BR.md"])
def test_both_readmes_name_every_verb_and_no_other(readme):
    text = (CODE / readme).read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| `make ([a-z-]+)", text, re.MULTILINE))
    assert rows == set(TARGETS) - {"help"}


@pytest.mark.parametrize("document", ["README.md", "README.pt-BR.md", "CONTRIBUTING.md"])
def test_every_command_and_path_in_a_document_exists(document):
    text = (CODE / document).read_text(encoding="utf-8")
    commands = set(re.findall(r"\bmake ([a-z][a-z-]*)(?= [A-Z]+=|`|$|\s+#)", text, re.MULTILINE))
    assert commands and commands <= set(TARGETS)
    for path in re.findall(r"`((?:configs|scripts|schemas|tests|datasets|docs)/[\w./-]+)`", text):
        assert (CODE / path).exists(), f"{document} names {path}"


@pytest.mark.parametrize("how", ["argument", "environment"])
@pytest.mark.parametrize(
    "value",
    [
        "x; touch {}",
        "$(shell touch {})",
        "$(touch {})",
        "`touch {}`",
        "x' && touch {} && '",
        "$${{IFS}}$(shell touch {})",
        "x\ntouch {}",
        "| touch {}",
        "-h",
        "--help",
    ],
)
def test_what_a_user_types_is_never_run(tmp_path: Path, value: str, how: str):
    planted = tmp_path / "planted"
    text = value.format(planted)
    done = make("new", f"ADAPTER={text}", "FROM=kpi") if how == "argument" else make("new", ADAPTER=text, FROM="kpi")
    assert done.returncode != 0 and not planted.exists()
    assert "can't be an adapter's name" in done.stderr and "Traceback" not in done.stderr


def test_nothing_of_a_config_is_sent_and_no_folder_of_ours_is_a_package():
    for name in ("AXOLOTL_DO_NOT_TRACK", "DO_NOT_TRACK"):
        assert environment(offline=True)[name] == "1" and f"export {name} := 1" in MAKEFILE
    assert environment(offline=True)["HF_HUB_OFFLINE"] == "1"
    assert not list((CODE / "datasets").glob("**/__init__.py")), "it would stand in the library's place"
