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
    import jsonschema  # a tenth of a second that only a build needs: make check reads recipes with jsonschema_rs

    return jsonschema.Draft202012Validator(json.loads((SCHEMAS / "recipe.schema.json").read_text(encoding="utf-8")))


def load(folder: Path) -> dict:
    """The recipe of a data folder with its includes merged in; UserError names every mistake at once."""
    main = load_yaml(folder / "recipe.yml")
    included = main.value.get("include") if isinstance(main.value, dict) else None
    files = {n: sorted(folder.glob(str(pattern))) for n, pattern in enumerate(included or [])}
    documents = [main, *(load_yaml(path) for paths in files.values() for path in paths)]
    problems = [problem for document in documents for problem in _against_schema(document, document is main)]
    problems += [main.problem(f"$.include[{n}]", "no such file") for n, paths in files.items() if not paths]
    if not problems:
        recipe, problems = _merged(documents)
        if recipe["source"] == "dialogues":
            problems += references.problems(documents, recipe)
    if problems:
        raise UserError(problems=problems, next=f"mend {shown(folder)}, then make dataset again")
    return recipe


def allowed(folder: Path) -> list[str]:
    """The lines of allow.txt: phones and e-mails that rows may show."""
    file = folder / "allow.txt"
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def _against_schema(document: Document, main: bool) -> Iterator[Problem]:
    from jsonschema.exceptions import best_match

    value = document.value
    if not main and isinstance(value, dict):
        value = {"source": "dialogues", "part": True} | value
    for error in _validator().iter_errors(value):
        inner = best_match([error])
        hint = ""
        if inner.validator == "additionalProperties":
            unknown = next((key for key in inner.instance if key not in inner.schema["properties"]), "")
            hint = suggestion(str(unknown), inner.schema["properties"])
        said = repr(inner.instance)
        message = inner.message.replace(said, "this") if len(said) > 60 else inner.message
        yield document.problem(inner.json_path, message, hint)


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
