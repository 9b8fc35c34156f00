"""Answers of one model to many rows, kept by hash of weights, row and length: asked once, resumable.

outputs/<base>/.answers/<hash of weights>.jsonl holds one line an answer; a killed evaluation goes on where it was.
"""

import hashlib
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from scripts.files import lines
from scripts.model.generate import BASE, Generator
from scripts.model.toolcall import message_of

#: New tokens at most. An adapter ends its turn by itself; the bare base often rambles on, and no expected answer is
#: longer than this.
MOST, MOST_OF_BASE = 192, 64
#: Rows between two writes of the cache.
CHUNK = 256


def key(row: dict, most: int) -> str:
    """The hash of a question."""
    text = json.dumps([row["messages"], most], ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def ask(generator: Generator, name: str, weights: str, rows: Sequence[dict], folder: Path) -> list[dict]:
    """The assistant message for each row that has `messages`, in order; prints a progress line."""
    most = MOST_OF_BASE if name == BASE else MOST
    file = folder / ".answers" / f"{weights[:24]}.jsonl"
    known = read(file)
    asked = {key(row, most): row for row in rows}
    missing = [mark for mark in asked if mark not in known]
    # Longest first overall, so that the batches of a chunk are of like length.
    missing.sort(key=lambda mark: -sum(len(m.get("content") or "") for m in asked[mark]["messages"]))
    began = time.monotonic()
    for start in range(0, len(missing), CHUNK):
        chunk = missing[start : start + CHUNK]
        told = progress(name, start, len(missing), began)
        texts = generator.answers([asked[mark]["messages"] for mark in chunk], name, most, told)
        fresh = {
            mark: (text, generator.drafts.get(i, text)) for i, (mark, text) in enumerate(zip(chunk, texts, strict=True))
        }
        append(file, fresh)
        known |= fresh
    return [message(*known[key(row, most)]) for row in rows]


def message(text: str, draft: str) -> dict:
    """The assistant message; `draft` in it is what the model wrote first, where that was not allowed (strict.py)."""
    return message_of(text) | ({"draft": message_of(draft)} if draft != text else {})


def progress(name: str, start: int, total: int, began: float):
    """A function that prints how far it is."""

    def told(count: int) -> None:
        done, spent = start + count, time.monotonic() - began
        left = spent / done * (total - done)
        end = "\n" if done == total or not sys.stderr.isatty() else ""
        print(f"\r{name}: {done}/{total} answers, {left:.0f} s left ", end=end, file=sys.stderr, flush=True)

    return told


def read(file: Path) -> dict[str, tuple[str, str]]:
    """Answer and draft by mark of a cache file; a line that was cut off by a kill is asked again."""
    known: dict[str, tuple[str, str]] = {}
    for line in lines(file) if file.exists() else ():
        try:
            mark, text, draft = json.loads(line)
            known[mark] = text, draft
        except (ValueError, TypeError):
            continue
    return known


def append(file: Path, fresh: dict[str, tuple[str, str]]) -> None:
    """Adds answers to a cache file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "a", encoding="utf-8") as stream:
        stream.writelines(json.dumps([mark, *pair], ensure_ascii=False) + "\n" for mark, pair in fresh.items())
