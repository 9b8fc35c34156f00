"""Command-line arguments that Make passes as environment variables.

`make train ADAPTER=kpi` exports ADAPTER and names no value on a shell line, so nothing that a value
contains is ever run; `python -m scripts.train --adapter kpi` says the same without Make.
"""

import argparse
import os

from scripts.errors import UserError


def parser(doc: str) -> argparse.ArgumentParser:
    """A parser whose help is the verb's own docstring."""
    return argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)


def add(target: argparse.ArgumentParser, variable: str, help: str, default: str = "", **options) -> None:
    """Adds `--name VALUE`; without it the environment's NAME counts, then the default."""
    value = os.environ.get(variable) or default
    target.add_argument(f"--{variable.lower().replace('_', '-')}", default=value, help=help, **options)


def flag(text: str) -> bool:
    """Whether FORCE=, DRY=, CHECK= … says yes: anything but nothing and 0."""
    return text not in ("", "0")


def number(variable: str, text: str, least: int, most: int | None = None) -> int:
    """A whole number from `least`, to `most` where that is given; UserError names the variable otherwise."""
    if text.isdecimal() and least <= int(text) and (most is None or int(text) <= most):
        return int(text)
    raise UserError(f"{variable}={text} is not a number from {least}" + (f" to {most:,}" if most is not None else ""))
