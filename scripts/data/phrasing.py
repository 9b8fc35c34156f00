"""The little language of phrasings in a recipe, and how a phrasing becomes text.

`{name}` is one line of the phrase list `name`, or a slot such as `{cpf}`; `{name?}` comes half the time and
`{name?20}` in 20 of 100; `{name cpf=short_cpf}` says `name` with another slot for `cpf`, so that right and
wrong data come in the same words; `[a|b|]` is one of the alternatives, here possibly nothing. Words never run
together: a space comes in where two would. A text is a list of pieces, so that noise can tell what people
typed freely from a CPF, a date or a name.
"""

import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from math import prod, sqrt
from types import MappingProxyType
from typing import NamedTuple

TOKEN = re.compile(r"\{(\w+)(\?(\d*))?((?: \w+=\w+)*)\}|([\[\]|])|([^{}\[\]|]+)|(.)", re.DOTALL)


class Piece(NamedTuple):
    """A stretch of text; fixed pieces (numbers, dates, names) are spared from typos and abbreviations."""

    text: str
    fixed: bool


class Name(NamedTuple):
    """A reference to a phrase list or slot, there in `chance` of 100; swaps are (slot, other slot)."""

    name: str
    chance: int
    swaps: tuple[tuple[str, str], ...] = ()


class Choice(NamedTuple):
    """Inline alternatives."""

    options: list[list]


class PhrasingError(ValueError):
    """A phrasing that doesn't parse."""


def parse(text: str) -> list:
    """Nodes (str, Name, Choice) of one phrasing; PhrasingError says what is wrong."""
    stack: list[list[list]] = [[[]]]
    for match in TOKEN.finditer(text):
        name, optional, chance, swaps, mark, plain, stray = match.groups()
        if stray:
            raise PhrasingError(f"{stray!r} is not closed or holds no name")
        if mark == "[":
            stack.append([[]])
        elif mark == "|" and len(stack) > 1:
            stack[-1].append([])
        elif mark == "]" and len(stack) > 1:
            done = Choice(stack.pop())
            stack[-1][-1].append(done)
        elif mark:
            raise PhrasingError(f"{mark!r} stands outside of [ ]")
        else:
            pairs = tuple(tuple(swap.split("=")) for swap in (swaps or "").split())
            stack[-1][-1].append(plain or Name(name, int(chance or 50) if optional else 100, pairs))
    if len(stack) > 1:
        raise PhrasingError("'[' is not closed")
    return stack[0][0]


def references(nodes: Iterable) -> Iterator[Name]:
    """Every reference to a list or slot in the nodes."""
    for node in nodes:
        if isinstance(node, Name):
            yield node
        elif isinstance(node, Choice):
            for option in node.options:
                yield from references(option)


def lines(block: str) -> list[tuple[int, str]]:
    """(line from 0, phrasing) of a block of text; empty lines and those that start with # are notes."""
    rows = ((n, line.strip()) for n, line in enumerate(block.splitlines()))
    return [(n, line) for n, line in rows if line and not line.startswith("#")]


class Lines(NamedTuple):
    """A phrase list: its parsed lines, and cumulative weights by which one is drawn."""

    options: list[list]
    cumulative: list[float]


def phrase_list(block: str) -> Lines:
    """The lines of a block; one with n texts in its [ ] alternatives comes sqrt(n) times as often as a plain one."""
    options = [parse(line) for _, line in lines(block)]
    return Lines(options, list(accumulate(sqrt(texts(option)) for option in options)))


def texts(nodes: Iterable) -> int:
    """How many texts the inline alternatives of the nodes make."""
    return prod(sum(map(texts, node.options)) for node in nodes if isinstance(node, Choice))


def expand(
    nodes: Iterable,
    lists: Mapping[str, Lines],
    slot: Callable[[str, random.Random], str],
    rng: random.Random,
    swaps: Mapping[str, str] = MappingProxyType({}),
) -> list[Piece]:
    """Pieces of one random text of the nodes; `slot` renders what is no list."""
    pieces: list[Piece] = []
    for node in nodes:
        if isinstance(node, str):
            pieces.append(Piece(node, False))
        elif isinstance(node, Choice):
            pieces += expand(rng.choice(node.options), lists, slot, rng, swaps)
        elif node.chance == 100 or rng.random() * 100 < node.chance:
            if node.name in lists:
                inner = swaps | dict(node.swaps) if node.swaps else swaps
                [line] = rng.choices(lists[node.name].options, cum_weights=lists[node.name].cumulative)
                pieces += expand(line, lists, slot, rng, inner)
            else:
                pieces.append(Piece(slot(swaps.get(node.name, node.name), rng), True))
    return pieces
