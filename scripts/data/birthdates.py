"""Birth dates in every form people write: digits, months by name, words; told from due dates by what stands beside."""

import difflib
import re
from collections.abc import Iterator
from datetime import date

from scripts.data import names, numerals
from scripts.data.findings import Date, Finding, Known
from scripts.data.spoken import MONTHS

#: No year that anybody writes lies after it; one ahead is a year all the same, to be told that it is.
_LAST_YEAR = 2100
_BIRTH_WORD = re.compile(r"nasc|anivers|\bd\.?n\.?\b|\bdn\b", re.IGNORECASE)
_OF_A_BILL = re.compile(
    r"venc|pag|boleto|fatura|consultas? (?:d[aeo]|com|n[ao]|em|marcad)|(?:minha|uma|a) consulta\s|exame", re.IGNORECASE
)
#: A line that ends so belongs to the next one.
_HEADING = re.compile(r"(?:venc\w*|pag\w*|boleto|fatura|consulta|exame):?\s*\n\s*$", re.IGNORECASE)
_DATE = re.compile(
    r"(?<![\d./-])(?:(\d{1,2})(?:o(?=/))?( ?[/.\-\s] ?)(\d{1,2})\2(\d{4}|\d{2})|(\d{4})([-/.])(\d{2})\6(\d{2}))"
    r"(?!\d|[./-]\d)"
)
_PARTS = re.compile(
    r"\bdia (\d{1,2}),? (?:do )?m[eê]s (\d{1,2}),? (?:e )?(?:do )?ano (?:de )?(\d{4}|\d{2})(?!\d)", re.IGNORECASE
)
_DO = re.compile(r"(?<!\d)(\d{1,2})(?:\s+d[eo]\s+|[/.-])(\d{1,2})\s+d[eo]\s+(\d{4}|\d{2})(?!\d)", re.IGNORECASE)
#: Characters before a month's name in which its day stands.
_NEAR = 60
_DAY = r"(\d{1,2}|primeiro|(?:vinte|[^\W\d_]+enta|trinta)(?: e \w+)?|[^\W\d_]{2,10})"
_BEFORE_MONTH = re.compile(
    rf"(?:^|(?<=\W)){_DAY}\s*(?:[º°ª]|(?<=\d)[oa]\b)?\s*(?:\bdias?\b\s*)?"
    r"(?:\b(?:d[eo]|do m[eê]s de)\b|[/.-])?\s*$",
    re.IGNORECASE,
)
_SPELLED = re.compile(rf"\b(?:{'|'.join(numerals.UNITS)}|meia)\s+$", re.IGNORECASE)
_YEAR = re.compile(
    r"\s*(?:,?\s*(?:\bdo ano de\b|\bde\b|\bdo\b)|[/.,-])?\s*(\d{4}|\d{2}(?!\d)"
    r"|(?:mil|dois mil|[^\W\d_]+)(?: e? ?[^\W\d_]+){0,7})",
    re.IGNORECASE,
)


def this_year() -> int:
    """Asked each time: a server may run over New Year."""
    return date.today().year


def year_of(text: str) -> int:
    """1985 from `1985`, `85`, or words; 0 when it is no year."""
    if text.isdecimal():
        if len(text) > 4:
            return 0
        value = int(text)
    else:
        run = next(numerals.runs(text), [])
        if not run or run[0].start:
            return 0
        value = int(run[0].digits)
        if len(run) > 1 and value in (19, 20) and len(run[1].digits) == 2:  # dezenove oitenta e cinco
            value = value * 100 + int(run[1].digits)
    if value < 100 and len(text) >= 2:
        value += 1900 if value > this_year() % 100 else 2000
    return value if 1900 <= value <= _LAST_YEAR else 0


def dates(text: str, known: Known) -> Iterator[Finding]:
    for match in _DATE.finditer(text):
        day, gap, month, year, iso_year, _, iso_month, iso_day = match.groups()
        value = (int(iso_year), int(iso_month), int(iso_day)) if iso_year else (year_of(year), int(month), int(day))
        if (gap or "").isspace() and not (len(year) == 4 or _born(text, match, known, value)):
            continue
        yield from _date(text, match.span(), value, known)
    for match in (*_DO.finditer(text), *_PARTS.finditer(text)):
        yield from _date(text, match.span(), (year_of(match[3]), int(match[2]), int(match[1])), known)
    yield from _with_month(text, known)
    yield from _spoken(text, known)


def _with_month(text: str, known: Known) -> Iterator[Finding]:
    for match in re.finditer(r"[^\W\d_]{3,11}", text):
        month = month_of(match[0])
        before = before_month(text, match.start()) if month else None
        beside = (before[0] + text[match.end() : match.end() + 4]).lower() if before else ""
        if names.fold(match[0]) == "dez" and re.search(r"\bdo\s*$|\sdo\s", beside):
            continue  # ten, not December
        after = _YEAR.match(text, match.end() + text.startswith(".", match.end())) if before else None
        if not after:
            continue
        day = spoken_day(before)
        run = next(numerals.runs(after[1]), None)
        end = after.end(1) if after[1].isdecimal() else after.start(1) + (_year_end(run) if run else 0)
        year = year_of(text[after.start(1) : end])
        if year and (day or before[1] in ("0", "00")):
            yield from _date(text, (before.start(1), end), (year, month, day), known)


