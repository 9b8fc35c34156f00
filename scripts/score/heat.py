"""The interference matrix as a table, a self-contained page and a picture: suites down, models across."""

import html
from pathlib import Path

from scripts.score.report import shown

Matrix = dict  # as scripts/matrix.py writes it


def markdown(matrix: Matrix) -> str:
    """The matrix in Markdown: scores per suite, every metric with n, what stacks keep, the pre-signals."""
    names = [target["name"] for target in matrix["targets"]]
    parts = [
        "# Interference matrix",
        "",
        f"Base: {matrix['base']}. At most {matrix['rows'] or 'all'} rows of a suite."
        + f" SQL ran on {matrix.get('database')}." * bool(matrix.get("database")),
        "",
    ]
    parts += table(
        ["suite", *names],
        [[suite, *(shown(cells[name]) for name in names)] for suite, cells in matrix["scores"].items()],
    )
    parts += ["", "## Every metric", ""]
    rows = [
        [each["suite"], each["metric"], str(each["n"]), *(_cell(each, name) for name in names)]
        for each in matrix["lines"]
    ]
    parts += [*table(["suite", "metric", "n", *names], rows), "", "95 % intervals in brackets.", ""]
    if matrix["kept"]:
        members = sorted({member for each in matrix["kept"].values() for member in each["shares"]})
        rows = [
            [
                name,
                *(_share(each["shares"].get(member)) for member in members),
                shown(each["mean"]),
                shown(each["worst"]),
            ]
            for name, each in matrix["kept"].items()
        ]
        parts += ["## What is kept of each single score", "", *table(["model", *members, "mean", "worst"], rows), ""]
    if matrix["signals"]:
        rows = [[*each["pair"], f"{each['cosine']:+.3f}", shown(each["sign_conflicts"])] for each in matrix["signals"]]
        parts += [
            "## Pre-signals",
            "",
            *table(["adapter", "adapter", "cosine of deltas", "sign conflicts (chance 50 %)"], rows),
            "",
        ]
    if matrix["router"]:
        rows = [[name, str(each["n"]), shown(each["right"])] for name, each in matrix["router"].items()]
        parts += ["## Router", "", *table(["suite", "n", "sent to the right model"], rows), ""]
    return "\n".join(parts)


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """Lines of a Markdown table; the first column is text, the rest are figures."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "--:|" * (len(head) - 1)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def _cell(line: dict, name: str) -> str:
    low, high = line["intervals"][name]
    return f"{shown(line['values'][name])} [{100 * low:.0f}–{100 * high:.0f}]"


def _share(value: float | None) -> str:
    return "" if value is None else shown(value)


def page(matrix: Matrix) -> str:
    """One HTML file, coloured by score, with the tables of the Markdown below."""
    names = [target["name"] for target in matrix["targets"]]
    head = "".join(
        f"<th>{html.escape(target['name'])}<br><small>{target['kind']}</small>" for target in matrix["targets"]
    )
    body = ""
    for suite, cells in matrix["scores"].items():
        body += f"<tr><th>{html.escape(suite)}" + "".join(_heat(cells[name]) for name in names)
    for line in matrix["lines"]:
        label = (
            f"<th class=sub>{html.escape(line['suite'])} / {html.escape(line['metric'])} <small>n {line['n']}</small>"
        )
        body += f"<tr>{label}" + "".join(_heat(line["values"][name]) for name in names)
    details = html.escape(markdown(matrix))
    return PAGE.format(
        title=f"Interference matrix on {html.escape(matrix['base'])}", head=head, body=body, details=details
    )


def _heat(value: float) -> str:
    return f'<td style="--v:{100 * value:.0f}%">{100 * value:.0f}'


PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{title}</title>
<style>
:root {{ color-scheme: light dark; --ink: light-dark(#1c2321, #e6ebe8);
  --paper: light-dark(#fbfcfb, #141917); --edge: light-dark(#dfe5e2, #2f3935) }}
body {{ margin: 0 auto; max-width: 1100px; padding: 1.5rem 1rem; font: 15px/1.5 system-ui, sans-serif;
  color: var(--ink); background: var(--paper) }}
.scroll {{ overflow-x: auto }} table {{ border-collapse: collapse }}
th, td {{ padding: .3rem .7rem; border: 1px solid var(--edge) }}
th {{ font-weight: 500; text-align: left }} .sub {{ padding-left: 1.6rem; font-weight: 400 }} small {{ opacity: .65 }}
td {{ text-align: right; font-variant-numeric: tabular-nums;
  background: color-mix(in oklab, light-dark(#00795c, #2aa77f) calc(var(--v) * .75), var(--paper)) }}
pre {{ overflow-x: auto; font: 13px/1.45 ui-monospace, monospace }}
</style>
<h1>{title}</h1><p>Scores in per cent; a suite's own line is the weighted mean of its metrics.</p>
<div class="scroll"><table><tr><th>{head}{body}</table></div>
<details open><summary>All figures with intervals</summary><pre>{details}</pre></details>
"""


def picture(matrix: Matrix, file: Path) -> None:
    """The suites' scores as a heat map PNG."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    names = [target["name"] for target in matrix["targets"]]
    values = [[100 * cells[name] for name in names] for cells in matrix["scores"].values()]
    figure, axes = pyplot.subplots(figsize=(2 + 1.1 * len(names), 1.2 + 0.6 * len(values)), layout="constrained")
    axes.imshow(values, cmap="Greens", vmin=0, vmax=100, aspect="auto")
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
    axes.set_yticks(range(len(values)), list(matrix["scores"]))
    for y, row in enumerate(values):
        for x, value in enumerate(row):
            axes.text(x, y, f"{value:.0f}", ha="center", va="center", color="white" if value > 60 else "black")
    axes.set_title(f"Interference matrix on {matrix['base']} (%)")
    figure.savefig(file, dpi=130)
    pyplot.close(figure)
