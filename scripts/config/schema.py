"""A document against its JSON Schema, said so that a person can act on it.

jsonschema-rs finds what is wrong; here each finding becomes a sentence with the choices. A finding is marked
`[house]` where Axolotl itself would take the value and do what it says, and only this repository refuses it.
"""

import difflib
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import jsonschema_rs

from scripts.config import yamlfile
from scripts.config.yamlfile import Document
from scripts.errors import Problem, UserError, suggestion
from scripts.paths import SCHEMAS, shown

HOUSE = " [house]"
MARKED = ("adapter", "profile", "run")  # schemas of what Axolotl reads as well
NAMES = {"object": "keys and values", "array": "a list", "string": "text", "integer": "a whole number",
         "number": "a number", "boolean": "true or false", "null": "null"}  # fmt: skip


class Finding(NamedTuple):
    """What is wrong at a path; `house` where only this repository minds."""

    path: str
    message: str
    hint: str
    house: bool


def load(file: Path, name: str) -> Document:
    """A YAML file that fits schemas/<name>.schema.json; UserError with everything that is wrong with it."""
    document = yamlfile.load(file)
    if found := problems(document, name):
        raise UserError(problems=found, next="make check")
    return document


def problems(document: Document, name: str, value: object = ...) -> list[Problem]:
    """Every way in which the document (or another value of the same shape) breaks schemas/<name>.schema.json."""
    value = document.value if value is ... else value
    return [located(document, each) for each in findings(value, name)]


def located(document: Document, found: Finding) -> Problem:
    """A Problem at the finding's place in the file."""
    return document.problem(found.path, found.message + HOUSE * found.house, found.hint)


def findings(value: object, name: str) -> list[Finding]:
    """Every finding, one a path and message; where Axolotl minds as well, the house's say is left out."""
    raw = [found for error in validator(name).iter_errors(value) for found in explained(error, name)]
    if name not in MARKED:
        return sorted({found._replace(house=False) for found in raw})
    strict = {found.path for found in raw if not found.house}
    return sorted({found for found in raw if not found.house or found.path not in strict})


@cache
def schema(name: str) -> dict:
    """schemas/<name>.schema.json"""
    try:
        return json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{shown(SCHEMAS)}/{name}.schema.json can't be read: {error}", next="make schemas") from None


@cache
def validator(name: str) -> jsonschema_rs.Validator:
    """The compiled schema; a $ref to a neighbour is read from schemas/, never from the network."""
    return jsonschema_rs.validator_for(
        schema(name), base_uri=f"file:///schemas/{name}.schema.json", retriever=neighbour
    )


def neighbour(uri: str) -> dict:
    """The schema that a `$ref: other.schema.json#/…` names."""
    return schema(uri.rsplit("/", 1)[1].removesuffix(".schema.json"))


def explained(error: jsonschema_rs.ValidationError, name: str) -> Iterator[Finding]:
    """The findings behind one error: an unknown key each, the better branch of an anyOf, else a sentence."""
    node, word = subschema(error.absolute_keyword_location)
    path, detail = jsonpath(error.instance_path), error.kind.as_dict()
    if word == "anyOf":
        branches = [branch for branch in detail["context"] if branch and "null" not in branch[0].message]
        for inner in min(branches, key=len, default=[]):
            yield from explained(inner, name)
    elif word == "additionalProperties":
        for key in detail["unexpected"]:
            yield unknown(path, key, node, error.instance, name)
    elif word in ("required", "dependentRequired"):
        yield from absent(path, word, node, detail["property"], error.instance)
    elif word == "not":
        at = f"{path}.{node['x-at']}" if "x-at" in node else path
        yield Finding(at, node.get("errorMessage") or error.message, "", word in node.get("x-house", ()))
    elif error.instance is None:
        yield Finding(path, "is empty", "take the line out", not node.get("x-filled"))
    elif word != "type" or "enum" not in node:  # the choices say more than the type
        yield said(path, word, node, error)


def absent(path: str, word: str, node: dict, key: str, there: dict) -> Iterator[Finding]:
    """A key that is missing, or that another one needs."""
    house = word in node.get("x-house", ())
    if word == "required":
        yield Finding(f"{path}.{key}", "missing", "", house)
    for other, needed in node.get(word, {}).items() if word != "required" else ():
        if key in needed and other in there:
            yield Finding(f"{path}.{other}", f"means nothing without `{key}`", "", house)


