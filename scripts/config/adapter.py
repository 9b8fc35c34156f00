"""Finds an adapter by the name a person types: `unimed` is `unimed-attendant`."""

from pathlib import Path

from scripts.config import schema
from scripts.errors import UserError, suggestion
from scripts.paths import CONFIGS, DATASETS

#: What the folder of a merged model's name ends with.
MERGED = "-merged"


def names() -> list[str]:
    """Every adapter: the YAML files directly under configs/."""
    return sorted(path.stem for path in CONFIGS.glob("*.yml"))


def reserved(name: str) -> bool:
    """Whether outputs/<base>/<name>/ is the base's or a merged model's, so neither an adapter's nor a stack's."""
    return name == "base" or name.endswith(MERGED)


def find(name: str) -> str:
    """The adapter of exactly that name, else the one it begins; UserError lists the choices."""
    known = names()
    if name in known:
        return name
    matches = [each for each in known if name and each.startswith(name)]
    if len(matches) == 1:
        return matches[0]
    choices = ", ".join(matches or known)
    if matches:
        raise UserError(f"ADAPTER={name} is ambiguous: it begins {choices}", next="say one of them in full")
    problem = f"there is no adapter {name!r}" if name else "which adapter?"
    hint = suggestion(name, known)
    told = f"{problem}; there are: {choices}" + (f" ({hint})" if hint else "")
    raise UserError(told, next="make <verb> ADAPTER=<one of them>")


def config_of(name: str) -> Path:
    """configs/<name>.yml"""
    return CONFIGS / f"{name}.yml"


def data_of(name: str) -> Path:
    """datasets/<name>/"""
    return DATASETS / name


def load(name: str) -> dict:
    """The adapter's YAML as it is, without a profile; UserError where it does not fit its schema."""
    return schema.load(config_of(name), "adapter").value
