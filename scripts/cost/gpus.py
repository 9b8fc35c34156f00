"""Which GPUs hold a training, and what it takes there in hours and dollars, from configs/machines/gpus.yml."""

from dataclasses import dataclass

from scripts.config import schema
from scripts.cost.architecture import Architecture
from scripts.paths import CONFIGS

FILE = CONFIGS / "machines" / "gpus.yml"
#: Of a GPU's memory as it is sold, this much is usable: the driver's share and fragmentation are the rest.
USABLE = 0.94


@dataclass(frozen=True)
class Place:
    """One GPU: whether it fits, and at the assumed and the best utilisation tokens/s, hours and dollars."""

    name: str
    memory: float
    fits: bool
    speed: float
    hours: float
    best: float
    dollars: float


def table() -> dict:
    """gpus.yml; UserError with every mistake in it."""
    return schema.load(FILE, "gpus").value


def places(architecture: Architecture, config: dict, slots: int, needed: float, value: dict) -> list[Place]:
    """Every GPU of the table for a training of so many slots that needs so many bytes."""
    work = slots * flops(architecture, config)
    found = []
    for gpu in value["gpus"]:
        peak = gpu["tflops"] * 1e12
        hours = work / (peak * value["utilisation"]) / 3600
        found.append(
            Place(
                gpu["name"],
                gpu["memory"],
                needed <= gpu["memory"] * 1e9 * USABLE,
                slots / (hours * 3600) if hours else 0.0,
                hours,
                work / (peak * value["ceiling"]) / 3600,
                hours * gpu["dollars"],
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
