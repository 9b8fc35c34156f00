"""The shape of a conversation: the order of its roles, its strings with their paths, what the user says in it."""

from collections.abc import Iterator

_AFTER = {"": "su", "s": "u", "u": "ac", "a": "u", "c": "t", "t": "tac"}
_NAMES = {"s": "system", "u": "user", "a": "assistant", "c": "assistant with tool_calls", "t": "tool"}


def roles(row: dict, evaluation: bool) -> Iterator[tuple[str, str]]:
    """Roles out of order, results without a call, calls without a result, and a wrong end."""
    messages = row["messages"]
    if not messages[-1].get("train", True):
        yield f"$.messages[{len(messages) - 1}].train", "a row ends in a turn that is learned"
    letters = "".join("c" if "tool_calls" in each else each["role"][0] for each in messages)
    if (letters in ("ua", "uc", "uaua") and not evaluation and "expect" not in row) or (
        letters == "u" and evaluation and "expect" in row
    ):
        return
    before = ""
    for index, letter in enumerate(letters):
        where = f"$.messages[{index}]"
        if letter == "t" and before not in ("c", "t"):
            yield where, "tool result without a tool call before it"
        elif letter not in _AFTER[before]:
            wanted = " or ".join(_NAMES[each] for each in _AFTER[before] if each != "t" or before == "c")
            after = f"after {_NAMES[before]}" if before else "first"
            same = " (join the two into one message)" if letter == before else ""
            yield f"{where}.role", f"{_NAMES[letter]} out of order: {after} comes {wanted}{same}"
        before = letter
    yield from _results(messages)
    if evaluation:
        if letters[-1] not in "ut":
            yield f"$.messages[{len(letters) - 1}]", "an evaluation row ends in a user or tool turn"
        if "expect" not in row:
            yield "$", "an evaluation row needs `expect`"
    else:
        if letters[-1] not in "ac":
            yield (
                f"$.messages[{len(letters) - 1}]",
                f"a training row ends in an assistant turn, not in {_NAMES[letters[-1]]}",
            )
        if "expect" in row:
            yield "$.expect", "belongs to evaluation rows"


def _results(messages: list[dict]) -> Iterator[tuple[str, str]]:
    """Each call has one result, in the turns right after it; ids, where given, belong together."""
    for index, message in enumerate(messages):
        calls = message.get("tool_calls", ())
        after = index + 1
        while calls and after < len(messages) and messages[after]["role"] == "tool":
            after += 1
        results = messages[index + 1 : after] if calls else []
        if results and len(results) != len(calls):
            yield f"$.messages[{after - 1}]", f"{len(results)} tool results for {len(calls)} tool calls"
        ids = {call.get("id") for call in calls}
        for position, result in enumerate(results, index + 1):
            if result.get("tool_call_id", None) not in ids | {None}:
                yield (
                    f"$.messages[{position}].tool_call_id",
                    f"no tool call before it has the id {result['tool_call_id']!r}",
                )


def strings(value: object, where: str = "$") -> Iterator[tuple[str, str]]:
    """(JSONPath, text) of every string in a row, keys excepted."""
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from strings(inner, f"{where}.{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from strings(inner, f"{where}[{index}]")


def said(row: dict) -> str:
    """What the user says in a row, turn after turn."""
    return "\n".join(message["content"] for message in row["messages"] if message["role"] == "user")
