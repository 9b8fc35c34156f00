"""Tool calls in generated text: `<tool_call>\\n{"name": …, "arguments": {…}}\\n</tool_call>`, as our templates say.

A call counts only at the end of a turn, where the templates put it; calls that follow each other all count.
Whatever does not parse to exactly a name and an object of arguments stays content, so that nothing is lost and
nothing is guessed: duplicate keys, NaN, lone surrogates and unknown keys make a call malformed.
"""

import json
import math
import re

OPEN, CLOSE = "<tool_call>", "</tool_call>"
_SPACE = " \t\r\n"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def message_of(text: str) -> dict:
    """The assistant message of a generated turn. Never raises; time linear in the text."""
    calls, end = [], len(text)
    while call := _last_call(text, end):
        function, end = call
        calls.append({"type": "function", "function": function})
    if not calls:
        return {"role": "assistant", "content": text}
    content = text[:end].removesuffix("\n") or None
    return {"role": "assistant", "content": content, "tool_calls": calls[::-1]}


def text_of(message: dict) -> str:
    """The turn that reads back as this message: what the chat templates render for it."""
    parts = [message["content"]] if message.get("content") else []
    for call in message.get("tool_calls") or []:
        function = call["function"]
        arguments = escaped(function["arguments"])
        parts.append(f'{OPEN}\n{{"name": "{function["name"]}", "arguments": {arguments}}}\n{CLOSE}')
    return "\n".join(parts)


def escaped(arguments: str) -> str:
    """Arguments that hold no special token: "<" stands only inside JSON strings."""
    return arguments.replace("<", r"\u003c")


def canonical(arguments: object) -> str:
    """Arguments as rows carry them: JSON, Python's separators, UTF-8 as it is. ValueError where JSON has no form."""
    text = json.dumps(arguments, ensure_ascii=False, allow_nan=False)
    text.encode("utf-8")  # a lone surrogate raises UnicodeEncodeError, a ValueError
    return text


def strict_json(text: str) -> object:
    """JSON without what readers differ on: duplicate keys, NaN, overflow. ValueError or RecursionError otherwise."""
    return json.loads(text, object_pairs_hook=_object, parse_constant=_refuse, parse_float=_finite)


def _last_call(text: str, end: int) -> tuple[dict, int] | None:
    while end and text[end - 1] in _SPACE:
        end -= 1
    if not text.endswith(CLOSE, 0, end):
        return None
    start = text.rfind(OPEN, 0, end - len(CLOSE))
    if start < 0:
        return None
    try:
        call = strict_json(text[start + len(OPEN) : end - len(CLOSE)])
        if not isinstance(call, dict) or call.keys() != {"name", "arguments"}:
            return None
        name, arguments = call["name"], call["arguments"]
        if not isinstance(name, str) or not _NAME.fullmatch(name) or not isinstance(arguments, dict):
            return None
        return {"name": name, "arguments": canonical(arguments)}, start
    except (ValueError, RecursionError):
        return None


def _object(pairs: list[tuple[str, object]]) -> dict:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("duplicate key")
    return value


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits} is too large")
    return value
