"""What every row must pass before anything is trained or evaluated on it; all bad rows are found at once.

A row fits schemas/row.schema.json, its roles are in order, its tool calls fit the tool's own JSON Schema,
it shows nobody's identifiers and no special tokens, and no evaluation row repeats a training row.
Rows stream; only the evaluation side is kept in memory.
"""

import json
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from scripts.data import jsonl
from scripts.data.conversation import roles, said, strings
from scripts.data.identifiers import Allowed, found, masked, unescaped
from scripts.data.similarity import Index
from scripts.errors import Problem, UserError
from scripts.paths import DATASETS, SCHEMAS, shown

LIMIT = 1_000  # problems kept of one file
SPECIAL = re.compile(r"<\|[\w▁｜]+\|>|</?(?:s|tool_call|tool_response|tools)>|\[/?INST\]|<</?SYS>>")


def check_rows(
    train: Sequence[Path],
    evaluation: Sequence[Path] = (),
    *,
    tools: Path | None = None,
    allow: Sequence[str] = (),
) -> list[Problem]:
    """Every problem of these files, in order; without `tools` no tool may be called."""
    gate = Gate(tools, allow)
    questions: list[tuple[str, int, str]] = []
    problems: list[Problem] = []
    for file in evaluation:
        problems += capped(gate.file(file, evaluation=True, questions=questions), shown(file))
    leaks = _Leaks(questions)
    for file in train:
        problems += capped(gate.file(file, leaks=leaks), shown(file))
    return problems + capped(leaks.problems(), "")


def check_adapter(adapter: str) -> list[Problem]:
    """`check_rows` of datasets/<adapter>/ with its own tools.json and allow.txt."""
    folder = DATASETS / adapter
    evaluation = sorted(folder.glob("eval*.jsonl"))
    train = sorted({*folder.glob("*.jsonl"), *folder.glob("rows/*.jsonl")} - set(evaluation))
    empty = [Problem(shown(file), 1, 0, "", "no rows yet: one conversation a line") for file in train if is_empty(file)]
    return empty + check_rows(train, evaluation, **gates_of(folder))


def is_empty(file: Path) -> bool:
    """Whether a file has no bytes at all."""
    return not file.stat().st_size


def gates_of(folder: Path) -> dict:
    """The `tools` and the `allow` list of a data folder, as `Gate` and `check_rows` take them."""
    tools, allow = folder / "tools.json", folder / "allow.txt"
    allowed = allow.read_text(encoding="utf-8").splitlines() if allow.exists() else []
    return {"tools": tools if tools.exists() else None, "allow": allowed}


def allowed_of(adapter: str) -> list[str]:
    """The lines of datasets/<adapter>/allow.txt: phones and e-mails that rows may show."""
    return gates_of(DATASETS / adapter)["allow"]


def capped(problems: Iterator[Problem] | Sequence[Problem], file: str, limit: int = LIMIT) -> list[Problem]:
    """The first `limit` problems and one that counts the rest."""
    kept, more, last = [], 0, 0
    for problem in problems:
        if len(kept) < limit:
            kept.append(problem)
        else:
            more, last = more + 1, problem.line
    if more:
        kept.append(Problem(file or kept[-1].file, last, 0, "", f"and {more} more problems up to this line"))
    return kept


