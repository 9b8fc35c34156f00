"""YAML as Axolotl reads it (PyYAML, YAML 1.1), with the line and column of every key and value.

`load(path)` gives a Document: its value, and where each JSONPath of it stands in the file. Text that
does not parse is a UserError with one Problem at the place.
"""

from dataclasses import dataclass
from pathlib import Path

import yaml

from scripts.errors import Problem, UserError
from scripts.paths import shown

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Document:
    """A parsed YAML file; `places` maps a path such as `$.datasets[0].type` to (line, col) from 1."""

    file: Path
    value: object
    places: dict[str, tuple[int, int]]

    def problem(self, path: str, message: str, hint: str = "") -> Problem:
        """A Problem at that path, or at the nearest enclosing one that the file has."""
        inner = path
        while inner not in self.places and inner != "$":
            inner = inner[: max(inner.rfind("."), inner.rfind("["))] or "$"
        return Problem(shown(self.file), *self.places.get(inner, (1, 1)), path, message, hint)


def load(file: Path) -> Document:
    """Reads one YAML file; a missing or malformed one raises UserError."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{shown(file)}: no such file") from None
    except UnicodeDecodeError as error:
        raise UserError(problems=[Problem(shown(file), 1, 1, "", f"not UTF-8 at byte {error.start}")]) from None
    try:
        loader = Loader(text)
        node = loader.get_single_node()
        value = None if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise UserError(problems=[Problem(shown(file), *place, "", f"not YAML: {error.problem}")]) from None
    places: dict[str, tuple[int, int]] = {}
    if node is not None:
        _walk(node, "$", places)
    return Document(file, value, places)


def _walk(node: yaml.Node, path: str, places: dict[str, tuple[int, int]]) -> None:
    places.setdefault(path, (node.start_mark.line + 1, node.start_mark.column + 1))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = f"{path}.{key.value}"
            places[inner] = (key.start_mark.line + 1, key.start_mark.column + 1)
            _walk(value, inner, places)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _walk(value, f"{path}[{index}]", places)
