"""One evaluation as one HTML file that needs nothing else: no CDN, no font, no request."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from scripts.score import plot, report
from scripts.score.report import Evaluation

TEMPLATES = Path(__file__).parent


def html(run: Evaluation) -> str:
    """The whole page; every text from rows and answers is escaped by the template."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    template = environment.get_template("page.html.jinja")
    wrong = {(each["suite"], each["id"]): rule for rule, each in run.wrong}
    order = [each for _, each in run.wrong] + [each for each in run.records if (each["suite"], each["id"]) not in wrong]
    rows = [_row(each, wrong.get((each["suite"], each["id"]), "")) for each in order]
    lines = [_line(line) for line in run.lines]
    loss = Markup(plot.loss_curve(run.progress))
    return template.render(
        run=run, verdict=report.verdict(run.lines), lines=lines, rows=rows, loss=loss, wrong=len(wrong)
    )


def _line(line: dict) -> dict:
    texts = {
        "between": report.between(line),
        "gate_text": report.gate(line),
        "mark": report.noise(line),
        "last_text": report.last(line),
    }
    state = "none" if line["gate"] is None else "passed" if line["passed"] else "failed"
    return (
        line
        | texts
        | {
            "bar": Markup(plot.bar(line)),
            "state": state,
            "base_text": report.of_base(line),
            "adapter_text": report.shown(line["adapter"]),
        }
    )


def _row(each: dict, rule: str) -> dict:
    texts = {"turns": report.conversation(each), "expected": report.expected(each)}
    texts |= {who: report.said(each[who]) for who in ("base", "adapter")}
    return texts | {"suite": each["suite"], "kind": each.get("kind", ""), "rule": rule}
