"""Which subject is in which file, and which trained adapters have seen which files."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.data import jsonl
from scripts.files import sha256, write_lines
from scripts.paths import DATASETS, OUTPUTS, ROOT

#: What is made of runs comes after them.
_ORDER = ("adapter", "stack", "merged")


@dataclass(frozen=True)
class Seen:
    """A run, the data file or run that it is made of and that has changed since, and what makes it anew."""

    run: Path
    changed: str
    again: str


def row_files() -> list[Path]:
    """Every JSONL of every data set, built and rejected ones included."""
    return sorted(file for place in ("*", "*/rows", "*/.rejected") for file in DATASETS.glob(f"{place}/*.jsonl"))


def forget(file: Path, subject: str) -> int:
    """Rewrites a file without the subject's rows, all other bytes as they were; gives how many went."""
    with open(file, "rb") as lines:
        gone = sum(_is_of(line, subject) for line in lines)
    if gone:
        with open(file, "rb") as lines:
            write_lines(file, (line for line in lines if not _is_of(line, subject)))
    return gone


def _is_of(raw: bytes, subject: str) -> bool:
    if subject.encode() not in raw:
        return False
    try:
        return jsonl.parse(raw).get("subject") == subject
    except ValueError:
        return False


def stale_runs(touched: set[Path]) -> Iterator[Seen]:
    """Runs whose manifest names a touched file, or one that has changed or gone since; then what is made of them."""
    manifests = {file.parent: _read(file) for file in sorted(OUTPUTS.glob("*/*/manifest.json"))}
    stale: set[Path] = set()
    for run in sorted(manifests, key=lambda run: _ORDER.index(_kind(manifests[run]))):
        manifest = manifests[run]
        if _kind(manifest) == "adapter":
            changed = next((path for path, digest in _data_of(manifest, run) if _differs(path, digest, touched)), "")
        else:
            changed = next((name for name in _members(manifest) if run.parent / name in stale), "")
        if changed:
            stale.add(run)
            yield Seen(run, changed, _again(run, manifests))


def _read(manifest: Path) -> dict:
    try:
        found = json.loads(manifest.read_text(encoding="utf-8"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _kind(manifest: dict) -> str:
    return manifest["kind"] if manifest.get("kind") in _ORDER else "adapter"


def _members(manifest: dict) -> list[str]:
    return [manifest["of"]["name"]] if "of" in manifest else [each["adapter"] for each in manifest["members"]]


def _differs(path: str, digest: str, touched: set[Path]) -> bool:
    file = ROOT / path
    return file in touched or not file.exists() or sha256(file) != digest


def _data_of(manifest: dict, run: Path) -> list[tuple[str, str]]:
    try:
        return [(str(file["path"]), str(file["sha256"])) for file in manifest["data"]["files"]]
    except (KeyError, TypeError):
        return [(str(run / "manifest.json"), "")]  # a manifest that can't be read vouches for nothing


def _again(run: Path, manifests: dict[Path, dict]) -> str:
    """The command that makes a run anew."""
    kind = _kind(manifests[run])
    if kind == "stack":
        return f"make stack STACK={run.name} FORCE=1"
    if kind == "merged":
        [name] = _members(manifests[run])
        variable = "STACK" if _kind(manifests.get(run.parent / name, {})) == "stack" else "ADAPTER"
        return f"make merge {variable}={name} FORCE=1"
    build = f"make dataset ADAPTER={run.name} && " if (DATASETS / run.name / "recipe.yml").exists() else ""
    return f"{build}make train ADAPTER={run.name} FORCE=1"
