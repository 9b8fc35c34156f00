"""A data set's recipe: `recipe.yml`, whatever YAML files it includes, checked as one.

The files' `phrases`, `answers`, `kinds` … are put together; what a file says wrong is reported at its
line. Recipes of every source of data are loaded here; only dialogues have phrasings to check.
"""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import jsonschema

from scripts.config.yamlfile import Document
from scripts.config.yamlfile import load as load_yaml
from scripts.data.person import WRITERS
from scripts.data.phrasing import PhrasingError, lines, names, parse
from scripts.errors import Problem, UserError, suggestion
from scripts.paths import SCHEMAS

SECTIONS = ("facts", "values", "phrases", "answers", "calls", "results", "kinds")
VALUES = ("due", "amount")


@cache
def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads((SCHEMAS / "recipe.schema.json").read_text(encoding="utf-8")))


def load(folder: Path) -> dict:
    """The recipe of a data folder with its includes merged in; UserError names every mistake at once."""
    main = load_yaml(folder / "recipe.yml")
    included = main.value.get("include", []) if isinstance(main.value, dict) else []
    files = {n: sorted(folder.glob(pattern)) for n, pattern in enumerate(included)}
    documents = [main, *(load_yaml(path) for paths in files.values() for path in paths)]
    problems = [problem for document in documents for problem in _against_schema(document, document is main)]
    problems += [main.problem(f"$.include[{n}]", "no such file") for n, paths in files.items() if not paths]
    if not problems:
        recipe, problems = _merged(documents)
        problems += _references(documents, recipe) if recipe.get("source") == "dialogues" else []
    if problems:
        raise UserError(problems=problems)
    return recipe


def allowed(folder: Path) -> list[str]:
    """The lines of allow.txt: phones and e-mails that rows may show."""
    file = folder / "allow.txt"
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def _against_schema(document: Document, main: bool) -> Iterator[Problem]:
    value = document.value if main else {"source": "dialogues", "part": True} | (document.value or {})
    for error in _validator().iter_errors(value):
        yield document.problem(error.json_path, error.message[:200])


def _merged(documents: list[Document]) -> tuple[dict, list[Problem]]:
    recipe, problems = dict(documents[0].value), []
    for section in SECTIONS:
        if section in recipe:
            recipe[section] = dict(recipe[section])
    for document in documents[1:]:
        for section, entries in (document.value or {}).items():
            known = recipe.setdefault(section, {})
            problems += [
                document.problem(f"$.{section}.{name}", f"{name!r} is there already, in another file")
                for name in entries
                if name in known
            ]
            known.update(entries)
    return recipe, problems


def _blocks(document: Document) -> Iterator[tuple[str, str]]:
    """(JSONPath, block of phrasings) of every text in a file that is written in the phrasing language."""
    value = document.value
    for name, block in value.get("phrases", {}).items():
        sides = block.items() if isinstance(block, dict) else [("", block)]
        yield from ((f"$.phrases.{name}" + (f".{side}" if side else ""), text) for side, text in sides)
    for name, answer in value.get("answers", {}).items():
        yield f"$.answers.{name}.say", answer["say"]
    for name, kind in value.get("kinds", {}).items():
        for n, flow in enumerate(kind["flows"]):
            for t, turn in enumerate(flow["turns"]):
                if "user" in turn:
                    yield f"$.kinds.{name}.flows[{n}].turns[{t}].user", turn["user"]


def _references(documents: list[Document], recipe: dict) -> Iterator[Problem]:
    """What a phrasing or a turn names has to be there."""
    known = {*recipe["phrases"], *WRITERS, *recipe.get("facts", {}), *recipe.get("values", {}), *VALUES}
    for document in documents:
        for path, block in _blocks(document):
            for offset, line in lines(block):
                try:
                    missing = names(parse(line)) - known
                except PhrasingError as error:
                    yield _at(document, path, offset, f"{error} in {line[:60]!r}")
                else:
                    for name in sorted(missing):
                        yield _at(document, path, offset, f"there is no {{{name}}}", suggestion(name, known))
        yield from _turn_references(document, recipe)


def _at(document: Document, path: str, offset: int, message: str, hint: str = "") -> Problem:
    place = document.problem(path, message, hint)
    return Problem(place.file, place.line + 1 + offset, 0, path, message, hint)


def _turn_references(document: Document, recipe: dict) -> Iterator[Problem]:
    sections = {"bot": "answers", "call": "calls", "result": "results"}
    for name, kind in document.value.get("kinds", {}).items():
        for n, flow in enumerate(kind["flows"]):
            for t, turn in enumerate(flow["turns"]):
                [(role, target)] = turn.items()
                section = sections.get(role)
                if section and target not in recipe[section]:
                    path = f"$.kinds.{name}.flows[{n}].turns[{t}].{role}"
                    hint = suggestion(target, recipe[section])
                    yield document.problem(path, f"there is no {target!r} under {section}", hint)
