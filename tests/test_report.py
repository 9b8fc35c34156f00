"""Reports: figures with their n, failures side by side, and nothing that a row says is ever markup."""

import re

from scripts.score import page, plot, report
from scripts.score.report import Evaluation
from scripts.score.suite import Rule, Suite
from scripts.score.summary import failures, record, summarise

EVIL = "</pre><script>alert(1)</script> & `x`"
SUITE = Suite("unimed", "unimed", None, (Rule("calls", "tool_call_exact", (), 0.9), Rule("kept", "no_call", ())))
CALL = {"name": "unimed_consult", "arguments": {"cpf": "12345678901"}}


def evaluation():
    call = {
        "content": None,
        "tool_calls": [{"type": "function", "function": {"name": "unimed_consult", "arguments": '{"cpf": "1"}'}}],
    }
    rows = [{"messages": [{"role": "user", "content": EVIL}], "kind": "full", "expect": {"tool_call": CALL}}]
    rows += [
        {"messages": [{"role": "user", "content": f"oi {n}"}], "kind": "greeting", "expect": {"no_call": True}}
        for n in range(3)
    ]
    scores = [{"base": {"tool_call_exact": True}, "adapter": {"tool_call_exact": False}}]
    scores += [{"base": {"no_call": True}, "adapter": {"no_call": True}}] * 2
    scores += [{"base": {}, "adapter": {"no_call": True}}]  # the base is asked a sample
    answers = {"base": {"content": EVIL}, "adapter": call}
    records = [record(SUITE, row, answers, score) for row, score in zip(rows, scores, strict=True)]
    lines = summarise(SUITE, records, last=records)
    progress = [{"step": n, "loss": 3 / n, "tokens_per_s": 100} for n in range(1, 30)]
    return Evaluation(
        "unimed on toy",
        lines,
        records,
        failures([SUITE], records, lines),
        progress,
        {"base": "toy"},
        "make chat ADAPTER=unimed",
    )


def test_markdown_has_figures_failures_and_the_next_command():
    text = report.markdown(evaluation())
    assert "1 of 1 gates failed: unimed/calls." in text
    assert "| unimed | calls | 1 | 100.0 % | 0.0 % · | 0.0–79.3 | 90 % | **FAILED** | 0.0 % · (n=1) |" in text
    assert "| unimed | kept | 3 | 100.0 % (n 2) | 100.0 % · |" in text
    assert '- expected: `unimed_consult({"cpf": "12345678901"})`' in text
    assert '- adapter: `unimed_consult({"cpf": "1"})`' in text
    assert f"- base: `` {EVIL} ``" in text
    assert text.endswith("Next: `make chat ADAPTER=unimed`\n")


def test_page_is_self_contained_and_escapes_what_rows_say():
    text = page.html(evaluation())
    assert text.count("<script>") == 1 and "alert(1)&lt;/script&gt;" in text
    assert not re.findall(r"""(?:src|href)=|url\(|@import|https?://""", text)
    assert text.count("<article") == 4 and text.count('<article class="wrong"') == 1
    assert '<svg class="loss"' in text and text.count('<svg class="bar"') == 2


def test_plots_of_nothing_and_of_everything():
    assert plot.loss_curve([]) == "" and plot.loss_curve([{"step": 1, "loss": 2.0}]) == ""
    assert "loss 2.000" in plot.loss_curve([{"step": 1, "loss": 2.0}, {"step": 2, "loss": 2.0}])
    assert "loss 0.000" in plot.loss_curve([{"step": 1, "loss": 0.0}, {"step": 2, "loss": 0.0}])


def test_expectations_in_words():
    for expect, words in [
        ({"asks": ["cpf", "data_nascimento"]}, "asks for cpf and data_nascimento, and for nothing else"),
        ({"no_call": True, "contains": ["futuro"]}, "no tool call; says 'futuro'"),
        ({"sql": "SELECT 1"}, "the rows of: SELECT 1"),
        ({"number": 82.4, "tolerance": 0.1}, "82.4 ± 0.1"),
    ]:
        assert report.expected({"expect": expect}) == words