def said(path: str, word: str, node: dict, error: jsonschema_rs.ValidationError) -> Finding:
    """One keyword of JSON Schema in words."""
    value, limit = error.instance, node.get(word)
    shows, hint, house = brief(value), "", word in node.get("x-house", ())
    if word == "type":
        kinds = limit if isinstance(limit, list) else [limit]
        message, house = f"{shows} is not {' or '.join(NAMES[each] for each in kinds)}", house or coerced(kinds, value)
    elif word in ("enum", "const"):
        choices = limit if word == "enum" else [limit]
        message, house = f"{shows} is not {' or '.join(map(brief, choices))}", house and fits(node.get("type"), value)
        hint = suggestion(value, [each for each in choices if isinstance(each, str)]) if isinstance(value, str) else ""
    elif "errorMessage" in node:
        message = f"{shows} is not {node['errorMessage']}"
        hint = suggestion(value, node.get("examples", [])) if isinstance(value, str) else ""
    else:
        compare = {"minimum": "less than", "maximum": "more than", "exclusiveMinimum": "not more than",
                   "exclusiveMaximum": "not less than"}  # fmt: skip
        message = f"{shows} is {compare[word]} {limit}" if word in compare else f"{shows}: {error.message[:120]}"
    return Finding(path, message, hint, house)


def unknown(path: str, key: str, node: dict, there: dict, name: str) -> Finding:
    """An unexpected key: one that Axolotl knows, or one that it would silently ignore."""
    top = schema("adapter" if name in MARKED else name)
    means = top.get("x-means", {}).get(key)
    choices = [each for each in node.get("properties", {}) if each not in there]
    known = node.get("x-axolotl", []) if name != "profile" else top["$defs"]["keys"]["x-axolotl"]
    hint = f"did you mean '{means}'?" if means in node.get("properties", {}) else nearest(key, choices, node)
    if key in known:
        why = next((why for pattern, why in top.get("x-refused", []) if re.search(pattern, key)), "")
        return Finding(
            f"{path}.{key}", f"{key!r} is not allowed here{why and ': ' + why}", hint, not why.startswith("Axolotl ")
        )
    if name == "profile" and key in top["$defs"]["keys"]["properties"]:
        return Finding(
            f"{path}.{key}", f"{key!r} is the adapter's own, wherever it runs", "move it to configs/<adapter>.yml", True
        )
    if key in top.get("x-plugins", ()) and there.get("plugins"):
        return Finding(f"{path}.{key}", f"{key!r} belongs to a plugin of Axolotl's that is not allowed here", "", True)
    ignored = "; Axolotl would ignore it without a word" if known else ""
    return Finding(f"{path}.{key}", f"unknown key {key!r}{ignored}", hint, False)


def nearest(key: str, absent: list[str], node: dict) -> str:
    """The likeliest key that was meant: one that is not there yet before one that is."""
    plain = key.lower().replace("-", "_").strip("_ ")
    for choices in (absent, list(node.get("properties", {}))):
        near = difflib.get_close_matches(plain, choices, n=1, cutoff=0.75)
        if near:
            return f"did you mean '{near[0]}'?"
    return ""


def fits(kinds: str | list[str] | None, value: object) -> bool:
    """Whether Axolotl's type of a key takes the value, as it is or coerced."""
    kinds = [kinds] if isinstance(kinds, str) else kinds or []
    name = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}.get(
        type(value)
    )
    return not kinds or name in kinds or (name == "integer" and "number" in kinds) or coerced(kinds, value)


def coerced(kinds: list[str], value: object) -> bool:
    """Whether Axolotl's pydantic model would take the value all the same: '32' for 32, 1 for true."""
    if isinstance(value, str):
        text = value.strip().lower()
        if "boolean" in kinds and text in ("true", "false", "yes", "no", "on", "off", "1", "0", "t", "f", "y", "n"):
            return True
        pattern = r"[-+]?\d+(\.0*)?" if "integer" in kinds else r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?"
        return bool({"integer", "number"} & set(kinds)) and re.fullmatch(pattern, text) is not None
    if isinstance(value, bool):
        return bool({"integer", "number"} & set(kinds))
    return "boolean" in kinds and value in (0, 1)


def subschema(location: str) -> tuple[dict, str]:
    """The part of a schema that `file:///schemas/adapter.schema.json#/$defs/…/minimum` names, and its keyword."""
    uri, _, pointer = location.partition("#/")
    *steps, word = [unquote(step).replace("~1", "/").replace("~0", "~") for step in pointer.split("/")]
    if "dependentRequired" in steps:  # its location goes on into the list of names
        steps, word = steps[: steps.index("dependentRequired")], "dependentRequired"
    node = neighbour(uri)
    for step in steps:
        node = node[int(step) if isinstance(node, list) else step]
    return node, word


def jsonpath(steps: list) -> str:
    """['datasets', 0, 'type'] is $.datasets[0].type"""
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)


def brief(value: object) -> str:
    """A value as JSON, cut to a line's length; text in single quotes."""
    text = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."
