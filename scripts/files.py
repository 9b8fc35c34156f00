"""Whole files or none: atomic writes and content hashes."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path


def sha256(path: Path) -> str:
    """Hex sha256 of a file's bytes."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def lines(path: Path) -> list[str]:
    """The lines of a UTF-8 file without their ends; unlike `splitlines`, whole where a text holds U+2028 or U+0085."""
    with open(path, encoding="utf-8") as stream:
        return [line.removesuffix("\n") for line in stream]


def write(path: Path, text: str) -> None:
    """Replaces the file in one step: readers see the old text or the new, never half of it."""
    write_lines(path, [text])


def write_lines(path: Path, chunks: Iterable[str | bytes]) -> None:
    """Streams chunks, texts as UTF-8, into a temporary file beside `path`, then renames it over `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(handle, "wb") as stream:
            stream.writelines(each.encode() if isinstance(each, str) else each for each in chunks)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_json(path: Path, value: object) -> None:
    """Indented UTF-8 JSON with a final newline, written atomically."""
    write(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n")
