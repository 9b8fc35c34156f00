"""The interference matrix: every suite asked of the base, each adapter, each stack, merged models and a router.

Run as: make matrix [ROWS=60] [PROFILE=…] [BASE=…] [DB=url] / python -m scripts.matrix --rows 60
ROWS is the most rows of a suite that are asked (0: all); the same ones every time. What was once asked is kept.
Writes matrix.json, matrix.md, matrix.html and matrix.png into outputs/<base>/matrix/.
"""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

from sqlalchemy import make_url

from scripts import arguments
from scripts.config import adapter
from scripts.errors import UserError, main_of
from scripts.files import write, write_json
from scripts.paths import ROOT, shown
from scripts.run import ready
from scripts.score import grid, heat, suite, summary
from scripts.score.grid import BASE, ROUTER, Target
from scripts.score.suite import Suite

Asked = list[tuple[Suite, dict]]


def main(argv: Sequence[str]) -> None:
    """Measures, writes, prints."""
    parser = arguments.parser(__doc__)
    arguments.add(parser, "PROFILE", "whose base is meant (cpu, gpu …)")
    arguments.add(parser, "BASE", "a folder of outputs/ (default: the profile's, or the only one with runs)")
    arguments.add(parser, "ROWS", "the most rows of a suite; 0 for all", default="60")
    arguments.add(parser, "DB", suite.DATABASE)
    options = parser.parse_args(argv)
    most = arguments.number("ROWS", options.rows, 0)
    runs = ready.runs_of(options.base, options.profile)
    targets = grid.targets(runs)
    if len(targets) < 2:
        raise UserError(f"{shown(runs)} has no finished run", next="make train ADAPTER=unimed")
    matrix = measure(runs, targets, most, options.db)
    publish(runs / "matrix", matrix)


def measure(runs: Path, targets: list[Target], most: int, database: str = "") -> dict:
    """Asks everybody everything and puts the figures together."""
    suites = [suite.on(each, database) for each in grid.relevant(targets)]
    asked = [(each, row) for each in suites for row in grid.sample(suite.rows_of(each), most)]
    said, sent = _ask(targets, asked)
    names = [*targets, Target(ROUTER, ROUTER, runs, "")] if sent else targets
    records = {t.name: [_record(a, said[BASE][i], said[t.name][i]) for i, a in enumerate(asked)] for t in names}
    lines = grid.figures(suites, records)
    table = {name: grid.scores(each) for name, each in lines.items()}
    return {
        "base": runs.name,
        "rows": most,
        "database": make_url(database).render_as_string() if database else "",
        "targets": [{"name": target.name, "kind": target.kind, "members": list(target.members)} for target in names],
        "scores": {each.name: {name: table[name][each.name] for name in table} for each in suites},
        "lines": _merged(lines),
        "kept": _kept(names, table, suites),
        "signals": signals([target for target in targets if target.kind == "adapter"]),
        "router": _right(asked, sent),
    }


def _ask(targets: list[Target], asked: Asked) -> tuple[dict, list[str]]:
    """What each target said and is worth; and whom the router picked, where there is something to pick."""
    from scripts.score import asked as asking

    shared, said = None, {}
    for target in targets:
        generator = asking.load(target, shared)
        shared = shared if target.kind == "merged" else generator
        said[target.name] = asking.ask(target, generator, asked)
    adapters = [target.name for target in targets if target.kind == "adapter"]
    sent = route(adapters, asked) if len(adapters) > 1 else []
    if sent:
        said[ROUTER] = [said[name][index] for index, name in enumerate(sent)]
    return said, sent


def route(adapters: list[str], asked: Asked) -> list[str]:
    """The model that the router sends each row to; a plain sentence goes by its text."""
    from scripts.model import router

    fitted = router.fit({name: router.questions(rows_of(name)) for name in adapters})
    return fitted.choose([row.get("messages") or [{"role": "user", "content": row["text"]}] for _, row in asked])


def rows_of(name: str) -> Path:
    """What an adapter is trained on: its built rows, or without a recipe the file that its config names."""
    built = adapter.data_of(name) / "train.jsonl"
    return built if built.exists() else ROOT / adapter.load(name)["datasets"][0]["path"]


def _record(asked: tuple[Suite, dict], base: tuple, its: tuple) -> summary.Record:
    suite_of, row = asked
    return summary.record(suite_of, row, {"base": base[0], "adapter": its[0]}, {"base": base[1], "adapter": its[1]})


def _merged(lines: dict[str, list[dict]]) -> list[dict]:
    """One entry per suite and metric with every model's value and interval."""
    merged = []
    for index, first in enumerate(next(iter(lines.values()))):
        if first["n"]:
            entry = {key: first[key] for key in ("suite", "metric", "n")}
            entry["values"] = {name: each[index]["adapter"] for name, each in lines.items()}
            entry["intervals"] = {name: each[index]["interval"] for name, each in lines.items()}
            merged.append(entry)
    return merged


def _kept(targets: list[Target], table: dict, suites: list[Suite]) -> dict[str, dict]:
    adapters = tuple(target.name for target in targets if target.kind == "adapter")
    found = {}
    for target in targets:
        members = target.members or (adapters if target.kind == ROUTER else ())
        if target.kind in ("stack", ROUTER) and members:
            shares = grid.kept(Target(target.name, target.kind, target.folder, target.mark, members), table, suites)
            worst, mean = grid.worst_and_mean(shares)
            found[target.name] = {"shares": shares, "mean": mean, "worst": worst}
    return found


def signals(adapters: list[Target]) -> list[dict]:
    """Cosine of the deltas and sign conflicts of each pair: cheap, and known before anything is asked."""
    from scripts.model import lora

    deltas = {target.name: lora.deltas(lora.read(target.folder)) for target in adapters}
    return [
        {"pair": list(pair), "cosine": lora.cosine(one, other), "sign_conflicts": lora.sign_conflicts(one, other)}
        for pair in combinations(deltas, 2)
        for one, other in [(deltas[pair[0]], deltas[pair[1]])]
    ]


def _right(asked: Asked, sent: list[str]) -> dict[str, dict]:
    """How many rows of each suite the router sent to its adapter, or to the base where the suite is everybody's."""
    found = {}
    for name in {each.name: None for each, _ in asked if not each.stack} if sent else ():
        chosen = [to == (each.adapter or BASE) for (each, _), to in zip(asked, sent, strict=True) if each.name == name]
        found[name] = {"n": len(chosen), "right": sum(chosen) / len(chosen)}
    return found


def publish(folder: Path, matrix: dict) -> None:
    """Writes the files and prints the scores."""
    write_json(folder / "matrix.json", matrix)
    write(folder / "matrix.md", heat.markdown(matrix))
    write(folder / "matrix.html", heat.page(matrix))
    heat.picture(matrix, folder / "matrix.png")
    print(heat.markdown(matrix))
    print(f"matrix: {shown(folder / 'matrix.html')}\nnext: make tune-stack STACK=<a stack that keeps too little>")


if __name__ == "__main__":
    main_of(main)
