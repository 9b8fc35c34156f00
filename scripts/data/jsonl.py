"""JSONL, read row by row: every line is a row (an object) or a Problem that says what is wrong with it.

A file of any size streams: one line is in memory at a time, and a line longer than MAX_LINE is skipped.
Stricter than `json.loads` where a reader further on would differ or break: duplicate keys, NaN and
Infinity, numbers too large for a float, lone surrogates, a byte-order mark.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path

from scripts.errors import Problem
from scripts.paths import shown

MAX_LINE = 4 * 1024 * 1024  # bytes


def read(path: Path) -> Iterator[tuple[int, dict] | Problem]:
    """(line number from 1, row) or a Problem, line after line; an unreadable file raises OSError."""
    file = shown(path)
    for number, raw in lines(path):
        try:
            yield number, parse(raw)
        except ValueError as error:
            yield problem(file, number, raw, error)


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """(line number, bytes); a line over MAX_LINE comes back cut just past the limit, its rest is skipped."""
    with open(path, "rb") as stream:
        number = 0
        while raw := stream.readline(MAX_LINE + 1):
            number += 1
            yield number, raw
            while len(raw) > MAX_LINE and not raw.endswith(b"\n"):
                raw = stream.readline(MAX_LINE + 1)


def parse(raw: bytes) -> dict:
    """The row of one line; ValueError says what is wrong."""
    if len(raw) > MAX_LINE:
        raise ValueError(f"longer than {MAX_LINE // 1024 // 1024} MB")
    row = value(str(raw, "utf-8"))
    if type(row) is not dict:
        raise ValueError(f"not a JSON object but {_NAMES.get(type(row), 'null')}")
    return row


def value(text: str) -> object:
    """What any JSON text says, as strictly; ValueError says what is wrong."""
    try:
        found = _DECODER.decode(text)
        if "\\u" in text:
            _no_lone_surrogates(found)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return found


def problem(file: str, line: int, raw: bytes, error: ValueError) -> Problem:
    """What `parse` raised, as a Problem with its column."""
    if not raw.strip():
        return Problem(file, line, 0, "", "empty line")
    if isinstance(error, UnicodeDecodeError):
        return Problem(file, line, error.start + 1, "", f"not UTF-8: byte 0x{raw[error.start]:02x}", "save as UTF-8")
    if raw.startswith(b"\xef\xbb\xbf"):
        return Problem(file, line, 1, "", "starts with a byte-order mark", "save as UTF-8 without BOM")
    if not isinstance(error, json.JSONDecodeError):
        return Problem(file, line, 0, "$", str(error))
    if not raw.endswith(b"\n") and len(raw) <= MAX_LINE:
        return Problem(file, line, error.colno, "", "the last line is cut off", "the file is incomplete: copy it again")
    return Problem(file, line, error.colno, "", f"not JSON: {error.msg}")


def dump(row: dict) -> str:
    """A row as one line of a file, with its newline."""
    return json.dumps(row, ensure_ascii=False) + "\n"


_NAMES = {list: "a list", str: "a string", int: "a number", float: "a number", bool: "true or false"}


def _object(pairs: list[tuple[str, object]]) -> dict:
    value = dict(pairs)
    if len(value) != len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"duplicate key {next(key for key in keys if keys.count(key) > 1)!r}")
    return value


def _constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is too large for a number")
    return value


def _no_lone_surrogates(found: object) -> None:
    try:
        json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        code = ord(error.object[error.start])
        raise ValueError(f"lone surrogate \\u{code:04x}: half of a character") from None


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)
