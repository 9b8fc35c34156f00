"""A chat request as OpenAI's clients send it, checked as a whole and brought into the form that training rows have.

What this server would ignore silently is refused instead, unless it is a field of OpenAI's that changes no answer here.
"""

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jsonschema_rs

from scripts.model.toolcall import canonical, strict_json


class BadRequest(Exception):
    """What is wrong with a request, and which field."""

    def __init__(self, message: str, field: str = ""):
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class ChatRequest:
    """A request that is right in itself; whether its model exists and its prompt fits is for others to say."""

    model: str
    messages: list[dict]
    options: dict
    weights: dict[str, float] | None
    stream: bool
    usage: bool
    calls: bool
    execute: bool
    conversation: str


def parse(body: bytes) -> ChatRequest:
    """The request in these bytes; BadRequest says what is wrong with it."""
    try:
        value = strict_json(body.decode("utf-8"))
        canonical(value)
    except RecursionError:
        raise BadRequest("nested too deeply") from None
    except ValueError as error:
        raise BadRequest(f"not JSON: {_short(error)}") from None
    for error in _schema().iter_errors(value):
        field = ".".join(str(part) for part in error.instance_path)
        raise BadRequest(_short(error.message), field)
    options = {
        "n_predict": value.get("max_completion_tokens") or value.get("max_tokens") or 512,
        "temperature": value.get("temperature") or 0,
        "top_p": value.get("top_p") or 1,
        "stop": _stops(value.get("stop")),
        **{key: value[key] for key in ("seed", "presence_penalty", "frequency_penalty") if value.get(key) is not None},
    }
    return ChatRequest(
        model=value["model"],
        messages=[_message(message, index) for index, message in enumerate(value["messages"])],
        options={key: option for key, option in options.items() if option is not None},
        weights=value.get("weights"),
        stream=bool(value.get("stream")),
        usage=bool((value.get("stream_options") or {}).get("include_usage")),
        calls=value.get("tool_choice") != "none",
        execute=bool(value.get("execute_tools")),
        conversation=value.get("conversation") or "",
    )


@cache
def _schema():
    text = Path(__file__).with_name("request.schema.json").read_text(encoding="utf-8")
    return jsonschema_rs.validator_for(json.loads(text))


def _message(message: dict, index: int) -> dict:
    content = message.get("content")
    if isinstance(content, list):
        content = "".join(part["text"] for part in content)
    calls = [
        _call(call, f"messages.{index}.tool_calls.{at}") for at, call in enumerate(message.get("tool_calls") or [])
    ]
    if content is None and not calls:
        raise BadRequest("a message needs content or tool_calls", f"messages.{index}")
    role = "system" if message["role"] == "developer" else message["role"]
    return {"role": role, "content": content} | ({"tool_calls": calls} if calls else {})


def _call(call: dict, field: str) -> dict:
    function = call["function"]
    try:
        arguments = strict_json(function["arguments"])
        if not isinstance(arguments, dict):
            raise ValueError("not an object")
        text = canonical(arguments)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"arguments are not a JSON object: {_short(error)}", f"{field}.function.arguments") from None
    # The chat templates write arguments as they are: special tokens inside become JSON escapes of the same string.
    text = re.sub(r"<(?=\||/?tool_)", r"\\u003c", text)
    return {"type": "function", "function": {"name": function["name"], "arguments": text}}


def _stops(stop: object) -> list[str] | None:
    return [stop] if isinstance(stop, str) else stop


def _short(error: object) -> str:
    text = str(error)
    return text if len(text) <= 200 else text[:200] + "…"