class Gate:
    """The checks on one row, compiled once for one adapter."""

    def __init__(self, tools: Path | None = None, allow: Sequence[str] = ()):
        self.schema = _row_schema()
        self.tools = tool_schemas(tools) if tools else {}
        self.allowed = Allowed(allow)

    def file(
        self, path: Path, evaluation: bool = False, questions: list | None = None, leaks=None
    ) -> Iterator[Problem]:
        """Problems of one file's rows; what users say is added to `questions` or looked up in `leaks`."""
        file = shown(path)
        try:
            for line, raw in jsonl.lines(path):
                try:
                    row = jsonl.parse(raw)
                except ValueError as error:
                    yield jsonl.problem(file, line, raw, error)
                    continue
                bad = list(self.row(row, str(raw, "utf-8"), evaluation))
                yield from (Problem(file, line, 0, where, message) for where, message in bad)
                if not bad and questions is not None:
                    questions.append((file, line, said(row)))
                elif not bad and leaks is not None:
                    leaks.look(file, line, row)
        except OSError as error:
            yield Problem(file, 0, 0, "", error.strerror or str(error))

    def row(self, row: dict, text: str = "", evaluation: bool = False) -> Iterator[tuple[str, str]]:
        """(JSONPath, message) of each problem of one row; `text` is its line, to look at first."""
        if not self.schema.is_valid(row):
            yield from _schema_errors(self.schema, row, "$")
            return
        yield from roles(row, evaluation)
        if "tool_calls" in text or not text:
            for index, message in enumerate(row["messages"]):
                yield from self.calls(message, f"$.messages[{index}]")
        if not text or "\\u" in text:
            text = json.dumps(row, ensure_ascii=False)
        if _suspect(unescaped(text), self.allowed):
            for where, value in strings(row):
                yield from self.text(where, value)

    def text(self, where: str, value: str) -> Iterator[tuple[str, str]]:
        """Identifiers and special tokens in one string."""
        for kind, what in dict.fromkeys(found(value, self.allowed)):
            why = (
                "is not on the allow-list"
                if kind in ("phone", "e-mail")
                else "passes its check digits, so it can be somebody's"
            )
            yield where, f"{kind} {masked(what)} {why}"
        for token in dict.fromkeys(SPECIAL.findall(value)):
            yield where, f"special token {token} in text"

    def calls(self, message: dict, where: str) -> Iterator[tuple[str, str]]:
        """Tool calls that name no tool or whose arguments don't fit it."""
        for index, call in enumerate(message.get("tool_calls", ())):
            at = f"{where}.tool_calls[{index}].function"
            name = call["function"]["name"]
            if name not in self.tools:
                known = f"there are: {', '.join(self.tools)}" if self.tools else "this adapter has no tools.json"
                yield f"{at}.name", f"no tool {name!r}; {known}"
                continue
            try:
                arguments = jsonl.parse(call["function"]["arguments"].encode())
            except ValueError as error:
                yield f"{at}.arguments", f"arguments must be a JSON object in a string: {error}"
                continue
            # What is not trained may be a call that the tool refused.
            if message.get("train", True) and not self.tools[name].is_valid(arguments):
                yield from _schema_errors(self.tools[name], arguments, f"{at}.arguments")


def tool_schemas(file: Path) -> dict:
    """Tool name -> compiled validator of its arguments; UserError when the file is no list of tools."""
    import jsonschema_rs

    try:
        tools = json.loads(file.read_text(encoding="utf-8"))
        parameters = {tool["function"]["name"]: tool["function"]["parameters"] for tool in tools}
        return {name: jsonschema_rs.validator_for(schema) for name, schema in parameters.items()}
    except OSError as error:
        raise UserError(f"{shown(file)}: {error.strerror}") from None
    except json.JSONDecodeError as error:
        raise UserError(
            problems=[Problem(shown(file), error.lineno, error.colno, "", f"not JSON: {error.msg}")]
        ) from None
    except (KeyError, TypeError, ValueError) as error:
        message = f"not a list of OpenAI tools: {type(error).__name__} {str(error)[:200]}"
        raise UserError(problems=[Problem(shown(file), 1, 0, "$", message)]) from None


class _Leaks:
    """Which evaluation row repeats which training row, and how nearly."""

    def __init__(self, questions: list[tuple[str, int, str]]):
        self.questions = questions
        self.index = Index(text for _, _, text in questions)
        self.best: dict[int, tuple[float, str, int]] = {}

    def look(self, file: str, line: int, row: dict) -> None:
        if self.questions:
            for position, value in self.index.matches(said(row)):
                if value > self.best.get(position, (0.0,))[0]:
                    self.best[position] = (value, file, line)

    def problems(self) -> Iterator[Problem]:
        for position, (value, file, line) in sorted(self.best.items()):
            how = "the same question as" if value == 1 else f"a near-duplicate (Jaccard {value:.2f}) of"
            message = f"{how} the training row {file}:{line}"
            yield Problem(*self.questions[position][:2], 0, "$.messages", message, "take one of the two out")


def _suspect(text: str, allowed: Allowed) -> bool:
    """A quick look at the whole line: is there anything for the careful one to find?"""
    token = ("<" in text or "INST]" in text) and SPECIAL.search(text)
    return bool(token) or next(found(text, allowed), None) is not None


@cache
def _row_schema():
    import jsonschema_rs

    return jsonschema_rs.validator_for(json.loads((SCHEMAS / "row.schema.json").read_text(encoding="utf-8")))


def _schema_errors(validator, value: object, where: str) -> Iterator[tuple[str, str]]:
    for error in validator.iter_errors(value):
        path = "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in error.instance_path)
        message = re.sub(r"\d{6,}", lambda digits: masked(digits[0]), error.message)
        message = message if len(message) <= 160 else f"{message[:80]} … {message[-60:]}"
        if message.endswith('does not match "\\S"'):
            message = "is empty"
        if error.instance_path and error.instance_path[0] == "expect" and "oneOf" in error.message:
            message = "must be exactly one of tool_call, asks, no_call, contains, sql, number"
        yield where + path, message
