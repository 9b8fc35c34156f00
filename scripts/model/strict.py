"""Strict tool calls: a call that its tool's own JSON Schema refuses is never issued.

The tool, not the model, judges what is valid: eleven digits, a day that exists. Where the model opens a call whose
arguments don't fit, the opening of a call is barred and it is asked once more: what it says then is its own next-best
answer. Nothing is written for it, and the evaluation reports how often this happened.
"""

from collections.abc import Callable
from pathlib import Path

from scripts.data.gates import tool_schemas
from scripts.model.toolcall import message_of, strict_json

#: The tools that an adapter may call, beside its weights in a run; copied from its data folder.
NAME = "tools.json"


def judge(run: Path) -> Callable[[str], bool] | None:
    """A function that says whether a generated text may be issued; None for a run without tools."""
    file = run / NAME
    if not file.exists():
        return None
    schemas = tool_schemas(file)

    def allowed(text: str) -> bool:
        calls = [call["function"] for call in message_of(text).get("tool_calls") or []]
        known = all(call["name"] in schemas for call in calls)
        return known and all(schemas[call["name"]].is_valid(strict_json(call["arguments"])) for call in calls)

    return allowed
