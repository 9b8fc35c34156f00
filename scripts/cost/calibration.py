"""Every finished run over a base, planned again from what the others tell, and held against what it took."""

from collections.abc import Iterator, Sequence

from scripts.config import adapter
from scripts.cost import figures, gpus, tokens
from scripts.cost.estimate import Estimate, estimate
from scripts.cost.measured import Run
from scripts.cost.page import Section
from scripts.errors import UserError
from scripts.files import sha256
from scripts.paths import ROOT

HEADS = ("run", "memory", "measured", "", "time", "measured", "")


def sections(runs: Sequence[Run]) -> Iterator[Section]:
    """The plan's part about it; none where nothing is finished."""
    if rows := table(runs):
        note = "each planned as if it were still to come: its time from what the other runs measured"
        yield Section("Planned against measured", heads=HEADS, rows=rows, notes=[note])


def table(runs: Sequence[Run]) -> list[tuple[str, ...]]:
    """A row a finished run: memory and time as planned, as measured, and the plan's error."""
    return [row(run, planned) for run, planned in again(runs)]


def again(runs: Sequence[Run]) -> Iterator[tuple[Run, Estimate]]:
    """Each finished run with its plan over the rows that its adapter has now."""
    for run in runs:
        if not run.data or run.adapter not in adapter.names():
            continue
        others = [each for each in runs if each != run]
        try:
            rows = tokens.measure(run.adapter, run.config)
            yield run, estimate(run.config, rows, gpus.table(), others, run.processes)
        except (LookupError, TypeError, OSError, UserError):
            continue  # a config of another shape, or a template that is gone


def row(run: Run, planned: Estimate) -> tuple[str, ...]:
    """One run in words."""
    files = [(ROOT / each["path"], each["sha256"]) for each in run.data]
    same = all(file.exists() and sha256(file) == recorded for file, recorded in files)
    hours, took = planned.hours(run.gpu), run.seconds / 3600
    memory = (figures.size(planned.total), figures.size(run.memory) if run.memory else "-")
    time = (figures.hours(hours) if hours else "-", figures.hours(took))
    name = run.adapter if same else f"{run.adapter}, whose rows were others"
    return (name, *memory, error(planned.total, run.memory), *time, error(hours, took))


def error(planned: float | None, measured: float) -> str:
    """How far the plan was off."""
    return f"{planned / measured - 1:+.0%}" if planned and measured else "-"
