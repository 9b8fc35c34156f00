"""YAML as Axolotl reads it (PyYAML, YAML 1.1), with the line and column of every key and value.

`load(path)` gives a Document: its value, and where each JSONPath of it stands in the file. A file that
does not parse, or that a YAML 1.2 reader would understand differently, is a UserError with every Problem.
`read(path)` gives both instead of raising: the Document as far as there is one, and the Problems.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import yaml

from scripts.config import readings
from scripts.errors import Problem, UserError
from scripts.paths import shown

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MAX_BYTES = 256 * 1024
MAX_DEPTH = 20
MAX_VALUES = 20_000
MAX_FINDINGS = 200  # of one kind in one file; a file with more is no config
KEEP_ONE = "keep one"


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
    """Reads one YAML file; a missing, malformed or ambiguous one raises UserError."""
    document, problems = read(file)
    if problems or document is None:
        raise UserError(problems=problems)
    return document


def read(file: Path) -> tuple[Document | None, list[Problem]]:
    """Reads one YAML file; None where nothing can be read from it. A missing file raises UserError."""
    text, problem = text_of(file)
    return (None, [problem]) if problem else parse(text, file)


def parse(text: str, file: Path) -> tuple[Document | None, list[Problem]]:
    """The same for text that stands, or would stand, in `file`."""

    def at(mark: yaml.Mark | None, message: str, hint: str = "") -> Problem:
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        return Problem(shown(file), *place, "", message, hint)

    try:
        unsafe = [at(mark, message, hint) for mark, message, hint in islice(_unsafe(text), MAX_FINDINGS)]
        if unsafe:
            return None, unsafe
        loader = Loader(text)
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        return None, [
            at(
                error.problem_mark or error.context_mark,
                f"not YAML: {error.context or ''} {error.problem or ''}".replace("  ", " "),
            )
        ]
    except yaml.YAMLError as error:
        return None, [at(None, f"not YAML: {' '.join(str(error).split())}")]
    if node is None:
        return Document(file, None, {}), [at(None, "the file is empty")]
    places: dict[str, tuple[int, int]] = {}
    found: list[tuple[yaml.Mark, str, str, str]] = []
    _walk(node, "$", places, found, loader)
    problems = [
        Problem(shown(file), mark.line + 1, mark.column + 1, path, says, hint) for mark, path, says, hint in found
    ]
    try:
        return Document(file, loader.construct_document(node), places), problems
    except (yaml.YAMLError, ValueError, OverflowError):  # each such value has its Problem by now
        return None, problems or [at(node.start_mark, "not YAML: a value that can't be read")]


def parse_json(text: str, file: Path) -> tuple[Document | None, list[Problem]]:
    """The same for JSON, whose places YAML's parser knows."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        place = (getattr(error, "lineno", 1), getattr(error, "colno", 1))
        return None, [Problem(shown(file), *place, "", f"not JSON: {getattr(error, 'msg', 'nested too deep')}")]
    document, problems = parse(text, file)
    doubled = [each for each in problems if each.hint == KEEP_ONE or not each.path]
    return (Document(file, value, document.places) if document else None), doubled


def text_of(file: Path) -> tuple[str, Problem | None]:
    """A file's text without a byte order mark; a Problem where it is too large or not UTF-8."""
    try:
        if file.stat().st_size > MAX_BYTES:
            return "", Problem(shown(file), 1, 1, "", f"larger than {MAX_BYTES // 1024} KB")
        return file.read_bytes().decode("utf-8-sig"), None
    except FileNotFoundError:
        raise UserError(f"{shown(file)}: no such file") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        return "", Problem(shown(file), line, 1, "", f"not UTF-8 at byte {error.start}")


def _unsafe(text: str) -> Iterator[tuple[yaml.Mark, str, str]]:
    """What is refused before anything is built: anchors, aliases, tags, and more than a config has."""
    depth = 0
    for number, event in enumerate(yaml.parse(text, Loader=Loader)):
        if number > MAX_VALUES:
            yield event.start_mark, f"more than {MAX_VALUES:,} keys and values", ""
            return
        if isinstance(event, yaml.AliasEvent):
            yield event.start_mark, f"the alias *{event.anchor} is refused", "write the value again"
        elif getattr(event, "anchor", None):
            yield event.start_mark, f"the anchor &{event.anchor} is refused", "write the value again where it is needed"
        if getattr(event, "tag", None):
            yield event.start_mark, f"the tag {event.tag} is refused", "plain values need none"
        if getattr(event, "tags", None):
            yield event.start_mark, "a %TAG directive is refused", ""
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                yield event.start_mark, f"nested deeper than {MAX_DEPTH}", ""
                return
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _walk(node: yaml.Node, path: str, places: dict, found: list, loader: yaml.Loader) -> None:
    """Fills `places`, and `found` with every scalar that two YAML readers take differently and every double key."""
    places.setdefault(path, (node.start_mark.line + 1, node.start_mark.column + 1))
    if isinstance(node, yaml.MappingNode):
        first: dict[str, yaml.Mark] = {}
        for key, value in node.value:
            if len(found) >= MAX_FINDINGS:
                return
            inner = f"{path}.{key.value}" if isinstance(key, yaml.ScalarNode) else f"{path}.?"
            _key(key, inner, first, found, loader)
            places[inner] = (key.start_mark.line + 1, key.start_mark.column + 1)
            _walk(value, inner, places, found, loader)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _walk(value, f"{path}[{index}]", places, found, loader)
    elif message := readings.difference(node, loader):
        found.append((node.start_mark, path, *message))


def _key(key: yaml.Node, path: str, first: dict[str, yaml.Mark], found: list, loader: yaml.Loader) -> None:
    if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
        text = repr(key.value) if isinstance(key, yaml.ScalarNode) else "this"
        found.append((key.start_mark, path, f"{text} is no text for Axolotl, so it can't be a key", "quote it"))
        if isinstance(key, yaml.ScalarNode):
            readings.as_text(key, loader)
        return
    if key.value in first:
        line = first[key.value].line + 1
        says = f"{key.value!r} stands here and in line {line}: Axolotl takes the last, YAML 1.2 refuses the file"
        found.append((key.start_mark, path, says, KEEP_ONE))
    first.setdefault(key.value, key.start_mark)
