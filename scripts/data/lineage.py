"""Which subject is in which file, and which trained adapters have seen which files."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.data import jsonl
from scripts.files import sha256, write_lines
from scripts.paths import DATASETS, OUTPUTS, ROOT


@dataclass(frozen=True)
class Seen:
    """A run and the data file of its manifest that is no longer what it was trained on."""

    run: Path
    file: str


def row_files() -> list[Path]:
    """Every JSONL of every data set, built files included."""
    return sorted([*DATASETS.glob("*/*.jsonl"), *DATASETS.glob("*/rows/*.jsonl")])


def count(file: Path, subject: str) -> int:
    """Rows of a subject in a file."""
    return sum(1 for _, raw in jsonl.lines(file) if _is_of(raw, subject))


def forget(file: Path, subject: str) -> int:
    """Rewrites a file without the subject's rows, all other bytes as they were; gives how many went."""
    gone = count(file, subject)
    if gone:
        write_lines(file, (str(raw, "utf-8") for _, raw in jsonl.lines(file) if not _is_of(raw, subject)))
    return gone


def _is_of(raw: bytes, subject: str) -> bool:
    if subject.encode() not in raw:
        return False
    try:
        return jsonl.parse(raw).get("subject") == subject
    except ValueError:
        return False


def stale_runs(touched: set[Path]) -> Iterator[Seen]:
    """Runs whose manifest names a touched file, or one that has changed or gone since."""
    for manifest in sorted(OUTPUTS.glob("*/*/manifest.json")):
        for path, digest in _data_of(manifest):
            file = Path(path) if Path(path).is_absolute() else ROOT / path
            if file in touched or not file.exists() or sha256(file) != digest:
                yield Seen(manifest.parent, path)


def _data_of(manifest: Path) -> Iterator[tuple[str, str]]:
    try:
        files = json.loads(manifest.read_text(encoding="utf-8"))["data"]["files"]
        yield from ((str(file["path"]), str(file["sha256"])) for file in files)
    except (ValueError, KeyError, TypeError):
        yield str(manifest), ""  # a manifest that can't be read vouches for nothing
