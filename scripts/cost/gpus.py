"""Which GPUs hold a training, and what it takes there in hours and dollars, from configs/machines/gpus.yml."""

from collections.abc import Sequence
from dataclasses import dataclass

from scripts.config import schema
from scripts.cost.architecture import Architecture
from scripts.cost.measured import Run
from scripts.cost.steps import Steps
from scripts.paths import CONFIGS

FILE = CONFIGS / "machines" / "gpus.yml"
#: Of a GPU's memory as it is sold, this much is usable: the driver's share and fragmentation are the rest.
USABLE = 0.94


@dataclass(frozen=True)
class Place:
    """One GPU: whether it fits, slots/s, hours and dollars, as `run` measured them or else at the assumed utilisation;
    `best` are the hours at the best one."""

    name: str
    memory: float
    fits: bool
    speed: float
    hours: float
    best: float
    dollars: float
    run: Run | None


def table() -> dict:
    """gpus.yml; UserError with every mistake in it."""
    return schema.load(FILE, "gpus").value


def places(
    architecture: Architecture, config: dict, steps: Steps, needed: float, value: dict, runs: Sequence[Run] = ()
) -> list[Place]:
    """Every GPU of the table, one a process, for a training that needs so many bytes on each.

    What was measured goes first. Speed is that of one; what they tell one another is taken to cost nothing.
    """
    work, slots = flops(architecture, config), steps.slots / steps.processes
    found = []
    for gpu in value["gpus"]:
        run = next((each for each in runs if each.tells(gpu["name"], config, steps.processes)), None)
        fastest = gpu["tflops"] * 1e12 / work
        speed = run.slots / run.seconds if run else fastest * value["utilisation"]
        hours = slots / speed / 3600
        held = (run.memory if run else 0) or needed
        found.append(
            Place(
                gpu["name"],
                gpu["memory"],
                held <= gpu["memory"] * 1e9 * USABLE,
                speed,
                hours,
                slots / (fastest * value["ceiling"]) / 3600,
                hours * steps.processes * gpu["dollars"],
                run,
            )
        )
    return found


def flops(architecture: Architecture, config: dict) -> float:
    """Floating-point operations a slot.

    2 a weight forward and 2 back to the activations (frozen weights get no gradient), 2 more where blocks are
    computed again for checkpointing, 6 a LoRA weight (arXiv 2001.08361, section 2.1, for frozen weights).
    Attention over rows this short is left out: under 2 %.
    """
    from scripts.cost import adapterfile

    again = 2 if config.get("gradient_checkpointing") else 0
    output = architecture.vocabulary * architecture.hidden
    return (4 + again) * architecture.linear + 4 * output + 6 * adapterfile.trainable(architecture, config)
