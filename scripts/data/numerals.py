"""Numbers as people say them: runs of number words and digits, each spoken number with its digits.

"meia" is 6; "cento e vinte e três" is one number of three digits; "um dois três" are three of one.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from scripts.data.names import fold
from scripts.data.spoken import number

UNITS = ["zero", "um", "dois", "tres", "quatro", "cinco", "seis", "sete", "oito", "nove"]
_TEENS = ["dez", "onze", "doze", "treze", "quatorze", "quinze", "dezesseis", "dezessete", "dezoito", "dezenove"]
_TENS = ["vinte", "trinta", "quarenta", "cinquenta", "sessenta", "setenta", "oitenta", "noventa"]
_HUNDREDS = [
    "cento",
    "duzentos",
    "trezentos",
    "quatrocentos",
    "quinhentos",
    "seiscentos",
    "setecentos",
    "oitocentos",
    "novecentos",
]
VALUES = {word: value for value, word in enumerate(UNITS)} | {
    "uma": 1,
    "duas": 2,
    "meia": 6,
    "cem": 100,
    "catorze": 14,
}
VALUES |= {word: value for value, word in enumerate(_TEENS, 10)} | {"primeiro": 1, "mil": 1000}
VALUES |= {word: 10 * value for value, word in enumerate(_TENS, 2)} | {
    word: 100 * n for n, word in enumerate(_HUNDREDS, 1)
}
_TOKEN = re.compile(r"[^\W\d_]+|\d+")
_GAP = re.compile(r"[\s,.\-–/]*(?:(?:ponto|traço|traco|barra|hífen|hifen|espaço|e)\b[\s,.\-–/]*)?", re.IGNORECASE)


@dataclass(frozen=True)
class Spoken:
    """One spoken number: where it stands and its digits as they would be written."""

    start: int
    end: int
    digits: str


def runs(text: str) -> Iterator[list[Spoken]]:
    """Spoken numbers that follow one another with nothing but separators between; at least one in words."""
    run: list[Spoken] = []
    for each in numbers(text):
        if run and not _GAP.fullmatch(text, run[-1].end, each.start):
            if any(text[each.start].isalpha() for each in run):
                yield run
            run = []
        run.append(each)
    if any(text[each.start].isalpha() for each in run):
        yield run


def numbers(text: str) -> Iterator[Spoken]:
    """Every number of the text, in words or digits."""
    tokens = [(m.start(), m.end(), m[0]) for m in _TOKEN.finditer(text)]
    at = 0
    while at < len(tokens):
        start, end, word = tokens[at]
        if word.isdecimal():
            yield Spoken(start, end, word)
            at += 1
            continue
        value = VALUES.get(fold(word))
        if value is None:
            at += 1
            continue
        at += 1
        while at < len(tokens):
            joined = fold(tokens[at][2]) == "e" and at + 1 < len(tokens)
            following = fold(tokens[at + joined][2])
            more = VALUES.get(following)
            if more is None or not _continues(value, more, joined, following):
                break
            value = value * 1000 if more == 1000 else value + more
            end = tokens[at + joined][1]
            at += 1 + joined
        yield Spoken(start, end, str(value))


def _continues(value: int, more: int, joined: bool, word: str) -> bool:
    """Whether a number word goes on a spoken number: `vinte e um`, `mil novecentos`, `dois mil`."""
    if word == "mil":
        return 1 < value < 10
    if value >= 1000:
        return (
            (more < 1000 and value % 1000 == 0)
            or (joined and more < 100 and value % 100 == 0)
            or _continues(value % 1000, more, joined, word)
        )
    if value >= 100:
        return joined and (
            (value % 100 == 0 and more < 100) or (value % 100 >= 20 and value % 10 == 0 and 0 < more < 10)
        )
    return joined and value >= 20 and value % 10 == 0 and 0 < more < 10


def spell(digits: str, like: str) -> str:
    """Digits as a spoken number, in the case and with the `meia` of what it replaces."""
    rest = digits.lstrip("0")
    words = ["zero"] * (len(digits) - len(rest)) + ([number(int(rest))] if rest else [])
    said = " ".join(words)
    said = "meia" if said == "seis" and fold(like) in ("meia",) else said
    return said.upper() if like.isupper() else said.capitalize() if like[:1].isupper() else said
