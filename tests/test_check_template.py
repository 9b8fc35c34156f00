# ruff: noqa: E501 (tables of examples)
"""Chat templates looked at: what trains too little, too much, or would never end."""

import time

import pytest

from scripts.config import template
from scripts.paths import TEMPLATES

CHATML = (TEMPLATES / "chatml.jinja").read_text(encoding="utf-8")
END = {"eos_token": "<|im_end|>"}
OURS = {"chatml": END, "llama3": {"eos_token": "<|eot_id|>", "bos_token": "<|begin_of_text|>"}}


@pytest.mark.parametrize("name", OURS)
def test_our_templates_are_right(name):
    assert template.problems((TEMPLATES / f"{name}.jinja").read_text(encoding="utf-8"), OURS[name]) == []


def changed(old: str, new: str) -> str:
    assert old in CHATML
    return CHATML.replace(old, new)


WRONG = {
    "drops an assistant's answer": changed("plain(message.content) -}}\n{%- for call", "('' if message.role == 'assistant' else plain(message.content)) -}}\n{%- for call"),
    "drops a tool call, or changes its arguments": changed("message.tool_calls or []", "[]"),
    "drops a tool's result": changed("plain(message.content) ~ '\\n</tool_response>", "'\\n</tool_response>"),
    "does not end an answer with eos_token <|im_end|>, so generation would not stop": changed("{{- '<|im_end|>\\n' -}}\n{%- endif", "{{- '\\n' -}}\n{%- endif"),
    "opens an answer at generation otherwise than in training": changed("{{- '<|im_start|>assistant\\n' -}}", "{{- '<|im_start|>assistant: ' -}}"),
    "adds text that no row contains: 'You are Qwen": "<|im_start|>system\nYou are Qwen.<|im_end|>\n" + CHATML,
    "lets a user's text open a turn": changed(" | replace('<|', '< |')", ""),
    "rendering fails on a tool call or an empty content": changed("(value or '')", "(value | length)"),
    "writes None where a message has no content": changed("(value or '')", "value"),
    "not a template": "{% for message in messages %}{{ message.content }}",
    "a template of 20,000 characters": "x" * 20_000,
}  # fmt: skip


@pytest.mark.parametrize("message", WRONG)
def test_wrong_templates_say_why(message):
    assert message in "\n".join(template.problems(WRONG[message], END))


UNBOUNDED = [
    "{% for i in range(10 ** 9) %}x{% endfor %}",
    "{{ 'a' * 10 ** 9 }}",
    "{{ 9 ** 9 ** 9 }}",
    "{{ 'a'.ljust(10 ** 9) }}",
    "{{ '%1000000000d' | format(1) }}",
    "{{ 'a' | center(1000000000) }}",
    "{{ 'a' | indent(1000000000) }}",
    "{{ messages | join('a') }}",
    "{{ 'a' | replace('a', 'aaaaaaaaaa') | replace('a', 'aaaaaaaaaa') }}",
    "{{ 'a' | replace('', 'b') }}",
    "{{ 'a' | replace('a', 'aa') | replace('a', 'aa') | replace('a', 'aa') | replace('a', 'aa') | replace('a', 'aa') | replace('a', 'aa') | replace('a', 'aa') }}",
    "{% set a = 'x' %}{% set a = a ~ a %}",
    "{% set ns = namespace(a='x') %}",
    "{% macro a() %}{{ a() }}{{ a() }}{% endmacro %}{{ a() }}",
    "{% macro a() %}x{% endmacro %}{% macro b() %}{{ a() }}{{ a() }}{% endmacro %}{{ b() }}",
    "{% for m in messages recursive %}{{ loop(messages) }}{% endfor %}",
    "{% for m in messages.copy() %}x{% endfor %}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ messages.__init__.__globals__ }}{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ lipsum(n=100000) }}",
    "{{ dict(a=1) }}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}",
    "{% extends 'x' %}",
    "{{ raise_exception('x') }}",
    "{{ messages | map(attribute='x') | list }}",
    "{{ messages | batch(3) }}",
    "{{ messages | pprint }}",
    "{{ 1 // 0 }}",
    "{% for a in messages %}{% for b in messages %}{% for c in messages %}{% for d in messages %}{% for e in messages %}{% for f in messages %}{% for g in messages %}{% for h in messages %}{% for i in messages %}{{ 'x' * 9 }}{% endfor %}{% endfor %}{% endfor %}{% endfor %}{% endfor %}{% endfor %}{% endfor %}{% endfor %}{% endfor %}",
    "{% block a %}x{% endblock %}",
    "{% call(x) messages() %}x{% endcall %}",
    "{% filter upper %}x{% endfilter %}",
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(UNBOUNDED)))
def test_what_could_run_long_or_reach_out_is_refused_before_rendering(number):
    start = time.process_time()
    assert template.problems(UNBOUNDED[number], END)
    assert time.process_time() - start < 0.1
    tree = template.environment().parse(UNBOUNDED[number]) if "{% call" not in UNBOUNDED[number] else None
    assert tree is None or list(template.forbidden(tree))


def test_there_are_thirty_of_them():
    assert len(UNBOUNDED) >= 30
