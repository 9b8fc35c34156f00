"""Where a folded text has a given date, in any form, and what a later correction makes of a date."""

import difflib
import itertools
import re
from collections.abc import Iterator, Sequence
from datetime import date

from scripts.data.findings import Date
from scripts.data.numerals import UNITS
from scripts.data.ownership import CORRECTION
from scripts.data.spoken import MONTHS, number
from scripts.data.userturns import folded

_LINK = r"(?:(?:[\s/.,-]|\b(?:de|do|da|dia|mes|ano)\b){1,12}|(?<=\d)(?=[a-z])|(?<=[a-z])(?=\d))"
_START, _END = r"(?<!\d)(?:(?<![a-z])|(?=\d))(?<!vinte e )(?<!trinta e )", r"(?!\d|[a-z])"
_FOLDED_MONTHS = ["marco" if name == "março" else name for name in MONTHS]
_COUNTED = "no lugar|anos?|vezes|mes(?:es)?|reais|dias|parcelas"
_NUMBER = re.compile(rf"(?<![\d.-])(?:\d{{4}}|\d{{1,2}})(?!\d|[.-]\d| (?:{_COUNTED})\b)")
_NAMED = re.compile(r"\b(dia|mes|ano)(?: cert[oa]| corret[oa])?(?: (?:e|eh|de|foi))? ?$")
#: What is denied, or of another number.
_NOT_OF_IT = re.compile(
    r"\b(?:(?:nao|nem)(?: (?:e|eh|era))? (?:o )?|"
    r"(?:cpf|final|digitos?|termina\w* (?:em|com))\W{1,3}(?:(?:e|eh|sao|era)\W{1,3})?)$"
)
#: A turn that gives one part of a date and no other number: "kkkk é 1965", "desculpa, dia 28".
_RETRY = re.compile(
    r"\W*(?:(?:k+|rs+|ops|opa|ah|eita|vixe|desculpa|perdao|errei|verdade|digo|quis dizer|e|eh|o|ano|dia|mes|certo|"
    r"correto|foi|nasci|em|d[eo]|no|sim|mil)\W+)*(?P<n>\d{4}|\d{1,2})(?![\d/-]| d[eo] )\D*"
)
#: Characters before a number in which that word stands; in which a correction does.
_NEAR, _FAR = 20, 60
#: Right before a number: it stands in the place of a part that is named, or of the year.
_RIGHT = re.compile(
    r"(?:\bo (?P<named>dia|mes|ano)(?: cert[oa]| corret[oa])?,? (?:e|eh|seria)"
    r"|\b(?:mud[ae]|troc[ao]|troque|corrij\w|coloc[ae]) o (?P<put>dia|mes|ano) (?:pra|para|por|pro)"
    r"|\b(?:err\w+|era?r?d[ao]|minto|confund\w+|a?trapalh\w+|engan\w+|vixe|ops|n(?:ao)? n(?:ao)?|"
    r"n(?:ao)? (?:e|eh) ess[ea]|corrig\w+|corrij\w+|quer dizer|digo|foi mal|desculp\w+|perdao|troquei|alias|"
    r"na verdade|o cert[oa]|o corret[oa])"
    r"(?P<then>(?:\W+(?:e|eh|foi|nasci|em|d[eo]|n[oa]|o|a|ano|dia|mes|seria|cert[oa]|coloca|bota|so|sou|que|ta|errad[oa])\b)*))"
    r"\W{1,3}$"
)
_MORE = re.compile(r"[/.-]?\d|\s*[/-]|\s+d[eo]\s+\w")
_WHOLE = re.compile(rf"{_START}\d{{1,2}}[oa]?{_LINK}(?:\d{{1,2}}|[a-z]{{3,12}}){_LINK}(?:\d{{4}}|\d{{2}})(?!\d)")
#: What would make another number of a number in words: "dois" of "dois mil e onze", "oitenta" of "oitenta e cinco".
_NO_MORE = rf"(?! mil\b| e (?:{'|'.join(UNITS[1:])})\b)"
#: What is said last counts; whoever pastes a list must not keep a server busy with what could be made of it.
_LAST, _LAST_DATES = 8, 3


def places(text: str, digits: str, birth: date) -> Iterator[tuple[int, int]]:
    """Spans of a date; `digits` is the text with digits for number words. The date need not exist: 31/02."""
    parts = _forms(birth)
    for order in (parts, parts[::-1]):
        for found in re.finditer(_START + _LINK.join(order) + _END, text):
            if not _other_month(found, birth):
                yield found.span()
    day, month, year = _figures(birth)
    for joined in (day + month + year, year + month + day, day + month + year[2:]):
        for found in re.finditer(r"(?<!\d)" + r"\s?".join(joined) + r"(?!\d)", digits):
            yield found.span()


