"""Asks base and adapter the held-out rows, scores both, and decides: exit 1 where a gate fails.

Writes metrics.json, report.md, report.html, records.jsonl and of.json into outputs/<base>/<adapter>/eval/.
Run as: make eval ADAPTER=kpi [SUITE=kpi] [ROWS=200] [DB=url] / python -m scripts.evaluate --adapter kpi
"""

import json
import math
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from scripts.arguments import add, number, parser
from scripts.errors import UserError, main_of
from scripts.files import lines, write, write_json, write_lines
from scripts.paths import shown
from scripts.run import manifest, ready
from scripts.run.progress_file import merged
from scripts.score import evaluated, grid, page, report, suite, summary
from scripts.score.metrics import score

#: The base is slow to ask, as it rambles on, and its figures only set the scale: it is asked evenly chosen rows.
ROWS_OF_BASE = 300


def main(argv: Sequence[str]) -> int:
    """Evaluates one run; 1 where a gate fails."""
    options = parser(__doc__)
    add(options, "ADAPTER", "which adapter or stack, such as kpi")
    add(options, "PROFILE", "the profile that it was trained under (default: as make train takes it)")
    add(options, "SUITE", "one suite (default: all that the adapter faces)")
    add(options, "DB", suite.DATABASE)
    add(options, "ROWS", "the most rows of a suite, the same ones every time (default: all)", "0")
    arguments = options.parse_args(argv)
    run = ready.run(arguments.adapter, arguments.profile)
    if manifest.read(run).get("kind") == "merged":
        told = f"{run.name} is a whole model, and an adapter is compared with the base that it is loaded over"
        raise UserError(told, next="make matrix, which asks base, adapters and merged models the same")
    suites = [suite.read(arguments.suite)] if arguments.suite else faced(run)
    suites = [suite.on(each, arguments.db) for each in suites]
    began = time.monotonic()
    most = number("ROWS", arguments.rows, 0)
    records = evaluate(run, suites, most)
    result = decide(run, suites, records, time.monotonic() - began)
    publish(run, result)
    evaluated.write(run, [each.name for each in suites], most)
    return tell(run, result)


def faced(run: Path) -> list[suite.Suite]:
    """The suites of an adapter; of a stack, its own and those of all its members."""
    members = [run.name, *(each["adapter"] for each in manifest.read(run).get("members", []))]
    found = {each.name: each for member in members for each in suite.of(member)}
    if not found:
        raise UserError(f"no suite names {run.name}", next=f"write configs/suites/{run.name}.yml")
    if not any({each.adapter, each.stack} & {*members} for each in found.values()):
        print(f"no suite names {run.name}: only what it retains is measured", file=sys.stderr)
    return list(found.values())


def evaluate(run: Path, suites: list[suite.Suite], most: int) -> list[summary.Record]:
    """Both models' answers to every row, scored. Heavy imports only here."""
    from scripts.model.generate import BASE, of_run
    from scripts.model.likelihood import likelihoods
    from scripts.score import answers

    rows = [(each, row) for each in suites for row in grid.sample(suite.rows_of(each), most)]
    written, generator = manifest.read(run), of_run(run)
    weights = {BASE: ready.base_under(run).mark}
    weights[run.name] = grid.mark(run, written["weights"])
    questions = [row for _, row in rows if "messages" in row]
    stride = max(1, math.ceil(len(questions) / ROWS_OF_BASE))
    asked = {BASE: questions[::stride], run.name: questions}
    told = {name: answers.ask(generator, name, mark, asked[name], run.parent) for name, mark in weights.items()}
    said = {name: {id(row): message for row, message in zip(asked[name], told[name], strict=True)} for name in weights}
    plain = [row["text"] for _, row in rows if "messages" not in row]
    likely = {}
    for name in weights:
        with generator.using([name]):
            found = likelihoods(generator.model, generator.tokenizer, plain) if plain else []
        likely[name] = dict(zip(plain, found, strict=True))

    def side(of: suite.Suite, row: dict, name: str) -> tuple[dict | None, dict]:
        """What one model said to a row and what it is worth."""
        if "messages" not in row:
            figure = {"likelihood": likely[name][row["text"]]}
            return figure, figure
        message = said[name].get(id(row))
        return message, score(row, message, of.database) if message else {}

    records = []
    for of, row in rows:
        base, adapter = side(of, row, BASE), side(of, row, run.name)
        messages, figures = ({"base": base[i], "adapter": adapter[i]} for i in (0, 1))
        records.append(summary.record(of, row, messages, figures))
    return records


def decide(run: Path, suites: list[suite.Suite], records: list[summary.Record], seconds: float) -> report.Evaluation:
    """The figures with their gates, against the last evaluation."""
    before = run / "eval" / "records.jsonl"
    last = [json.loads(line) for line in lines(before)] if before.exists() else None
    figures = [line for each in suites for line in summary.summarise(each, records, last)]
    written = manifest.read(run)
    facts = {"base": written["base"]["name"], "weights": written["weights"][:16], "rows": str(len(records))}
    facts |= {"seconds": f"{seconds:.0f}"} | {k: str(v) for k, v in written.get("metrics", {}).items()}
    wrong = summary.failures(suites, records, figures)
    progress = merged(run / "progress.jsonl")
    following = f"make chat ADAPTER={run.name}"
    return report.Evaluation(f"{run.name} on {facts['base']}", figures, records, wrong, progress, facts, following)


def publish(run: Path, result: report.Evaluation) -> None:
    """The files of an evaluation, figures first."""
    folder = run / "eval"
    write_json(folder / "metrics.json", result.lines)
    write(folder / "report.md", report.markdown(result))
    write(folder / "report.html", page.html(result))
    write_lines(folder / "records.jsonl", (json.dumps(each, ensure_ascii=False) + "\n" for each in result.records))


def tell(run: Path, result: report.Evaluation) -> int:
    """The table, and the three most telling failures where a gate failed."""
    width = max(len(f"{line['suite']}/{line['metric']}") for line in result.lines)
    for line in result.lines:
        name = f"{line['suite']}/{line['metric']}"
        figures = f"{report.of_base(line):>14} {report.shown(line['adapter']):>8}  {report.between(line):>11}"
        print(f"{name:<{width}}  n {line['n']:>5} {figures}  {report.gate(line)} {report.outcome(line)}")
    print(f"\n{report.verdict(result.lines)}")
    failed = any(line["gate"] is not None and not line["passed"] for line in result.lines)
    for rule, each in result.wrong[:3] if failed else ():
        print("\n" + report.failure(rule, each)[: 8 * shutil.get_terminal_size().columns])
    print(f"report: {shown(run / 'eval' / 'report.html')}\nnext: {result.next}")
    return int(failed)


if __name__ == "__main__":
    main_of(main)
