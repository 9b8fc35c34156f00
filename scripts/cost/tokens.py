"""Tokens of each training row, counted as Axolotl counts them, or estimated as nearly as what is here allows.

Counted: the row is rendered by the config's chat template and split by the base's tokenizer; what is trained is
each answer and the token that ends it. Counting 18,000 rows costs seconds, so the lengths are kept in
outputs/plan/ under the hash of what they were counted from. Without the tokenizer (it comes with the embedded
base) characters are counted, without built rows the lock's totals stand.
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from scripts.config import adapter, profile, schema, template
from scripts.data import jsonl
from scripts.errors import UserError
from scripts.files import write
from scripts.model import base
from scripts.paths import OUTPUTS, ROOT, shown
from scripts.run import repeated

#: A special token of any of the templates; the templates take these apart where a person wrote them.
SPECIAL = re.compile(r"<\|[a-z_]+\|>")
#: Of a turn beside its text, in tokens: where it opens, its role, its end, the newlines (ChatML).
FRAME = 5
#: Characters to a token of the embedded base's tokenizer, in Portuguese with numbers: measured 2.1 to 2.8.
CHARACTERS = 2.2


@dataclass(frozen=True)
class Rows:
    """Per row, in the order of the files: tokens, and those of them that are trained; and how they were found."""

    lengths: Sequence[int]
    trained: Sequence[int]
    how: str
    exact: bool

    @property
    def tokens(self) -> int:
        """All real tokens of one pass."""
        return sum(self.lengths)


def measure(name: str, config: dict) -> Rows:
    """The rows of an adapter under a resolved config; UserError where there is neither data nor a lock."""
    files = [ROOT / each["path"] for each in config["datasets"]]
    tokenizer = tokenizer_file(config)
    if not all(file.exists() for file in files):
        return from_lock(name)
    if tokenizer is None:
        return from_characters(config, files, ratio(name))
    own = profile.base_folder(config) is not None
    lengths, trained = kept(name, config, files, tokenizer)
    how = "counted" if own else "estimated with the embedded base's tokenizer; the base's own is not in the repository"
    return Rows(lengths, trained, how, own)


def tokenizer_file(config: dict) -> Path | None:
    """The base's own tokenizer.json, else the embedded base's, else None."""
    local = profile.base_folder(config)
    found = [folder / "tokenizer.json" for folder in (local, base.folder()) if folder]
    return next((file for file in found if file.exists()), None)


def kept(name: str, config: dict, files: Sequence[Path], tokenizer: Path) -> tuple[list[int], list[int]]:
    """Lengths and trained tokens, from outputs/plan/ where they were counted from the same bytes."""
    text = (ROOT / config["chat_template_jinja"]).read_text(encoding="utf-8")
    contents = [file.read_bytes() for file in files]
    special = json.dumps(config["special_tokens"], sort_keys=True)
    digest = sha256(tokenizer.read_bytes() + text.encode() + special.encode())
    often, longest = config.get("repeated_answers") or 0, config["sequence_len"]
    digest.update(f"{often} {longest}".encode())
    for content in (*contents, Path(__file__).read_bytes(), Path(repeated.__file__).read_bytes()):
        digest.update(sha256(content).digest())
    key, cache = digest.hexdigest(), OUTPUTS / "plan" / f"{profile.base_name(config)}-{name}.json"
    try:
        known = json.loads(cache.read_text(encoding="utf-8"))
        if known["key"] == key:
            return known["lengths"], known["trained"]
    except (OSError, ValueError, LookupError, TypeError):
        pass
    lengths, trained = count(messages(contents, files), text, config["special_tokens"], tokenizer, often, longest)
    write(cache, json.dumps({"key": key, "lengths": lengths, "trained": trained}))
    return lengths, trained


def messages(contents: Iterable[bytes], files: Iterable[Path]) -> list[list[dict]]:
    """The messages of every row; UserError where a line is none."""
    found, valid = [], schema.validator("row").is_valid
    for content, file in zip(contents, files, strict=True):
        for number, line in enumerate(content.splitlines(), 1):
            try:
                row = jsonl.parse(line)
            except ValueError:
                row = {}
            if not valid(row):
                raise UserError(f"{shown(file)}:{number}: not a training row", next="make check")
            found.append(row["messages"])
    return found


def count(
    rows: Sequence[list[dict]], text: str, special: dict, tokenizer: Path, often: int = 0, longest: int = sys.maxsize
) -> tuple[list[int], list[int]]:
    """Tokens and trained tokens of each row; what is cut of answers that end at least `often` rows does not count.

    Rows over `longest` tokens are no rows for Axolotl. A special token is one token and ends a piece of text; pieces
    repeat, so each is split once.
    """
    end = special.get("eos_token", "")
    opening = template.render(text, [], special | {"bos_token": ""}, prompt=True)
    rendered = [template.render(text, each, special) for each in rows]
    pieces = [SPECIAL.split(each) for each in rendered]
    answers = [
        [part.split(end, 1)[0] for part, taught in zip(each.split(opening)[1:], learned(row), strict=True) if taught]
        for each, row in zip(rendered, rows, strict=True)
    ]
    sizes = sizes_of({piece for group in (*pieces, *answers) for piece in group}, tokenizer)
    lengths = [sum(sizes[piece] for piece in each) + len(each) - 1 for each in pieces]
    trained = [sum(sizes[answer] + 1 for answer in each) for each in answers]
    if not often:
        return lengths, trained
    last = [each[-1] if each and whole <= longest else None for each, whole in zip(answers, lengths, strict=True)]
    known = {answer for answer, rows in Counter(last).items() if answer is not None and rows >= often}
    ids = dict(zip(known, split(known, tokenizer, end), strict=True))
    keep = repeated.decided(dict.fromkeys(ids.values(), often), often)
    after = [sizes[each[-1]] for each in pieces]
    cut = [repeated.used(*each, keep) for each in zip(lengths, map(ids.get, last), after, strict=True)]
    lost = [max(0, whole - rest - short) for whole, rest, short in zip(lengths, after, cut, strict=True)]
    return cut, [whole - less for whole, less in zip(trained, lost, strict=True)]


def learned(row: Iterable[dict]) -> list[bool]:
    """Of each assistant's turn whether it is trained."""
    return [turn.get("train", True) for turn in row if turn["role"] == "assistant"]


