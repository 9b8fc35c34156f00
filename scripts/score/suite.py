"""A suite: rows, what counts on them, and where the gates are. Read from configs/suites/<name>.yml.

Which suites an adapter or stack faces follows from looking: the one that names it as `adapter` or `stack`,
and every one that names none (what no adapter may lose).
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path

from scripts.config.yamlfile import Document, load
from scripts.errors import Problem, UserError, suggestion
from scripts.files import lines
from scripts.paths import ROOT, SUITES, shown
from scripts.score.metrics import NAMES

#: What DB= is to those who ask suites.
DATABASE = "what SQL runs on, where the data set was built from it (default: the suite's database)"


@dataclass(frozen=True)
class Rule:
    """One line of the result: a metric over some kinds of row; a relative gate is a share of the base's figure."""

    name: str
    metric: str
    kinds: tuple[str, ...] = ()
    gate: float | None = None
    weight: float = 1.0
    relative: bool = False


@dataclass(frozen=True)
class Suite:
    """Without `adapter` and `stack` every adapter faces it; SQL runs on `database`, a SQLite file or a server's URL."""

    name: str
    adapter: str
    rows: Path
    rules: tuple[Rule, ...]
    database: Path | str | None = None
    stack: str = ""


def names() -> list[str]:
    """Every suite there is."""
    return sorted(path.stem for path in SUITES.glob("*.yml"))


def read(name: str) -> Suite:
    """configs/suites/<name>.yml; UserError for an unknown name or metric."""
    if name not in names():
        hint = suggestion(name, names())
        raise UserError(f"there is no suite {name!r}; there are: {', '.join(names())}" + (f" ({hint})" if hint else ""))
    document = load(SUITES / f"{name}.yml")
    value = document.value
    problems = list(_unknown_metrics(document))
    if problems:
        raise UserError(problems=problems)
    rules = tuple(Rule(**{**each, "kinds": tuple(each.get("kinds", ()))}) for each in value["metrics"])
    database = ROOT / value["database"] if value.get("database") else None
    return Suite(name, value.get("adapter", ""), ROOT / value["rows"], rules, database, value.get("stack", ""))


def on(suite: Suite, url: str) -> Suite:
    """The suite with its SQL run where DB says; itself where that is empty, or where it runs none."""
    if not url or not suite.database:
        return suite
    from scripts.data.database import connect
    from scripts.score.sqlserver import READ

    engine = connect({}, url)
    engine.dispose()
    if engine.dialect.name == "sqlite" and engine.url.database:
        return replace(suite, database=Path(engine.url.database))
    if engine.dialect.name not in READ:
        raise UserError(f"DB={engine.url.render_as_string()}: SQL is scored on SQLite files, PostgreSQL and MySQL")
    return replace(suite, database=url)


def _unknown_metrics(document: Document) -> list[Problem]:
    found = []
    for index, each in enumerate(document.value["metrics"]):
        if each["metric"] not in NAMES:
            path, hint = f"$.metrics[{index}].metric", suggestion(each["metric"], NAMES)
            found.append(document.problem(path, f"{each['metric']!r} is not one of {', '.join(NAMES)}", hint))
    return found


def of(name: str) -> list[Suite]:
    """The suites that an adapter or stack faces: its own first, then those of everybody."""
    every = [read(each) for each in names()]
    own = [suite for suite in every if name in (suite.adapter, suite.stack)]
    return own + [suite for suite in every if not suite.adapter and not suite.stack]


def rows_of(suite: Suite) -> list[dict]:
    """The suite's rows in file order; missing files and broken lines are UserErrors with the next command."""
    again = f"make dataset ADAPTER={suite.adapter}" if suite.adapter else ""
    for needed in (suite.rows, suite.database):
        if isinstance(needed, Path) and not needed.exists():
            raise UserError(f"{shown(needed)}: no such file, needed by suite {suite.name}", next=again)
    rows = []
    for number, line in enumerate(lines(suite.rows), 1):
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise UserError(
                problems=[Problem(shown(suite.rows), number, error.colno, "", f"not JSON: {error.msg}")]
            ) from None
    if not rows:
        raise UserError(f"{shown(suite.rows)} has no rows", next=again)
    return rows
