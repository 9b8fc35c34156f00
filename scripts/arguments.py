"""Command-line arguments that Make passes as environment variables.

`make train ADAPTER=kpi` exports ADAPTER and names no value on a shell line, so nothing that a value
contains is ever run; `python -m scripts.train --adapter kpi` says the same without Make.
"""

import argparse
import os


def parser(doc: str) -> argparse.ArgumentParser:
    """A parser whose help is the verb's own docstring."""
    return argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)


def add(target: argparse.ArgumentParser, variable: str, help: str, default: str = "", **options) -> None:
    """Adds `--name VALUE`; without it the environment's NAME counts, then the default."""
    value = os.environ.get(variable) or default
    target.add_argument(f"--{variable.lower().replace('_', '-')}", default=value, help=help, **options)
