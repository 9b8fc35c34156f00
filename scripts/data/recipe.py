"""A data set's recipe: `recipe.yml`, whatever YAML files it includes, checked as one.

The files' `phrases`, `answers`, `kinds` … are put together; what a file says wrong is reported at its
line. Recipes of every source of data are loaded here; only those of dialogues have parts.
"""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from scripts.config.yamlfile import Document
from scripts.config.yamlfile import load as load_yaml
from scripts.data import references
from scripts.errors import Problem, UserError, suggestion
from scripts.paths import SCHEMAS, shown

SECTIONS = ("facts", "values", "phrases", "answers", "calls", "results", "kinds")


@cache
def _validator():
    import jsonschema  # a tenth of a second that only a reader of recipes needs

    rules = json.loads((SCHEMAS / "recipe.schema.json").read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(rules, format_checker=jsonschema.FormatChecker(["regex"]))


def load(folder: Path) -> dict:
    """The recipe of a data folder with its includes merged in; UserError names every mistake at once."""
    main = load_yaml(folder / "recipe.yml")
    problems = list(_against_schema(main))
    files = {n: sorted({*folder.glob(pattern)} - {main.file}) for n, pattern in _patterns(main.value)}
    parts = [load_yaml(path) for path in dict.fromkeys(path for paths in files.values() for path in paths)]
    problems += [problem for document in parts for problem in _part_problems(document)]
    problems += [main.problem(f"$.include[{n}]", "no such file") for n, paths in files.items() if not paths]
    if not problems:
        recipe, problems = _merged([main, *parts])
        if recipe["source"] == "dialogues":
            problems += references.problems([main, *parts], recipe)
        if recipe["source"] == "indicators":
            problems += _backward(main)
    if problems:
        raise UserError(problems=problems, next=f"mend {shown(folder)}, then make dataset again")
    return recipe


def _patterns(recipe: object) -> Iterator[tuple[int, str]]:
    """(position, pattern) of what a recipe includes, as far as the schema has nothing against it."""
    included = recipe.get("include") if isinstance(recipe, dict) else None
    allowed = _validator().evolve(schema=_validator().schema["$defs"]["pattern"])
    return (
        (n, each) for n, each in enumerate(included if isinstance(included, list) else ()) if allowed.is_valid(each)
    )


def _part_problems(document: Document) -> Iterator[Problem]:
    """What is wrong with an included file: it has sections of a recipe and nothing else."""
    value = document.value
    if isinstance(value, dict):
        main = _validator().schema["$defs"]["dialogues"]["properties"].keys() - set(SECTIONS)
        yield from (document.problem(f"$.{key}", f"{key!r} belongs into recipe.yml alone") for key in main & set(value))
        value = {key: each for key, each in value.items() if key not in main} | {"source": "dialogues", "part": True}
    yield from _against_schema(document, value)


def _against_schema(document: Document, value: object = ...) -> Iterator[Problem]:
    from jsonschema.exceptions import best_match

    for error in _validator().iter_errors(document.value if value is ... else value):
        inner = best_match([error])
        hint = ""
        if inner.validator == "additionalProperties":
            unknown = next((key for key in inner.instance if key not in inner.schema["properties"]), "")
            hint = suggestion(str(unknown), inner.schema["properties"])
        if inner.validator == "enum":
            hint = suggestion(str(inner.instance), inner.schema["enum"])
        said = repr(inner.instance)
        message = inner.message.replace(said, "this") if len(said) > 60 else inner.message
        if inner.validator == "pattern" and "errorMessage" in inner.schema:
            message = f"{said} is not {inner.schema['errorMessage']}"
        yield document.problem(inner.json_path, message, hint)


def _backward(main: Document) -> Iterator[Problem]:
    for key in ("months", "sql_months"):
        first, last = main.value["options"][key]
        if first > last:
            yield main.problem(f"$.options.{key}", f"{first} comes after {last}")


def _merged(documents: list[Document]) -> tuple[dict, list[Problem]]:
    recipe, problems = dict(documents[0].value), []
    if recipe["source"] == "dialogues":
        recipe |= {section: dict(recipe.get(section, {})) for section in SECTIONS}
    for document in documents[1:]:
        for section, entries in document.value.items():
            known = recipe[section]
            problems += [
                document.problem(f"$.{section}.{name}", f"{name!r} is there already, in another file")
                for name in entries
                if name in known
            ]
            known.update(entries)
    return recipe, problems
