"""Figures with n, intervals, gates and noise; the failures that are shown first."""

import pytest

from scripts import evaluate
from scripts.errors import UserError
from scripts.score import interval, suite
from scripts.score.suite import Rule, Suite
from scripts.score.summary import failures, overall, record, summarise


def test_wilson_against_known_values():
    assert interval.wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert interval.wilson(97, 100) == pytest.approx((0.9155, 0.9897), abs=1e-4)
    assert interval.wilson(10, 10)[1] == 1.0
    assert interval.wilson(0, 0) == (0.0, 1.0)


def test_interval_of_measurements_covers_the_mean():
    low, high = interval.interval([0.2, 0.3, 0.4, 0.35])
    assert low < 0.3125 < high
    assert interval.interval([0.5])[1] == float("inf")


@pytest.mark.parametrize(
    ("one", "other", "p"),
    [
        ([0, 0, 0, 0, 0, 1], [1, 1, 1, 1, 1, 1], 0.0625),
        ([1, 0, 1], [1, 0, 1], 1.0),
        ([0] * 10, [1] * 10, 2 / 1024),
        ([1, 0], [0, 1], 1.0),
        ([0.5, 0.5], [0.4, 0.4], 0.0),
        ([0.5, 0.6, 0.7], [0.5, 0.6, 0.7], 1.0),
    ],
)
def test_p_value(one, other, p):
    assert interval.p_value(one, other) == pytest.approx(p, abs=1e-9)
    assert interval.p_value(other, one) == pytest.approx(p, abs=1e-9)


RULES = (
    Rule("asks", "asks_exact", ("missing",), 0.9),
    Rule("no_call", "no_call", (), 0.5),
    Rule("kept", "likelihood", (), 0.8, 1, True),
)
TOY = Suite("toy", "toy", None, RULES)


def answered(number, base, adapter, kind="missing"):
    row = {"messages": [{"role": "user", "content": str(number)}], "kind": kind, "expect": {"asks": ["cpf"]}}
    answers = {"base": {"content": "a"}, "adapter": {"content": "b"}}
    return record(TOY, row, answers, {"base": base, "adapter": adapter})


def yes(value):
    return {"asks_exact": value, "no_call": True}


def test_summary_counts_kinds_gates_and_noise():
    records = [answered(n, yes(False), yes(n > 1)) for n in range(10)] + [answered(99, yes(True), yes(True), "other")]
    asks, no_call, kept = summarise(TOY, records)
    assert (asks["n"], asks["base"], asks["adapter"], asks["passed"]) == (10, 0.0, 0.8, False)
    assert asks["more_than_noise"] is True and asks["interval"] == pytest.approx([0.4902, 0.9433], abs=1e-4)
    assert (no_call["n"], no_call["passed"], no_call["more_than_noise"]) == (11, True, False)
    assert (kept["n"], kept["passed"]) == (0, False), "a gate that no row reaches is not passed"
    assert overall([asks, no_call, kept]) == pytest.approx(0.9)


def test_relative_gate_is_a_share_of_the_base():
    records = [answered(n, {"likelihood": 0.5}, {"likelihood": 0.41}) for n in range(4)]
    assert summarise(TOY, records)[2]["passed"] is True
    unasked = [answered(n, {}, {"likelihood": 0.0}) for n in range(4)]
    assert summarise(TOY, unasked)[2]["passed"] is False, "nothing is no share of what the base was never asked"
    records = [answered(n, {"likelihood": 0.5}, {"likelihood": 0.39}) for n in range(4)]
    assert summarise(TOY, records)[2]["passed"] is False


def test_against_the_last_run_only_common_rows_count():
    last = [answered(n, yes(False), yes(False)) for n in range(8)]
    now = [answered(n, yes(False), yes(True)) for n in range(2, 12)]
    line = summarise(TOY, now, last)[0]
    assert (line["last"], line["n_last"], line["changed"]) == (0.0, 6, True)
    assert "last" not in summarise(TOY, now)[0]


def test_failures_show_failed_gates_first_and_kinds_in_turn():
    records = [answered(n, yes(n == 2), yes(False)) for n in range(3)]
    records += [answered(7, {"no_call": True}, {"no_call": False}, "call"), answered(8, yes(True), yes(True))]
    found = failures([TOY], records, summarise(TOY, records))
    assert [(name, each["messages"][0]["content"]) for name, each in found] == [
        ("asks", "2"),
        ("asks", "0"),
        ("asks", "1"),
        ("no_call", "7"),
    ]


def test_suites_of_the_repository_are_read():
    assert {"unimed-attendant", "schema", "kpi", "base-retention"} <= set(suite.names())
    assert [each.name for each in suite.of("kpi")] == ["kpi", "base-retention"]
    retention = suite.read("base-retention")
    rows = suite.rows_of(retention)
    assert {row["kind"] for row in rows} == {kind for rule in retention.rules for kind in rule.kinds}
    assert all(("text" in row) != ("expect" in row) for row in rows)


def test_unknown_suite_and_metric_and_broken_rows(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"there is no suite 'kpo'; .*did you mean 'kpi'"):
        suite.read("kpo")
    monkeypatch.setattr(suite, "SUITES", tmp_path)
    (tmp_path / "bad.yml").write_text("rows: x.jsonl\nmetrics:\n  - {name: a, metric: asks_exakt}\n")
    with pytest.raises(
        UserError,
        match=r"bad.yml:3:\d+: \$.metrics\[0\].metric: 'asks_exakt' is not one of .*did you mean 'asks_exact'",
    ):
        suite.read("bad")
    (tmp_path / "rows.jsonl").write_text('{"kind": "a"}\n{"kind": \n')
    with pytest.raises(UserError, match=r"rows.jsonl:2:.*not JSON"):
        suite.rows_of(Suite("bad", "kpi", tmp_path / "rows.jsonl", ()))
    (tmp_path / "rows.jsonl").write_text('{"kind": "a\u2028b\u0085"}\n')
    assert suite.rows_of(Suite("bad", "kpi", tmp_path / "rows.jsonl", ())) == [{"kind": "a\u2028b\u0085"}]
    with pytest.raises(UserError, match="no such file, needed by suite bad\nnext: make dataset ADAPTER=kpi"):
        suite.rows_of(Suite("bad", "kpi", tmp_path / "missing.jsonl", ()))


def test_a_stack_faces_its_own_suite_and_its_members(tmp_path, monkeypatch):
    monkeypatch.setattr(suite, "SUITES", tmp_path)
    for name, of in (("pair", "stack: pair"), ("one", "adapter: one"), ("other", "adapter: other")):
        (tmp_path / f"{name}.yml").write_text(f"{of}\nrows: x.jsonl\nmetrics:\n  - {{name: a, metric: contains}}\n")
    run = tmp_path / "outputs" / "pair"
    run.mkdir(parents=True)
    (run / "manifest.json").write_text('{"kind": "stack", "members": [{"adapter": "one"}]}')
    assert [each.name for each in evaluate.faced(run)] == ["pair", "one"]
    with pytest.raises(UserError, match=r"no suite names nobody\nnext: write configs/suites/nobody.yml"):
        evaluate.faced(tmp_path / "nobody")
