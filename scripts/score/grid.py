"""Every suite against every model over one base: the rows that are asked, the models, and the figures.

A model is the base, an adapter, a stack, a merged model, or a router that picks an adapter per question.
Answers come from the cache of scripts/score/answers.py, so what was once asked is never asked again.
"""

import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from scripts.model import strict
from scripts.model.compatible import manifest_of
from scripts.run import ready
from scripts.score import suite, summary
from scripts.score.suite import Suite
from scripts.score.summary import Line, Record

BASE, ROUTER = "base", "router"


@dataclass(frozen=True)
class Target:
    """One column: its kind (base, adapter, stack, merged, router), folder, and a hash of its weights."""

    name: str
    kind: str
    folder: Path
    mark: str
    members: tuple[str, ...] = ()


def targets(runs: Path) -> list[Target]:
    """The base and every finished run beside it: adapters first, then stacks, then merged models."""
    found = [Target(BASE, "base", runs / BASE, ready.base_of(runs).mark)]
    for kind in ("adapter", "stack", "merged"):
        for file in sorted(runs.glob("*/manifest.json")):
            manifest = manifest_of(file.parent)
            if manifest.get("kind") == kind:
                members = tuple(each["adapter"] for each in manifest.get("members", []) if each["weight"])
                found.append(
                    Target(file.parent.name, kind, file.parent, mark(file.parent, manifest["weights"]), members)
                )
    return found


def mark(folder: Path, weights: str | dict) -> str:
    """What a run's answers are kept under: its weights, of one file or several, and what else decides them."""
    text = weights if isinstance(weights, str) else json.dumps(weights, sort_keys=True)
    return hashlib.sha256((text + strict.mark(folder)).encode()).hexdigest()


def sample(rows: list[dict], most: int) -> list[dict]:
    """At most `most` rows (0: all), the same ones every time, every kind in its share; file order is kept."""
    if not most or len(rows) <= most:
        return rows
    kinds = defaultdict(list)
    for row in rows:
        kinds[row.get("kind")].append(row)
    chosen = set()
    for members in kinds.values():
        share = max(1, round(most * len(members) / len(rows)))
        chosen |= {id(row) for row in sorted(members, key=stable)[:share]}
    return [row for row in rows if id(row) in chosen]


def stable(row: dict) -> str:
    """A hash of the question: an order that no edit elsewhere in the file changes."""
    return hashlib.sha256(json.dumps([row.get("messages"), row.get("text")], sort_keys=True).encode()).hexdigest()


def relevant(runs_targets: list[Target]) -> list[Suite]:
    """The suites of the adapters that are there, of their stacks, and those of everybody."""
    adapters = {target.name for target in runs_targets if target.kind in ("adapter", "stack")}
    every = [suite.read(name) for name in suite.names()]
    return [each for each in every if (not each.adapter and not each.stack) or {each.adapter, each.stack} & adapters]


def figures(suites: list[Suite], columns: dict[str, list[Record]]) -> dict[str, list[Line]]:
    """Summary lines per column, all in the same order; records carry the base's answer beside the column's."""
    return {
        name: [line for each in suites for line in summary.summarise(each, records)]
        for name, records in columns.items()
    }


def scores(lines: list[Line]) -> dict[str, float]:
    """One figure per suite: the weighted mean of its lines."""
    by_suite = defaultdict(list)
    for line in lines:
        by_suite[line["suite"]].append(line)
    return {name: round(summary.overall(each), 6) for name, each in by_suite.items()}


def kept(target: Target, table: dict[str, dict[str, float]], suites: list[Suite]) -> dict[str, float]:
    """Of each member's own score on its own suites, the share that a stack keeps (1 is all of it)."""
    own = {member: [each.name for each in suites if each.adapter == member] for member in target.members}
    total = {
        member: [sum(table.get(name, {}).get(each, 0.0) for each in own[member]) for name in (target.name, member)]
        for member in own
    }
    return {member: mixed / alone for member, (mixed, alone) in total.items() if alone}


def worst_and_mean(shares: dict[str, float]) -> tuple[float, float]:
    """The two figures that a stack is judged by."""
    return (min(shares.values()), fmean(shares.values())) if shares else (0.0, 0.0)
