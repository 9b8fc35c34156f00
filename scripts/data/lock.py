"""data.lock.json: what a build made, small enough for a review and stable enough to commit."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from scripts.data.variety import measure


def text_of(rows: Sequence[dict]) -> str:
    """The rows as JSONL."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def entry(rows: Sequence[dict], text: str) -> dict:
    """Rows, characters of all contents and arguments, sha256 and rows per kind of one file."""
    return {
        "rows": len(rows),
        "turns": sum(len(row["messages"]) for row in rows),
        "characters": sum(characters(message) for row in rows for message in row["messages"]),
        "tool_calls": sum(map(calls, rows)),
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "kinds": dict(sorted(Counter(row.get("kind", "own") for row in rows).items())),
    }


def characters(message: dict) -> int:
    """Length of what a message says or calls."""
    called = sum(len(call["function"]["arguments"]) for call in message.get("tool_calls") or [])
    return len(message.get("content") or "") + called


def calls(row: dict) -> int:
    """How many tool calls a row has."""
    return sum(len(message.get("tool_calls") or []) for message in row["messages"])


def lock(train: Sequence[dict], evaluation: Sequence[dict], texts: tuple[str, str], recipe_hash: str) -> dict:
    """The whole lock of one data set."""
    expected = Counter(next(iter(row.get("expect") or {"nothing": 0})) for row in evaluation)
    return {
        "recipe_sha256": recipe_hash,
        "train": entry(train, texts[0]),
        "eval": entry(evaluation, texts[1]) | {"expects": dict(sorted(expected.items()))},
        "variety": measure(train),
    }


def recipe_hash(folder: Path) -> str:
    """sha256 over the names and bytes of the YAML files of a data folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.yml")):
        digest.update(f"{path.relative_to(folder).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()
