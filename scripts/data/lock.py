"""data.lock.json: what a build made, small enough for a review and stable enough to commit."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from scripts.data import sampledb
from scripts.data.variety import measure
from scripts.files import sha256
from scripts.model import base

NAME = "data.lock.json"
#: What a build writes, and the card beside it.
MADE = ("train.jsonl", "eval.jsonl", NAME, "card.yml", "CARD.md")
_SAMPLE = re.compile(r"^ +database: *sample\b", re.MULTILINE)
#: What an evaluation row may expect, the stronger first: a refusal that also contains something counts as no_call.
KEYS = ("tool_call", "asks", "sql", "number", "no_call", "contains")


def entry(rows: Sequence[dict], text: str) -> dict:
    """Rows, characters of all contents and arguments, sha256 and rows per kind of one file."""
    return {
        "rows": len(rows),
        "turns": sum(len(row["messages"]) for row in rows),
        "characters": sum(len(t) for row in rows for message in row["messages"] for t in texts_of(message)),
        "tool_calls": sum(map(calls, rows)),
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "kinds": dict(sorted(Counter(row.get("kind", "own") for row in rows).items())),
    }


def texts_of(message: dict) -> list[str]:
    """What a message says and what its calls pass."""
    called = [call["function"]["arguments"] for call in message.get("tool_calls") or []]
    return [message["content"], *called] if message.get("content") else called


def calls(row: dict) -> int:
    """How many tool calls a row teaches."""
    return sum(len(m.get("tool_calls") or []) for m in row["messages"] if m.get("train", True))


def lock(folder: Path, train: Sequence[dict], evaluation: Sequence[dict], texts: Mapping[str, str]) -> dict:
    """The whole lock of one data set."""
    expected = Counter(next(key for key in KEYS if key in row["expect"]) for row in evaluation)
    made = {
        "recipe_sha256": recipe_hash(folder),
        "train": entry(train, texts["train"]),
        "eval": entry(evaluation, texts["eval"]) | {"expects": dict(sorted(expected.items()))},
        "variety": measure(train),
    }
    for name, rows in (("train", train), ("eval", evaluation)):
        tokens = counted(rows) or _as_before(folder, name, made[name]["sha256"])
        if tokens:
            made[name]["tokens"] = tokens
    return made


def counted(rows: Sequence[dict]) -> int:
    """Tokens of contents and arguments by the embedded base's tokenizer; 0 where the base isn't made yet."""
    file = base.folder() / "tokenizer.json"
    if not file.exists():
        return 0
    from tokenizers import Tokenizer

    said = [text for row in rows for message in row["messages"] for text in texts_of(message)]
    encoded = Tokenizer.from_file(str(file)).encode_batch_fast(said, add_special_tokens=False)
    return sum(len(each) for each in encoded)


def _as_before(folder: Path, name: str, sha256: str) -> int:
    """The tokens in the lock that is there, where it is of the same bytes."""
    try:
        before = json.loads((folder / NAME).read_text(encoding="utf-8"))[name]
        return before["tokens"] if before["sha256"] == sha256 else 0
    except (OSError, ValueError, LookupError, TypeError):
        return 0


def recipe_hash(folder: Path) -> str:
    """sha256 over the names and bytes of what rows are made of.

    That is a data folder's files but databases and `MADE`, and another folder's that the sample database is made from.
    """
    digest = hashlib.sha256()
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    if "recipe.yml" in files and _SAMPLE.search(files["recipe.yml"].read_text(encoding="utf-8")):
        files |= {f"sample/{path.name}": path for path in (sampledb.DDL, sampledb.PARTS) if path.name not in files}
    for name, path in files.items():
        if name not in MADE and path.suffix != ".db" and "/." not in f"/{name}":
            digest.update(f"{name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def is_current(folder: Path) -> bool:
    """Whether the built files are those that the lock names and the recipe is the one that made them."""
    try:
        written = json.loads((folder / NAME).read_text(encoding="utf-8"))
        built = all(sha256(folder / f"{each}.jsonl") == written[each]["sha256"] for each in ("train", "eval"))
        return built and written["recipe_sha256"] == recipe_hash(folder)
    except (OSError, ValueError, LookupError, TypeError):
        return False
