"""One evaluation in words: what was measured, against which gate, and what went wrong, as Markdown."""

import json
from dataclasses import dataclass, field

from scripts.score.summary import Line, Record


@dataclass(frozen=True)
class Evaluation:
    """Everything a report shows. `wrong` is (rule, record), the most telling first; `progress` the lines of
    the run's progress.jsonl; `facts` what to say at the head (base, adapter, rows, seconds …)."""

    title: str
    lines: list[Line]
    records: list[Record]
    wrong: list[tuple[str, Record]]
    progress: list[dict] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    next: str = ""


def markdown(run: Evaluation, most: int = 10) -> str:
    """The report as Markdown; `most` limits the failures."""
    parts = [f"# {run.title}", "", verdict(run.lines), ""]
    parts += [f"- {name}: {value}" for name, value in run.facts.items()] + ["", *_table(run.lines), ""]
    parts += ["Intervals are 95 %. ↑ ↓ more than noise (paired test, p < 0.05), · within it.", ""]
    if run.wrong:
        parts += [f"## Failures ({len(run.wrong)}, the most telling first)", ""]
        parts += [failure(rule, each) for rule, each in run.wrong[:most]]
    parts += [f"Next: `{run.next}`"] if run.next else []
    return "\n".join(parts).rstrip() + "\n"


def verdict(lines: list[Line]) -> str:
    """One sentence: how many gates there are and which failed."""
    gated = [line for line in lines if line["gate"] is not None]
    failed = [f"{line['suite']}/{line['metric']}" for line in gated if not line["passed"]]
    if failed:
        return f"{len(failed)} of {len(gated)} gates failed: {', '.join(failed)}."
    return f"All {len(gated)} gates passed." if gated else "No gates."


def _table(lines: list[Line]) -> list[str]:
    rows = [
        "| suite | metric | n | base | adapter | 95 % | gate | | last run |",
        "|---|---|--:|--:|--:|--:|--:|---|--:|",
    ]
    for line in lines:
        cells = [
            line["suite"],
            line["metric"],
            str(line["n"]),
            of_base(line),
            f"{shown(line['adapter'])} {noise(line)}",
        ]
        cells += [between(line), gate(line), outcome(line), last(line)]
        rows.append("| " + " | ".join(cells) + " |")
    return rows


def shown(value: float) -> str:
    """A figure in per cent, with one decimal."""
    return f"{100 * value:.1f} %"


def of_base(line: Line) -> str:
    """The base's figure; it may have been asked fewer rows, then with their number."""
    return shown(line["base"]) + (f" (n {line['n_base']})" if line["n_base"] != line["n"] else "")


def noise(line: Line) -> str:
    """Whether the adapter differs from the base by more than noise."""
    if not line.get("more_than_noise"):
        return "·"
    return "↑" if line["adapter"] > line["base"] else "↓"


def between(line: Line) -> str:
    """The 95 % interval of the adapter's figure."""
    return "–".join(f"{100 * value:.1f}" for value in line["interval"]) if "interval" in line else "no rows"


def gate(line: Line) -> str:
    """The gate, as a share of the base's figure where it is relative."""
    if line["gate"] is None:
        return ""
    return f"{100 * line['gate']:.0f} %" + (" of base" if line["relative"] else "")


def outcome(line: Line) -> str:
    """passed, FAILED, or nothing where there is no gate."""
    return "" if line["gate"] is None else "passed" if line["passed"] else "**FAILED**"


def last(line: Line) -> str:
    """The last run's figure on the rows both runs answered, marked where the change is more than noise."""
    if "last" not in line:
        return ""
    mark = "·" if not line["changed"] else "changed"
    return f"{shown(line['last'])} {mark} (n={line['n_last']})"


def failure(rule: str, each: Record) -> str:
    """One wrong answer: what was asked, what was expected, what came."""
    lines = [f"### {each['suite']} / {rule} / {each.get('kind', '')}", ""]
    lines += [f"> {speaker}: {_one_line(text)}" for speaker, text in conversation(each)]
    lines += ["", f"- expected: {_code(expected(each))}", f"- adapter: {_code(said(each['adapter']))}"]
    return "\n".join([*lines, f"- base: {_code(said(each['base']))}", ""])


def conversation(each: Record) -> list[tuple[str, str]]:
    """(role, text) of each turn before the answer; a plain sentence stands alone."""
    if "text" in each:
        return [("text", each["text"])]
    return [(message["role"], said(message)) for message in each["messages"]]


def said(message: dict | None) -> str:
    """An assistant message as a person reads it: its text, its calls as name(arguments); None was not asked."""
    if message is None:
        return "(not asked)"
    if "likelihood" in message:
        return f"likelihood {message['likelihood']:.4f}"
    calls = [call["function"] for call in message.get("tool_calls") or []]
    return "\n".join(
        [message.get("content") or "", *(f"{call['name']}({call['arguments']})" for call in calls)]
    ).strip()


def expected(each: Record) -> str:
    """What a row expects, as a person reads it."""
    expect = dict(each.get("expect") or {})
    parts = []
    if call := expect.pop("tool_call", None):
        parts.append(f"{call['name']}({json.dumps(call['arguments'], ensure_ascii=False)})")
    if fields := expect.pop("asks", None):
        parts.append(f"asks for {' and '.join(fields)}, and for nothing else")
    if expect.pop("no_call", None):
        parts.append("no tool call")
    if facts := expect.pop("contains", None):
        parts.append("says " + ", ".join(repr(fact) for fact in facts))
    if query := expect.pop("sql", None):
        parts.append(f"the rows of: {query}")
    if "number" in expect:
        parts.append(f"{expect['number']} ± {expect.get('tolerance', 0.05)}")
    return "; ".join(parts)


def _one_line(text: str) -> str:
    return " ⏎ ".join(text.splitlines())


def _code(text: str) -> str:
    text = _one_line(text) or "(nothing)"
    fence = "``" if "`" in text else "`"
    return f"{fence} {text} {fence}" if fence == "``" else f"`{text}`"
