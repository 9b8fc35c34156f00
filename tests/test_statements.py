"""What users state, in conversations written without a look at the rules, the rows or the patterns."""

import json
from pathlib import Path

from scripts.model import strict
from scripts.model.toolcall import message_of, strict_json
from scripts.paths import DATASETS

ROWS = Path(__file__).parent / "serve_data" / "stated.jsonl"


def messages_of(turns: list[str]) -> list[dict]:
    """`A: ` begins what the attendant said."""
    return [
        {"role": "assistant", "content": turn[3:]} if turn.startswith("A: ") else {"role": "user", "content": turn}
        for turn in turns
    ]


def understood(judge: strict.Judge, row: dict) -> bool:
    """Whether a call is due where it should be, and none but the right one can be made of what was stated."""
    messages = messages_of(row["turns"])
    calls = [message_of(text)["tool_calls"] for text in judge.choices("<tool_call>\n{", messages)]
    made = [strict_json(call["function"]["arguments"]) for each in calls for call in each]
    due = judge.due(messages)
    if row["kind"] == "call":
        return due and made == [{"cpf": row["cpf"], "data_nascimento": row["birth"]}]
    if row["kind"].startswith("bad"):
        return due and not made
    return not due if row["kind"] == "no_call" else not made


def test_conversations_are_understood_as_they_were_meant():
    """`open` marks those that are not yet: one that comes to be understood, or no longer is, changes its mark."""
    judge = strict.judge(DATASETS / "unimed-attendant")
    rows = [json.loads(line) for line in ROWS.read_text(encoding="utf-8").splitlines()]
    assert [row for row in rows if understood(judge, row) is bool(row.get("open"))] == []
    calls = [row for row in rows if row["kind"] == "call"]
    assert sum("open" in row for row in calls) <= 0.04 * len(calls) and len(calls) >= 300
