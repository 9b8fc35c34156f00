"""The tool-call parser: exact on calls, content for everything else, linear, and it never raises."""

import json
import random
import time

import jinja2
import pytest

from scripts.model.toolcall import CLOSE, OPEN, canonical, message_of, text_of
from scripts.paths import TEMPLATES

CALL = '<tool_call>\n{"name": "unimed_consult", "arguments": {"cpf": "12345678901"}}\n</tool_call>'
FUNCTION = {"type": "function", "function": {"name": "unimed_consult", "arguments": '{"cpf": "12345678901"}'}}


def test_a_call_is_a_message_without_content():
    assert message_of(CALL) == {"role": "assistant", "content": None, "tool_calls": [FUNCTION]}


def test_words_before_a_call_are_its_content_and_several_calls_keep_their_order():
    other = CALL.replace("12345678901", "10987654321")
    message = message_of(f"Um momento.\n{CALL}\n{other}\n")
    assert message["content"] == "Um momento."
    assert [json.loads(call["function"]["arguments"])["cpf"] for call in message["tool_calls"]] == [
        "12345678901",
        "10987654321",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Olá!",
        CALL + " e mais",  # a call that does not end the turn
        CALL[:-3],
        CALL.replace("}}", "}"),
        CALL.replace('"name"', '"nome"'),
        CALL.replace('{"cpf": "12345678901"}', '"{}"'),
        CALL.replace('{"cpf": "12345678901"}', '{"cpf": "1", "cpf": "2"}'),
        CALL.replace('"12345678901"', "NaN"),
        CALL.replace('"12345678901"', "1e999"),
        CALL.replace('"12345678901"', '"\\ud800"'),
        CALL.replace('"12345678901"', "9" * 5000),
        CALL.replace('"12345678901"', "[" * 100_000 + "]" * 100_000),
        CALL.replace("unimed_consult", "../x"),
        CALL.replace('"name": "unimed_consult", ', ""),
        CALL.replace('{"name"', '{"id": 1, "name"'),
    ],
)
def test_what_is_not_exactly_a_call_stays_content(text):
    assert message_of(text) == {"role": "assistant", "content": text}


@pytest.mark.parametrize(
    "arguments", [{"q": "</tool_call>"}, {"q": "<tool_call>\n{}"}, {"ç": ["á", 1.5, None, {}]}, {}]
)
def test_arguments_come_back_as_they_went(arguments):
    calls = [{"type": "function", "function": {"name": "f", "arguments": canonical(arguments)}}]
    for content in (None, "Certo.", "linhas\n\n", " "):
        message = {"role": "assistant", "content": content, "tool_calls": calls}
        assert message_of(text_of(message)) == message


@pytest.mark.parametrize("template,end", [("chatml", "<|im_end|>\n"), ("llama3", "<|eot_id|>")])
def test_text_of_is_what_the_chat_templates_render(template, end):
    chat = jinja2.Environment().from_string((TEMPLATES / f"{template}.jinja").read_text())
    for text in ("Olá!", CALL, f"Um momento.\n{CALL}\n{CALL}"):
        rendered = chat.render(messages=[message_of(text)], bos_token="")
        assert rendered.endswith("\n" + text + end) and text_of(message_of(text)) == text


def fuzzed(rng: random.Random) -> str:
    """A turn of pieces of calls in any order, cut or with one character changed."""
    pieces = [
        OPEN,
        CLOSE,
        "\n",
        CALL,
        '{"name": "f", "arguments": ',
        "{}",
        "}",
        '"',
        "\\",
        "é😀",
        "\ud800",
        "[",
        " ",
        "0",
    ]
    text = "".join(rng.choice(pieces) for _ in range(rng.randrange(12)))
    if text and rng.random() < 0.5:
        at = rng.randrange(len(text))
        text = text[:at] + chr(rng.randrange(0x3000)) + text[at + rng.randrange(2) :]
    return text


def test_a_hundred_thousand_fuzzed_texts_never_raise_and_come_back_the_same():
    rng, calls = random.Random(6), 0
    for _ in range(100_000):
        message = message_of(fuzzed(rng))
        calls += "tool_calls" in message
        assert message_of(text_of(message)) == message
    assert calls > 1000


@pytest.mark.parametrize(
    "unit", [OPEN, CLOSE, OPEN + CLOSE, OPEN + '{"a": "', CALL, CALL + "x" + OPEN, " " + CLOSE, "\n", "{"]
)
def test_time_is_linear(unit):
    def seconds(characters: int) -> float:
        text = unit * (characters // len(unit))
        started = time.process_time()
        message_of(text)
        return time.process_time() - started

    small, large = (min(seconds(n) for _ in range(3)) for n in (200_000, 1_600_000))
    assert large < 24 * max(small, 0.002)  # 8 times the text; quadratic would be 64