def corrected(text: str, birth: date) -> Iterator[tuple[int, int]]:
    """Dates that differ in one part, where that part is put right by a later correction."""
    days, months, years = _forms(birth)
    anything = r"\w{1,12}(?: e \w{1,12}){0,3}"
    for at, right in enumerate((days, months, years)):
        parts = [anything if n == at else part for n, part in enumerate((days, months, years))]
        figures = "".join(r"\d" * len(part) if n == at else part for n, part in enumerate(_figures(birth)))
        for order in (_LINK.join(parts), _LINK.join(parts[::-1]), figures):
            for found in re.finditer(_START + order + _END, text):
                if not _other_month(found, birth) and _put_right(text, found.end(), right, birth):
                    yield found.span()


def mended(text: str, written: Sequence[Date]) -> Iterator[Date]:
    """These dates with a later number in the place of a day, a month or a year; a word before it says of which."""
    numbers = {}
    for found in _NUMBER.finditer(text):
        if _NOT_OF_IT.search(text, max(0, found.start() - _NEAR), found.start()):
            continue
        named = _NAMED.search(text, max(0, found.start() - _NEAR), found.start())
        numbers[int(found[0]), named[1] if named else ""] = None
    for (n, part), (year, month, day) in itertools.product([*numbers][-_LAST:], written[-_LAST_DATES:]):
        if n > 31 and part in ("", "ano"):
            yield n if n > 1900 else 1900 + n, month, day
        if n <= 31 and part in ("", "dia"):
            yield year, month, n
        if n <= 12 and part == "mes":
            yield year, n, day


def retried(text: str, wrong: Date) -> Iterator[Date]:
    """What a short turn makes of a date that can't be, which was asked for again."""
    if answer := _RETRY.fullmatch(text):
        yield from mended(text[: answer.end("n")], [wrong])


def put_right(text: str, start: int, date_given: Date) -> Iterator[Date]:
    """What is surely made of a date before `start`: "o ano é 1986", "errei, nasci dia 9", "minto, 2014"."""
    year, month, day = date_given
    for found in _NUMBER.finditer(text, start):
        right = _RIGHT.search(text, max(start, found.start() - _FAR), found.start())
        if not right or _MORE.match(text, found.end()):
            continue
        number, words = int(found[0]), (right["named"] or right["put"] or right["then"]).split()
        part = next((word for word in reversed(words) if word in ("dia", "mes", "ano")), "")
        if 1900 <= number <= date.today().year and part in ("ano", ""):
            yield number, month, day
        elif part == "mes" and number <= 12:
            yield year, number, day
        elif part == "dia" and number <= 31:
            yield year, month, number


def _put_right(text: str, start: int, part: str, birth: date) -> bool:
    """Whether a correction follows that names the part."""
    correction = CORRECTION.search(text, start)
    if not correction or _WHOLE.search(text, correction.end()):  # a whole new date puts no part right
        return False
    found = re.compile(_START + part + _END).finditer(text, start)
    return any(not _other_month(each, birth) for each in found)


def _figures(birth: date) -> tuple[str, str, str]:
    """Day, month and year as they are joined."""
    return f"{birth.day:02}", f"{birth.month:02}", str(birth.year)


def _forms(birth: date) -> tuple[str, str, str]:
    """Patterns of day, month and year as people write them."""
    years = [str(birth.year), folded(number(birth.year)).replace("mil ", "mil (?:e )?") + _NO_MORE]
    if date.today().year - 100 <= birth.year <= date.today().year:
        years += [f"{birth.year % 100:02}", folded(number(birth.year % 100)) + _NO_MORE]
    days = [f"0?{birth.day}[oa]?", folded(number(birth.day)), *(["primeiro"] if birth.day == 1 else [])]
    months = [f"0?{birth.month}", folded(number(birth.month)), r"(?P<name>[a-z]{3,12}(?![a-z]))"]
    return tuple("(?:" + "|".join(forms) + ")" for forms in (days, months, years))


def _other_month(found: re.Match, birth: date) -> bool:
    """Whether a word in the month's place is not this month."""
    word = found.groupdict().get("name")
    return bool(word) and not _is_month(word, birth.month)


def _is_month(word: str, month: int) -> bool:
    """Whether the word is that month's name, its first three letters, or the name with a slip of the finger."""
    if not 1 <= month <= 12:  # of a date that no calendar has
        return False
    name = _FOLDED_MONTHS[month - 1]
    if word == name or word == name[:3]:
        return True
    swapped = [each for each in _FOLDED_MONTHS if sorted(each) == sorted(word)]  # "juhno" is no julho
    return swapped == [name] if swapped else difflib.SequenceMatcher(None, word, name).ratio() >= 0.75
