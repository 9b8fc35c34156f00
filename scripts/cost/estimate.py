"""Everything that is reckoned for one resolved config: its rows, steps, adapter, memory and places to train it."""

from collections.abc import Sequence
from dataclasses import dataclass

from scripts.cost import adapterfile, architecture, gpus, measured, memory, steps
from scripts.cost.architecture import Architecture
from scripts.cost.gpus import Place
from scripts.cost.measured import Run
from scripts.cost.steps import Steps
from scripts.cost.tokens import Rows


@dataclass(frozen=True)
class Estimate:
    """The plan of one config in numbers; memory in bytes by part; `other` is the run with packing the other way."""

    config: dict
    architecture: Architecture
    rows: Rows
    steps: Steps
    other: Steps | None
    trainable: int
    file: int
    memory: dict[str, float]
    places: list[Place]
    cuda: bool
    runs: Sequence[Run]

    @property
    def total(self) -> float:
        """Bytes at the peak."""
        return sum(self.memory.values())

    @property
    def told_by(self) -> Run | None:
        """What the hours on a CPU are reckoned with."""
        return next((each for each in self.runs if not each.gpu), None)

    def hours(self, gpu: str = "") -> float | None:
        """On the device that calls itself so; None where there is nothing to reckon with."""
        if self.cuda:
            return next((each.hours for each in self.places if measured.named(each.name, gpu)), None)
        run = self.told_by
        # Processes on a CPU share its cores, so a run's speed is that of all of them together.
        return self.steps.tokens * run.seconds / (run.tokens * run.processes) / 3600 if run else None


def estimate(config: dict, rows: Rows, table: dict, runs: Sequence[Run] = (), processes: int = 1) -> Estimate:
    """The whole estimate of a resolved config over these rows on so many processes.

    `runs` are what was measured over its base. Memory is that of each process.
    """
    found = architecture.of(config)
    planned = steps.plan(config, rows, processes)
    cuda = bool(config.get("bf16") or config.get("fp16") or config.get("load_in_4bit"))
    parts = memory.parts(found, config, planned, cuda)
    return Estimate(
        config,
        found,
        rows,
        planned,
        steps.plan(config | {"sample_packing": not config.get("sample_packing")}, rows, processes) if cuda else None,
        adapterfile.trainable(found, config),
        adapterfile.file_bytes(found, config),
        parts,
        gpus.places(found, config, planned, sum(parts.values()), table, runs) if cuda else [],
        cuda,
        runs,
    )