def before_month(text: str, month: int) -> re.Match | None:
    """What stands right before the month's name that begins there and may be a day; the day is its first group."""
    low = max(0, month - _NEAR)  # a text of nothing but months must not take its length's square
    found = _BEFORE_MONTH.search(text, low, month)
    apart = found and "/" in found[0] and not found[1].isdecimal()
    spelled = apart and _SPELLED.search(text, low, found.start(1))
    return None if spelled else found  # "... três sete / dezembro" is the end of a number


def spoken_day(found: re.Match) -> int:
    """The day in figures or words; 0 where it is none."""
    return int(found[1]) if found[1].isdecimal() else next((int(r[0].digits) for r in numerals.runs(found[1])), 0)


def _year_end(run: list[numerals.Spoken]) -> int:
    return run[1].end if len(run) > 1 and run[0].digits in ("19", "20") and len(run[1].digits) == 2 else run[0].end


def _spoken(text: str, known: Known) -> Iterator[Finding]:
    """quinze do seis de oitenta e cinco; 15 do 6 de oitenta e cinco"""
    spoken = list(numerals.numbers(text))
    for day, month, year in zip(spoken, spoken[1:], spoken[2:], strict=False):
        if text[month.start : month.end].lower() == "dez" and not text[: month.start].lower().endswith("do "):
            continue  # December, not ten
        gaps = text[day.end : month.start], text[month.end : year.start]
        joined = all(re.fullmatch(r"\s*(?:d[eo]|/|barra)\s*", gap, re.IGNORECASE) for gap in gaps)
        short = all(len(part.digits) <= 4 for part in (day, month, year))
        if joined and short and not all(text[part.start : part.end].isdecimal() for part in (day, month, year)):
            value = (year_of(text[year.start : year.end]), int(month.digits), int(day.digits))
            yield from _date(text, (day.start, year.end), value, known)


def month_of(word: str) -> int:
    """1 to 12 from a month's name, its first three letters, or a misspelling; 0 for none."""
    folded = names.fold(word)
    months = [names.fold(month) for month in MONTHS]
    for number, month in enumerate(months, 1):
        if folded in (month, month[:3]):
            return number
    if len(folded) < 4 or names.is_common(word):
        return 0
    swapped = [month for month in months if sorted(month) == sorted(folded)]  # "juhlo" is no junho
    if swapped:
        return months.index(swapped[0]) + 1
    near = difflib.get_close_matches(folded, months, 1, 0.75)
    return months.index(near[0]) + 1 if near else 0


def _date(text: str, span: tuple[int, int], value: Date, known: Known) -> Iterator[Finding]:
    year, month, day = value
    exists = year and 1 <= month <= 12 and 1 <= day <= 31
    if not exists and not (1900 <= year <= this_year() and day >= 0 <= month and born_here(text, span, known)):
        return
    yield Finding(*span, "birth date" if value in known.dates or is_birth(text, span, value, known) else "other", value)


def is_birth(text: str, span: tuple[int, int], value: Date, known: Known) -> bool:
    return 1900 <= value[0] <= this_year() and (value[0] <= this_year() - 12 or born_here(text, span, known))


def born_here(text: str, span: tuple[int, int], known: Known) -> bool:
    before, after = text[max(0, span[0] - 40) : span[0]], text[span[1] : span[1] + 25]
    line = re.split(r"[\n?!]", before)[-1] + " " + re.split(r"[\n?!]", after)[0]
    return bool(_BIRTH_WORD.search(before + " " + after)) or (
        known.asked_birth and not _OF_A_BILL.search(line) and not _HEADING.search(before)
    )


def _born(text: str, match: re.Match, known: Known, value: Date) -> bool:
    return value in known.dates or born_here(text, match.span(), known)


def compact_date(digits: str) -> Date | None:
    """(year, month, day) of DDMMAAAA, AAAAMMDD or DDMMAA."""
    orders = {8: [(4, 2, 0), (0, 4, 6)], 6: [(4, 2, 0)]}.get(len(digits), [])
    for y, m, d in orders:
        year = year_of(digits[y : y + (4 if len(digits) == 8 else 2)])
        month, day = int(digits[m : m + 2]), int(digits[d : d + 2])
        if 1900 <= year <= this_year() and 1 <= month <= 12 and 1 <= day <= 31:
            return year, month, day
    return None


def impossible_date(digits: str) -> Date | None:
    """What is written like one of these, and no calendar has: 45011950, 211418."""
    if len(digits) not in (6, 8) or compact_date(digits):
        return None
    year = year_of(digits[4:])
    return (year, int(digits[2:4]), int(digits[:2])) if 1900 <= year <= this_year() else None
