"""Answers a file of conversations: each line comes back with `answer`, an assistant message, in order.

Input lines have `messages` that end in a user (or tool) turn. ADAPTER=base asks the base alone.
Run as: make predict ADAPTER=unimed IN=rows.jsonl OUT=answers.jsonl / python -m scripts.predict --adapter …
"""

import json
import time
from collections.abc import Sequence
from pathlib import Path

from scripts.arguments import add, parser
from scripts.data import jsonl
from scripts.errors import Problem, UserError, main_of
from scripts.files import write_lines
from scripts.paths import shown
from scripts.run import ready

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
    rows = read(Path(getattr(arguments, "in")))
    texts = answer(arguments.adapter, arguments.profile, [row["messages"] for row in rows], arguments.base)
    from scripts.model.toolcall import message_of

    answered = ({**row, "answer": message_of(text)} for row, text in zip(rows, texts, strict=True))
    write_lines(Path(arguments.out), (json.dumps(each, ensure_ascii=False) + "\n" for each in answered))
    print(f"{arguments.out}: {len(rows)} answers\nnext: look at them, or score held-out rows with make eval")


def read(file: Path) -> list[dict]:
    """The rows of a file; UserError with every line that is not a conversation."""
    if not file.is_file():
        raise UserError(f"{shown(file)}: no such file")
    rows, problems = [], []
    for each in jsonl.read(file):
        if isinstance(each, Problem):
            problems.append(each)
        elif found := fault(each[1]):
            problems.append(Problem(shown(file), each[0], 0, *found))
        else:
            rows.append(each[1])
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


def answer(name: str, profile: str, conversations: list[list[dict]], base: str = "") -> list[str]:
    """Texts of one model, with a progress line on stderr."""
    from scripts.model.generate import BASE, of_base, of_run
    from scripts.score.answers import progress

    if name == BASE:
        generator = of_base(ready.runs_of(base, profile))
    else:
        run = ready.run(name, profile)
        generator, name = of_run(run), run.name
    return generator.answers(conversations, name, done=progress(name, 0, len(conversations), time.monotonic()))


if __name__ == "__main__":
    main_of(main)
