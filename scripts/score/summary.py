"""Records of one evaluation, the figures they add up to, and the failures that tell the most.

A record is one row answered twice: {"suite", "id", "kind", "messages", "expect", "base", "adapter",
"scores": {"base": figures, "adapter": figures}}; where the base was not asked, its figures are empty and
its message None (it is asked a sample, n_base). A summary line is one rule of one suite with its n,
both figures, the 95 % intervals, the gate, and whether a difference is more than noise.
"""

import hashlib
import json
from collections import Counter
from statistics import fmean

from scripts.score.interval import NOISE, interval, p_value
from scripts.score.metrics import Figures, counted
from scripts.score.suite import Rule, Suite

Record = dict
Line = dict


def record(suite: Suite, row: dict, answers: dict[str, dict | None], scores: dict[str, Figures]) -> Record:
    """One row with what base and adapter answered and what that is worth; `id` is a hash of the question."""
    question = json.dumps([row.get("messages"), row.get("text")], ensure_ascii=False, sort_keys=True)
    kept = {key: row[key] for key in ("kind", "messages", "text", "expect") if key in row}
    mark = hashlib.sha256(question.encode()).hexdigest()[:16]
    return {"suite": suite.name, "id": mark, **kept, **answers, "scores": scores}


def summarise(suite: Suite, records: list[Record], last: list[Record] | None = None) -> list[Line]:
    """One line per rule of the suite, in its order; `last` are the records of the run before, if any."""
    mine = [each for each in records if each["suite"] == suite.name]
    return [_line(suite, rule, mine, last or []) for rule in suite.rules]


def _line(suite: Suite, rule: Rule, records: list[Record], last: list[Record]) -> Line:
    chosen = [
        records[i] for i in counted(records, [r["scores"]["adapter"] for r in records], rule.metric, list(rule.kinds))
    ]
    both = [r for r in chosen if r["scores"]["base"]]
    base, paired = ([float(r["scores"][who].get(rule.metric, 0)) for r in both] for who in ("base", "adapter"))
    adapter = [float(r["scores"]["adapter"][rule.metric]) for r in chosen]
    line = {"suite": suite.name, "metric": rule.name, "n": len(chosen), "weight": rule.weight}
    line |= {"n_base": len(both), "base": _mean(base), "adapter": _mean(adapter)}
    line |= {"gate": rule.gate, "relative": rule.relative}
    asked = both if rule.relative and rule.gate is not None else chosen  # a share of what nobody asked is no gate
    line["passed"] = bool(asked) and _passes(rule, line["base"], line["adapter"])
    if chosen:
        line["interval"] = _rounded(interval(adapter))
    if both:
        line["base_interval"] = _rounded(interval(base))
        p = p_value(base, paired)
        line |= {"p_base": round(p, 6), "more_than_noise": p < NOISE}
    return line | _against_last(rule, chosen, last, suite.name)


def _passes(rule: Rule, base: float, adapter: float) -> bool:
    return rule.gate is None or adapter >= rule.gate * (base if rule.relative else 1) - 1e-12


def _against_last(rule: Rule, chosen: list[Record], last: list[Record], suite: str) -> Line:
    """The last run's figure on the rows that both runs answered, and the p of the difference."""
    before = {r["id"]: r["scores"]["adapter"].get(rule.metric) for r in last if r["suite"] == suite}
    both = [r for r in chosen if before.get(r["id"]) is not None]
    if not both:
        return {}
    then, now = [float(before[r["id"]]) for r in both], [float(r["scores"]["adapter"][rule.metric]) for r in both]
    p = p_value(then, now)
    return {"last": _mean(then), "n_last": len(both), "p_last": round(p, 6), "changed": p < NOISE}


def _mean(values: list[float]) -> float:
    return round(fmean(values), 6) if values else 0.0


def _rounded(pair: tuple[float, float]) -> list[float]:
    return [round(value, 6) for value in pair]


def overall(lines: list[Line]) -> float:
    """One figure for a suite: the weighted mean of its lines' adapter figures."""
    total = sum(line["weight"] for line in lines if line["n"])
    return sum(line["weight"] * line["adapter"] for line in lines if line["n"]) / total if total else 0.0


def failures(suites: list[Suite], records: list[Record], lines: list[Line]) -> list[tuple[str, Record]]:
    """(rule, record) of every wrong answer, the most telling first.

    Failed gates before the rest; within them one failure of each kind of row before the second of any,
    and what the base had right before what it had wrong too.
    """
    failed = {(line["suite"], line["metric"]) for line in lines if not line["passed"]}
    first: dict[tuple[str, str], tuple[bool, bool, str, Record]] = {}
    for suite in suites:
        for rule in sorted(suite.rules, key=lambda rule: (suite.name, rule.name) not in failed):
            for each in _wrong(suite, rule, records):
                lost = each["scores"]["base"].get(rule.metric) is True
                first.setdefault(
                    (suite.name, each["id"]), ((suite.name, rule.name) not in failed, not lost, rule.name, each)
                )
    seen: Counter = Counter()
    ranked = []
    for passed, _, name, each in sorted(first.values(), key=lambda entry: entry[:2]):
        ranked.append((passed, seen[name, each.get("kind")], len(ranked), name, each))
        seen[name, each.get("kind")] += 1
    return [(name, each) for *_, name, each in sorted(ranked, key=lambda entry: entry[:3])]


def _wrong(suite: Suite, rule: Rule, records: list[Record]) -> list[Record]:
    mine = [each for each in records if each["suite"] == suite.name]
    chosen = counted(mine, [each["scores"]["adapter"] for each in mine], rule.metric, list(rule.kinds))
    return [mine[i] for i in chosen if mine[i]["scores"]["adapter"][rule.metric] is False]
