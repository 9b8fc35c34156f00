"""What was found, as lines for a person, as annotations for a pull request on GitHub, or as JSON."""

import json

from scripts.errors import Problem

HOUSE = "[house]"


def text(problems: list[Problem]) -> str:
    """One line a problem."""
    return "\n".join(map(str, problems))


def github(problems: list[Problem]) -> str:
    """GitHub's workflow commands: each lands on its line in the diff."""
    return "\n".join(
        f"::error file={_property(each.file)},line={each.line or 1},col={each.col or 1}"
        f",title={_property(each.path or 'check')}"
        f"::{_data(each.message + (f' ({each.hint})' if each.hint else ''))}"
        for each in problems
    )


def as_json(problems: list[Problem]) -> str:
    """A list of objects; `house` tells a rule of this repository from one of Axolotl or of YAML."""
    return json.dumps(
        [vars(each) | {"house": HOUSE in each.message} for each in problems], ensure_ascii=False, indent=1
    )


FORMATS = {"text": text, "github": github, "json": as_json}


def _data(value: str) -> str:
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")
