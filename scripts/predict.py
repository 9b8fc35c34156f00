"""Answers a file of conversations: each line comes back with `answer`, an assistant message, in order.

Input lines have `messages` that end in a user (or tool) turn. ADAPTER=base asks the base alone.
Run as: make predict ADAPTER=unimed IN=rows.jsonl OUT=answers.jsonl / python -m scripts.predict --adapter …
"""

import json
import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.arguments import add, parser
from scripts.data import jsonl
from scripts.errors import Problem, UserError, main_of
from scripts.files import write_lines
from scripts.paths import shown
from scripts.run import ready

if TYPE_CHECKING:
    from scripts.model.generate import Generator

ROLES = ("system", "user", "assistant", "tool")


def main(argv: Sequence[str]) -> None:
    """Reads everything, refuses what is malformed all at once, answers, writes."""
    options = parser(__doc__)
    add(options, "ADAPTER", "which adapter or stack, or base")
    add(options, "IN", "the conversations, JSON Lines")
    add(options, "OUT", "where the answers go")
    add(options, "PROFILE", "the profile that it was trained under")
    add(options, "BASE", "a folder of outputs/, for ADAPTER=base (default: the profile's, or the only one with runs)")
    arguments = options.parse_args(argv)
    for name in ("in", "out"):
        if not getattr(arguments, name):
            again = "make predict ADAPTER=unimed IN=rows.jsonl OUT=answers.jsonl"
            raise UserError(f"{name.upper()}= is missing", next=again)
    file, out = Path(getattr(arguments, "in")), Path(arguments.out)
    if out.is_dir():
        raise UserError(f"{shown(out)} is a folder", next=f"name a file, such as OUT={shown(out / 'answers.jsonl')}")
    rows = read(file)
    # OUT is opened before the model is loaded: that it can't be written is said before an hour of answers.
    write_lines(out, answered(file, rows, arguments))
    print(f"{arguments.out}: {len(rows)} answers\nnext: look at them, or score held-out rows with make eval")


def read(file: Path) -> dict[int, dict]:
    """The rows of a file by their lines; UserError with every line that is not a conversation."""
    if not file.is_file():
        raise UserError(f"{shown(file)}: no such file")
    rows, problems = {}, []
    for each in jsonl.read(file):
        if isinstance(each, Problem):
            problems.append(each)
        elif found := fault(each[1]):
            problems.append(Problem(shown(file), each[0], 0, *found))
        else:
            rows[each[0]] = each[1]
    if problems or not rows:
        raise UserError("" if problems else f"{shown(file)} has no rows", problems=problems, next="mend these lines")
    return rows


def fault(row: dict) -> tuple[str, str] | None:
    """(path, what is wrong) of the first fault that keeps a row from being answered."""
    messages = row.get("messages")
    if not isinstance(messages, list) or not messages:
        return "$.messages", "a list of messages is needed"
    for index, message in enumerate(messages):
        path = f"$.messages[{index}]"
        if not isinstance(message, dict) or message.get("role") not in ROLES:
            return f"{path}.role", f"one of {', '.join(ROLES)} is needed"
        content = message.get("content")
        if not isinstance(content, str) and not (content is None and message.get("tool_calls")):
            return f"{path}.content", "a text is needed"
        if not _are_calls(message.get("tool_calls") or []):
            return f"{path}.tool_calls", 'a list of {"function": {"name": …, "arguments": …}} is needed'
    if messages[-1]["role"] not in ("user", "tool"):
        return f"$.messages[{len(messages) - 1}].role", "the last turn must be a user's (or a tool's)"
    return None


def _are_calls(calls: object) -> bool:
    if not isinstance(calls, list) or not all(isinstance(call, dict) for call in calls):
        return False
    functions = [call.get("function") for call in calls]
    return all(
        isinstance(each, dict) and isinstance(each.get("name"), str) and isinstance(each.get("arguments"), str | dict)
        for each in functions
    )


def answered(file: Path, rows: dict[int, dict], arguments: Namespace) -> Iterator[str]:
    """The lines of OUT; UserError with every row that is too long for the model."""
    from scripts.model.toolcall import message_of
    from scripts.score.answers import progress

    generator, name = load(arguments.adapter, arguments.profile, arguments.base)
    problems = []
    for line, row in rows.items():
        try:
            generator.prompt(row["messages"])
        except UserError as error:
            problems.append(Problem(shown(file), line, 0, "$.messages", str(error)))
    if problems:
        raise UserError(problems=problems, next="shorten these conversations")
    conversations = [row["messages"] for row in rows.values()]
    texts = generator.answers(conversations, name, done=progress(name, 0, len(rows), time.monotonic()))
    for row, text in zip(rows.values(), texts, strict=True):
        yield json.dumps({**row, "answer": message_of(text)}, ensure_ascii=False) + "\n"


def load(name: str, profile: str = "", base: str = "") -> "tuple[Generator, str]":
    """The model that answers, and what it calls the adapter."""
    from scripts.model.generate import BASE, of_base, of_run

    if name == BASE:
        return of_base(ready.runs_of(base, profile)), name
    run = ready.run(name, profile)
    return of_run(run), run.name


if __name__ == "__main__":
    main_of(main)
