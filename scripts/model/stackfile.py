"""A stack as its YAML says it: which adapters, how much of each, by which method, over which base."""

from dataclasses import dataclass
from pathlib import Path

from scripts.config import profile, schema
from scripts.errors import UserError, suggestion
from scripts.paths import OUTPUTS, STACKS


@dataclass(frozen=True)
class StackFile:
    """configs/stacks/<name>.yml; `base` is empty for the base of the profile in use."""

    name: str
    weights: dict[str, float]
    method: str = "cat"
    rank: int = 0
    density: float = 0.5
    seed: int = 0
    base: str = ""


def names() -> list[str]:
    """Every stack there is."""
    return sorted(path.stem for path in STACKS.glob("*.yml"))


def read(name: str) -> StackFile:
    """The stack of that name, checked against its schema; UserError lists the choices or every mistake."""
    if name not in names():
        hint = suggestion(name, names())
        asked = f"there is no stack {name!r}" if name else "which stack?"
        known = f"{asked}; there are: {', '.join(names())}" + (f" ({hint})" if hint else "")
        raise UserError(known, next="make stack STACK=<one of them>, or write configs/stacks/<name>.yml")
    document = schema.load(STACKS / f"{name}.yml", "stack")
    value = dict(document.value)
    weights: dict[str, float] = {}
    for index, member in enumerate(value.pop("members")):
        if member["adapter"] in weights:
            twice = document.problem(f"$.members[{index}].adapter", f"{member['adapter']!r} is there already")
            raise UserError(problems=[twice], next="give one of them the sum of the weights")
        weights[member["adapter"]] = float(member.get("weight", 1))
    if not any(weights.values()):
        raise UserError(problems=[document.problem("$.members", "every weight is 0: nothing is left to stack")])
    return StackFile(name, dict(sorted(weights.items())), **value)


def runs_of(stack: StackFile, profile_name: str = "") -> Path:
    """outputs/<base>/, where the members' runs are and the result goes."""
    if stack.base:
        return OUTPUTS / stack.base
    return profile.run_folder(next(iter(stack.weights)), profile_name).parent
