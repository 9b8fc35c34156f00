"""What an answer is worth: one pure function from a row and an answer to named figures.

Which figures a row yields follows from its `expect`; a suite then says which of them count, for which
kinds of row, and where the gate is. Every figure is a yes or no, or a number where higher is better.
"""

import json
import re
from contextlib import suppress
from pathlib import Path

from scripts.score import sql
from scripts.score.portuguese import asked_fields, is_portuguese, plain

NAMES = (
    "tool_call_exact",
    "tool_name",
    "tool_call_drafted",
    "no_call",
    "no_call_drafted",
    "asks_exact",
    "contains",
    "sql_match",
    "number",
    "language",
    "likelihood",
)
Figures = dict[str, bool | float]


def score(row: dict, answer: dict, database: Path | str | None = None) -> Figures:
    """The figures of one answer (an assistant message) to one evaluation row.

    `expect` is one of the kinds in schemas/row; `database`, a SQLite file or a server's URL, is what SQL runs on,
    read-only. A plain sentence ("text" instead of a conversation) is not answered: its answer is {"likelihood":
    1 / perplexity}. `…_drafted` judges what the model itself wrote, where scripts/model/strict.py put something else
    in its place (answer["draft"]).
    """
    if "text" in row:
        return {"likelihood": answer["likelihood"]}
    expect, text = row["expect"], answer.get("content") or ""
    calls = answer.get("tool_calls") or []
    drafted = answer.get("draft", answer).get("tool_calls") or []
    figures: Figures = {}
    if "tool_call" in expect:
        figures |= {
            "tool_call_exact": tool_call_exact(calls, expect["tool_call"]),
            "tool_call_drafted": tool_call_exact(drafted, expect["tool_call"]),
            "tool_name": len(calls) == 1 and _call(calls[0])["name"] == expect["tool_call"]["name"],
        }
    else:
        figures |= {"no_call": not calls, "no_call_drafted": not drafted}
    if "asks" in expect:
        figures["asks_exact"] = not calls and asked_fields(text) == set(expect["asks"])
    if "contains" in expect:
        figures["contains"] = not calls and all(contains(text, part) for part in expect["contains"])
    if "sql" in expect:
        figures["sql_match"] = bool(database) and sql.matches(text, expect["sql"], database)
    if "number" in expect:
        figures["number"] = number_matches(text, expect["number"], expect.get("tolerance", 0.05))
    if "tool_call" not in expect and "sql" not in expect:
        spoken = is_portuguese(text)
        figures |= {} if spoken is None and text else {"language": bool(spoken)}
    return figures


def tool_call_exact(calls: list[dict], want: dict) -> bool:
    """Exactly one call, whose name and parsed arguments equal the wanted ones; "1" is not 1, 1 is not true."""
    if len(calls) != 1:
        return False
    got = _call(calls[0])
    return got["name"] == want["name"] and _canonical(got["arguments"]) == _canonical(want["arguments"])


def _call(call: dict) -> dict:
    function = call.get("function") or {}
    arguments = function.get("arguments")
    with suppress(json.JSONDecodeError):  # a broken string equals no object
        arguments = json.loads(arguments) if isinstance(arguments, str) else arguments
    return {"name": function.get("name"), "arguments": arguments}


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def contains(text: str, part: str) -> bool:
    """Whether a fact stands in a text: case, accents and spacing don't count, every digit of a phone does.

    A fact is never found inside a longer word or number; one that ends in `*` is the beginning of a word.
    """
    digits = re.sub(r"\D", "", part)
    if len(digits) >= 8 and re.fullmatch(r"[\d().+\-\s]+", part):  # a phone; dates and amounts have other marks
        between = r"[().\-\s]*"
        return re.search(rf"(?<!\d)(?:55{between})?{between.join(digits)}(?!\d)", text) is not None
    wanted = re.escape(plain(part.removesuffix("*"))).replace(r"\ ", r"\s*")
    end = "" if part.endswith("*") else r"(?!\w|[.,]\d)"
    return re.search(rf"(?<!\w)(?<!\d[.,]){wanted}{end}", plain(text)) is not None


NUMBER = r"-?\d{1,3}(?:\.\d{3})+(?:,\d+)?|-?\d+(?:[.,]\d+)?"


def number_of(text: str) -> float | None:
    """The number that an answer gives: its first percentage, else what follows its last `=`, else the first number.

    Commas are decimal; `× 100%` inside a formula is no result.
    """
    percentages = re.findall(rf"(?<![×x*]\s)(?<![×x*\d.,])({NUMBER})\s*(?:%|por cento)", text)
    after_equals = re.findall(rf"=\s*(?:R\$\s*)?({NUMBER})", text)
    found = percentages[:1] or after_equals[-1:] or re.findall(NUMBER, text)[:1]
    return _decimal(found[0]) if found else None


def _decimal(written: str) -> float:
    if "," in written or re.fullmatch(r"-?\d{1,3}(\.\d{3})+", written):
        written = written.replace(".", "").replace(",", ".")
    return float(written)


def number_matches(text: str, want: float, tolerance: float) -> bool:
    """Whether the answer's number lies within the tolerance (absolute)."""
    got = number_of(text)
    return got is not None and abs(got - want) <= tolerance + 1e-9


def counted(rows: list[dict], figures: list[Figures], metric: str, kinds: list[str]) -> list[int]:
    """Indices of the rows that a suite's metric counts: those that yield it, of the kinds named (all if none)."""
    return [i for i, row in enumerate(rows) if metric in figures[i] and (not kinds or row.get("kind") in kinds)]
