"""A birth date that is said in parts.

"nasci 15 de novembro … 1967"; "ano 87, dia 6 de abril"; "dia 9 … março de 84"
"""

import re
from collections.abc import Iterator, Sequence

from scripts.data.birthdates import before_month, month_of, spoken_day, this_year, year_of
from scripts.data.findings import Date
from scripts.data.userturns import Turn

_ASKED = re.compile(r"nascimento|\bdata\b|\bano\b|\bmes\b|\bdia\b", re.IGNORECASE)
_BORN = re.compile(r"(?<!recem)(?<!recem[ -])nasc|anivers|\bsou d[eo]\b|\bdo ano\b")
_MONTH = re.compile(r"[a-z]{3,11}")
_NAMED = ("mes ", "mes de ", "mes: ")
_ASKED_YEAR = re.compile(r"\bano\b", re.IGNORECASE)
_DAY_AND_MONTH = re.compile(r"(?<![\d./-])(\d{1,2})/(\d{1,2})(?![\d/-]|\.\d)")
_MONTH_AND_YEAR = re.compile(r"(?<![\d./-])(\d{1,2}) ?[/.-] ?(\d{4})(?![\d/-]|\.\d)")
_DAY = re.compile(r"\bdia (\d{1,2})\b(?! +d[eo]\b|/)|^\W*(\d{1,2})\W*$")
_FIGURES = r"(\d{4}|\d\d)(?!\d|[./,-]\w| +d[eo]\b)"
_WORDS = r"((?:dois )?mil(?: e)? [a-z]+(?: e [a-z]+){0,3}|[a-z]+ta(?: e [a-z]+)?)"
_YEAR_AFTER = (
    r"\b(?:ano(?: (?:que|q|em que))?(?: eu)?(?: nasci)?(?: (?:e|eh|foi|de|:))?|sou d[eo](?: ano)?(?: de)?|"
    r"nasci(?:d[oa])? (?:em|no ano(?: de)?)|e? ?d[eo])|(?<!\d)[.,;!?]"
)
_YEAR = re.compile(rf"(?:{_YEAR_AFTER}) ?(?:{_FIGURES}|{_WORDS})|^\W*(?:em |de |foi em )?{_FIGURES}")
_OF_MONTH = re.compile(rf"\s*(?:d[eo]|/|,)?\s*(?:{_FIGURES}|{_WORDS})")

Part = tuple[str, int, int]  # day, month or year; value; where it ends in the turn


def joined(turns: Sequence[Turn]) -> tuple[list[int], Date] | None:
    """(where each part ends, the date) in these turns; None unless each part is there with one value.

    Only turns count that answer a question for a date or speak of a birth.
    """
    found: dict[str, dict[int, int]] = {"year": {}, "month": {}, "day": {}}
    for turn in turns:
        if _ASKED.search(turn.asked) or _BORN.search(turn.text):
            for part, value, end in _parts(turn.text, turn.digits):
                if part == "day" and (value > 31 or (_ASKED_YEAR.search(turn.asked) and turn.text.strip().isdecimal())):
                    continue
                found[part][value] = turn.offset + end
    if any(len(values) != 1 for values in found.values()):
        return None
    return [end for values in found.values() for end in values.values()], tuple(min(each) for each in found.values())


def begun(turn: Turn) -> list[int]:
    """Where a turn names a month with a day or with a year of the past, as ends of these in all that was said."""
    found = _dated(turn.text, turn.digits)
    return [
        turn.offset + end for part, value, end in found if part == "day" or (part == "year" and value < this_year())
    ]


def _parts(text: str, digits: str) -> Iterator[Part]:
    """What one turn says of a date; a day or a year alone only where it says none with a month."""
    dated = [*_dated(text, digits)]
    yield from dated
    kinds = {kind for kind, _, _ in dated}
    if "day" not in kinds:
        yield from (("day", int(each[1] or each[2]), each.end()) for each in _DAY.finditer(digits))
    if "year" not in kinds:
        years = ((year_of(each[1] or each[2] or each[3]), each.end()) for each in _YEAR.finditer(digits))
        yield from (("year", year, end) for year, end in years if year)


def _dated(text: str, digits: str) -> Iterator[Part]:
    """Months with what stands beside them, by name and in figures."""
    yield from _with_month(text)
    yield from _in_figures(digits)


def _with_month(text: str) -> Iterator[Part]:
    """A month by its name, with the day before it and the year after it."""
    for word in _MONTH.finditer(text):
        if not (month := month_of(word[0])):
            continue
        before = text[: word.start()]
        found, after = before_month(text, word.start()), _OF_MONTH.match(text, word.end())
        day, year = spoken_day(found) if found else 0, year_of(after[1] or after[2]) if after else 0
        if day or year or before.endswith(_NAMED) or not before.strip(" .,:;-"):
            yield "month", month, word.end()
        if day:
            yield "day", day, word.end()
        if year:
            yield "year", year, after.end()


def _in_figures(digits: str) -> Iterator[Part]:
    """15/11, 11/1967"""
    for found in _DAY_AND_MONTH.finditer(digits):
        yield "day", int(found[1]), found.end()
        yield "month", int(found[2]), found.end()
    for found in _MONTH_AND_YEAR.finditer(digits):
        if int(found[1]) <= 12 and (year := year_of(found[2])):
            yield "month", int(found[1]), found.end()
            yield "year", year, found.end()