def sizes_of(pieces: set[str], tokenizer: Path) -> dict[str, int]:
    """Tokens of each piece."""
    from tokenizers import Tokenizer

    ordered = sorted(pieces)
    encoded = Tokenizer.from_file(str(tokenizer)).encode_batch_fast(ordered, add_special_tokens=False)
    return dict(zip(ordered, map(len, encoded), strict=True))


def split(answers: Iterable[str], tokenizer: Path, end: str) -> list[tuple[int, ...]]:
    """Token ids of each answer and of the token that ends it."""
    from tokenizers import Tokenizer

    made = Tokenizer.from_file(str(tokenizer))
    return [tuple(made.encode(each + end, add_special_tokens=False).ids) for each in answers]


def from_characters(config: dict, files: Sequence[Path], characters: float) -> Rows:
    """Estimates each row by its characters, without a tokenizer."""
    text = (ROOT / config["chat_template_jinja"]).read_text(encoding="utf-8")

    def size(piece: str) -> int:
        return round(len(piece) / characters)

    rows = messages([file.read_bytes() for file in files], files)
    rendered = [template.render(text, each, config["special_tokens"]) for each in rows]
    lengths = [size(SPECIAL.sub("", each)) + len(SPECIAL.findall(each)) for each in rendered]
    trained = [answered(each, size) for each in rows]
    return Rows(lengths, trained, "estimated from characters; make base brings a tokenizer", False)


def answered(row: list[dict], size: Callable[[str], int]) -> int:
    """Estimated tokens of a row's answers and calls."""
    answers = [each for each in row if each["role"] == "assistant" and each.get("train", True)]
    return sum(size((each.get("content") or "") + json.dumps(each.get("tool_calls") or "")) for each in answers)


def from_lock(name: str) -> Rows:
    """Mean lengths out of data.lock.json, where the rows are not built."""
    written = lock(name).get("train", {})
    if not written:
        folder = shown(adapter.data_of(name))
        raise UserError(f"{folder}: neither rows nor data.lock.json", next=f"make dataset ADAPTER={name}")
    total = written.get("tokens") or round(written["characters"] / CHARACTERS)
    rows, turns = written["rows"], written["turns"]
    mean = round((total + FRAME * turns) / rows)
    how = f"estimated from data.lock.json; make dataset ADAPTER={name} builds the rows"
    return Rows([mean] * rows, [mean // 2] * rows, how, False)


def lock(name: str) -> dict:
    """datasets/<name>/data.lock.json; empty where there is none."""
    try:
        return json.loads((adapter.data_of(name) / "data.lock.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def ratio(name: str) -> float:
    """Characters to a token, as the lock has them."""
    written = lock(name).get("train", {})
    return written["characters"] / written["tokens"] if written.get("tokens") else CHARACTERS
