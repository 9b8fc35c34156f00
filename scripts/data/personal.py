"""What is personal in a text of a conversation, in every form people write it, with its plain value.

Wider than the gates: a CPF with a wrong digit, a birth date, a name or an address is personal too. Each
finding claims its part of the text, the surest kinds first; what is claimed as `other` (a due date, an
amount) stays as it is.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date

from scripts.data import names, numerals
from scripts.data.identifiers import EMAIL, Allowed
from scripts.data.spoken import MONTHS

Date = tuple[int, int, int]  # year, month, day
_THIS_YEAR = date.today().year
_PHONE_WORD = re.compile(
    r"(?:fone|celular|whats\w*|zap|contato|\bcel\b|\btel\b|liga\w*|recado)\W{0,3}(?:\w+\W{1,3}){0,4}$", re.IGNORECASE
)
_BIRTH_WORD = re.compile(r"nasc|anivers|\bd\.?n\.?\b|\bdn\b", re.IGNORECASE)
_FORMATTED = re.compile(
    r"(?<![\d])(?:\d{3}[. -]\d{3}[. -]\d{3} ?[-./ ] ?\d{2}"  # CPF
    r"|\d{2}\.?\d{3}\.?\d{3} ?/ ?\d{4} ?-? ?\d{2}|[A-Z\d]{2}\.[A-Z\d]{3}\.[A-Z\d]{3}/[A-Z\d]{4}-\d{2}"  # CNPJ
    r"|\d{4}([ .-])\d{4}\1\d{4}\1\d{4}|3[47]\d{2}[ .-]\d{6}[ .-]\d{5}|\d{3}[ .]\d{4}[ .]\d{4}[ .]\d{4})(?!\d)"  # cards, CNS
)
_PHONE = re.compile(
    r"(?<![\d./-])(?:(?:\+ ?|00)?55[ .-]?)?(?:\(0?\d\d\)[ .-]?9?[ .-]?\d{4}[ .-]?\d{4}|0?[1-9]\d[ .-]+9?[ .-]?\d{4}[ .-]?\d{4})(?!\d|[./-]\d)"
    r"|(?<![\d./-])\+ ?55 ?\d{10,11}(?!\d)|(?<![\d./ -])9[ .]?\d{4}[ .-]\d{4}(?![\d/]|-\d)|(?<![\d./ -])(?!(?:19|20)\d\d-)[2-5]\d{3}-\d{4}(?![\d/]|-\d)"
)
_DATE = re.compile(
    r"(?<![\d./-])(?:(\d{1,2})( ?[/.\- ] ?)(\d{1,2})\2(\d{4}|\d{2})|(\d{4})([-/.])(\d{2})\6(\d{2}))(?!\d|[./-]\d)"
)
_DO = re.compile(r"(?<!\d)(\d{1,2})\s+d[eo]\s+(\d{1,2})\s+d[eo]\s+(\d{4}|\d{2})(?!\d)", re.IGNORECASE)
_DAY = r"(\d{1,2}|primeiro|trinta(?: e um)?|vinte(?: e \w+)?|[^\W\d_]{2,10})"
_BEFORE_MONTH = re.compile(rf"(?:^|(?<=\W)){_DAY}\s*[º°ª]?\s*(?:\bde\b|\bdo\b|[/.-])?\s*$", re.IGNORECASE)
_YEAR = re.compile(
    r"\s*(?:,?\s*(?:\bdo ano de\b|\bde\b|\bdo\b)|[/.,-])?\s*(\d{4}|\d{2}(?!\d)|(?:mil|dois mil|[^\W\d_]+)(?: e? ?[^\W\d_]+){0,7})",
    re.IGNORECASE,
)
_CEP = re.compile(
    r"(?<![\d.-])\d{2}\.?\d{3}-\d{3}(?![\d-])|(?<=cep )\d{8}\b|(?<=cep: )\d{8}\b|(?<=cep é )\d{8}\b", re.IGNORECASE
)
_STREET = re.compile(
    r"\b(?:rua|r\.|avenida|av\.?|travessa|tv\.|alameda|praça|rodovia|estrada|largo|beco|condom[íi]nio|residencial|conjunto)\s+"
    r"(?P<name>[^\W\d_]+\.?(?:[ '’-][^\W\d_]+\.?){0,6}?|\d{1,2} de [a-zç]+)"
    r"(?=\s*(?:[,;.\n!?)]|n[º°o.]|\d|-|$|\s(?:e|no|na|em|cep|bairro|apto?|casa|bloco|número|numero)\b))"
    r"(?:\s*[,-]?\s*(?:n[º°o]?\.? ?|n[úu]mero )?(?P<number>\d{1,5})\b(?![.\-/]?\d))?"
    r"(?:\s*[,-]?\s*(?:apto?\.?|apartamento|bloco|casa|sala) ?(?P<flat>\d{1,5})\b)?",
    re.IGNORECASE,
)
_DISTRICT = re.compile(
    r"\b(?i:bairro)\s*:?\s*(?P<name>(?:d[aeo]s? )?[A-ZÀ-Ý][^\W\d_]+(?: (?:d[aeo]s? )?[A-ZÀ-Ý][^\W\d_]+)*)"
)
_GROUPS = re.compile(r"(?<![\d])\d+(?:[ .\-/]{1,3}\d+)*")
_AMOUNT = re.compile(r"R\$ ?[\d.,]+|\d{1,3}(?:\.\d{3})+,\d\d\b|\d+,\d\d\b|\b\d{1,2}[:h]\d{2}\b")
_MASKED = re.compile(r"[*xX.]{3,}\.?\d{3}\.\d{3}-[*xX]{2}")


@dataclass(frozen=True, order=True)
class Finding:
    """A part of a text: its kind, and its value: digits, a date, or "" where the text itself is the value."""

    start: int
    end: int
    kind: str
    value: object = field(default="", compare=False)


@dataclass
class Known:
    """What a conversation has shown so far, and what its input shows of everyday words."""

    dates: set[Date] = field(default_factory=set)
    names: set[str] = field(default_factory=set)  # folded words
    phones: set[str] = field(default_factory=set)  # last 8 digits
    asked_birth: bool = False
    allowed: Allowed = field(default_factory=Allowed)
    common: frozenset[str] = frozenset()


def find(text: str, known: Known) -> list[Finding]:
    """Every finding in one text, in order, none overlapping; `other` ones left out."""
    claimed: list[Finding] = []
    for rule in _RULES:
        rest = _hidden(text, claimed)
        for each in rule(rest, known):
            if each.start < each.end and all(each.end <= other.start or each.start >= other.end for other in claimed):
                claimed.append(each)
    return sorted(each for each in claimed if each.kind != "other")


def _hidden(text: str, claimed: list[Finding]) -> str:
    for each in claimed:
        text = text[: each.start] + "\0" * (each.end - each.start) + text[each.end :]
    return text


def _simple(pattern: re.Pattern, kind: str) -> Callable[[str, Known], Iterator[Finding]]:
    return lambda text, known: (Finding(*m.span(), kind, digits_of(m[0])) for m in pattern.finditer(text))


def _phones(text: str, known: Known) -> Iterator[Finding]:
    for match in _PHONE.finditer(text):
        yield Finding(*match.span(), "other" if known.allowed.phone(match[0]) else "phone", digits_of(match[0]))


def _emails(text: str, known: Known) -> Iterator[Finding]:
    for match in EMAIL.finditer(text):
        yield Finding(*match.span(), "other" if known.allowed.email(match[0]) else "e-mail")


def digits_of(text: str) -> str:
    """Only the digits."""
    return re.sub(r"\D", "", text)


def kind_of(digits: str, phone: bool = False) -> str:
    """The kind that so many digits are, when the form doesn't tell."""
    if phone and len(digits) in (8, 9, 10, 11, 12, 13):
        return "phone"
    return {11: "CPF", 14: "CNPJ", 15: "CNS", 16: "card"}.get(len(digits), "number")


def _documents(text: str, known: Known) -> Iterator[Finding]:
    for match in _FORMATTED.finditer(text):
        yield Finding(
            *match.span(),
            "CNPJ" if "/" in match[0] and len(match[0]) > 15 else kind_of(digits_of(match[0])),
            digits_of(match[0]),
        )


def year_of(text: str) -> int:
    """1985 from `1985`, `85`, or words; 0 when it is no year."""
    if text.isdigit():
        value = int(text)
    else:
        run = next(numerals.runs(text), [])
        if not run or run[0].start:
            return 0
        value = int(run[0].digits)
        if len(run) > 1 and value in (19, 20) and len(run[1].digits) == 2:  # dezenove oitenta e cinco
            value = value * 100 + int(run[1].digits)
    if value < 100 and len(text) >= 2:
        value += 1900 if value > _THIS_YEAR % 100 else 2000
    return value if 1900 <= value <= _THIS_YEAR + 10 else 0


def _dates(text: str, known: Known) -> Iterator[Finding]:
    for match in _DATE.finditer(text):
        day, gap, month, year, iso_year, _, iso_month, iso_day = match.groups()
        value = (int(iso_year), int(iso_month), int(iso_day)) if iso_year else (year_of(year), int(month), int(day))
        if gap == " " and not (len(year) == 4 or _born(text, match, known, value)):
            continue
        yield from _date(text, match.span(), value, known)
    for match in _DO.finditer(text):
        yield from _date(text, match.span(), (year_of(match[3]), int(match[2]), int(match[1])), known)
    yield from _dates_with_month(text, known)
    yield from _spoken_dates(text, known)


def _dates_with_month(text: str, known: Known) -> Iterator[Finding]:
    for match in re.finditer(r"[^\W\d_]{3,11}", text):
        month = month_of(match[0])
        before = _BEFORE_MONTH.search(text[: match.start()]) if month else None
        if before and names.fold(match[0]) == "dez" and before[0].lower().rstrip().endswith("do"):
            continue  # the tenth month, not December
        after = _YEAR.match(text, match.end() + text.startswith(".", match.end())) if before else None
        if not after:
            continue
        day = int(before[1]) if before[1].isdigit() else next((int(r[0].digits) for r in numerals.runs(before[1])), 0)
        run = next(numerals.runs(after[1]), None)
        end = after.end(1) if after[1].isdigit() else after.start(1) + (_year_end(run) if run else 0)
        year = year_of(text[after.start(1) : end])
        if day and year:
            yield from _date(text, (before.start(1), end), (year, month, day), known)


def _year_end(run: list[numerals.Spoken]) -> int:
    return run[1].end if len(run) > 1 and run[0].digits in ("19", "20") and len(run[1].digits) == 2 else run[0].end


def _spoken_dates(text: str, known: Known) -> Iterator[Finding]:
    """quinze do seis de oitenta e cinco; 15 do 6 de oitenta e cinco"""
    spoken = list(numerals._numbers(text))
    for day, month, year in zip(spoken, spoken[1:], spoken[2:], strict=False):
        gaps = text[day.end : month.start], text[month.end : year.start]
        if all(re.fullmatch(r"\s*(?:d[eo]|/|barra)\s*", gap, re.IGNORECASE) for gap in gaps):
            if not all(text[s.start : s.end].isdigit() for s in (day, month, year)):
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
    import difflib

    near = difflib.get_close_matches(folded, months, 1, 0.75)
    return months.index(near[0]) + 1 if near else 0


def _date(text: str, span: tuple[int, int], value: Date, known: Known) -> Iterator[Finding]:
    year, month, day = value
    if not (year and 1 <= month <= 12 and 1 <= day <= 31):
        born = 1900 <= year <= _THIS_YEAR and 1 <= day <= 99 and 0 < month <= 99
        if not (born and _born_here(text, span, known)):
            return
    yield Finding(
        *span, "birth date" if value in known.dates or _is_birth(text, span, value, known) else "other", value
    )


def _is_birth(text: str, span: tuple[int, int], value: Date, known: Known) -> bool:
    return 1900 <= value[0] <= _THIS_YEAR and (value[0] <= _THIS_YEAR - 12 or _born_here(text, span, known))


def _born_here(text: str, span: tuple[int, int], known: Known) -> bool:
    near = text[max(0, span[0] - 40) : span[0]] + " " + text[span[1] : span[1] + 25]
    return bool(_BIRTH_WORD.search(near)) or (
        known.asked_birth and not re.search(r"venc|pag|boleto|fatura|consulta|exame", near, re.I)
    )


def _born(text: str, match: re.Match, known: Known, value: Date) -> bool:
    return value in known.dates or _born_here(text, match.span(), known)


def compact_date(digits: str) -> Date | None:
    """(year, month, day) of DDMMAAAA, AAAAMMDD or DDMMAA."""
    orders = {8: [(4, 2, 0), (0, 4, 6)], 6: [(4, 2, 0)]}.get(len(digits), [])
    for y, m, d in orders:
        year = year_of(digits[y : y + (4 if len(digits) == 8 else 2)])
        month, day = int(digits[m : m + 2]), int(digits[d : d + 2])
        if 1900 <= year <= _THIS_YEAR and 1 <= month <= 12 and 1 <= day <= 31:
            return year, month, day
    return None


def _digit_groups(text: str, known: Known) -> Iterator[Finding]:
    """Compact, spaced or oddly grouped digits."""
    for match in _GROUPS.finditer(text):
        groups = [(m.start() + match.start(), m.end() + match.start(), m[0]) for m in re.finditer(r"\d+", match[0])]
        long = [each for each in groups if len(each[2]) >= 6]
        total = sum(len(each[2]) for each in groups)
        if not long or (len(groups) > 1 and total == 11):  # 529 98 22 4725, 529982247-25
            yield from _digits(text, match.start(), groups, known)
        else:
            for each in long:
                yield from _digits(text, each[0], [each], known)


def _digits(text: str, start: int, groups: list[tuple[int, int, str]], known: Known) -> Iterator[Finding]:
    digits, end = "".join(each[2] for each in groups), groups[-1][1]
    phone = bool(_PHONE_WORD.search(text[max(0, start - 50) : start])) or digits[-8:] in known.phones
    if len(digits) == 19 and max(len(each[2]) for each in groups) == 1 and compact_date(digits[11:]):
        yield Finding(start, groups[10][1], "CPF", digits[:11])
        yield Finding(groups[11][0], end, "birth date", compact_date(digits[11:]))
    elif len(digits) in (6, 8) and (value := compact_date(digits)):
        if (
            value in known.dates
            or _born_here(text, (start, end), known)
            or (len(digits) == 8 and _is_birth(text, (start, end), value, known))
        ):
            yield Finding(start, end, "birth date", value)
    elif len(digits) >= 9 or (len(digits) == 8 and phone):
        yield Finding(start, end, kind_of(digits, phone), digits)


def _spoken_digits(text: str, known: Known) -> Iterator[Finding]:
    for run in numerals.runs(text):
        digits = "".join(each.digits for each in run)
        start, end = run[0].start, run[-1].end
        phone = bool(_PHONE_WORD.search(text[max(0, start - 50) : start])) or digits[-8:] in known.phones
        if len(digits) in (6, 8) and not phone and (value := compact_date(digits)):
            if value in known.dates or _is_birth(text, (start, end), value, known):
                yield Finding(start, end, "birth date", value)
        elif len(digits) >= 8:
            yield Finding(start, end, kind_of(digits, phone), run)


def _addresses(text: str, known: Known) -> Iterator[Finding]:
    for pattern in (_STREET, _DISTRICT):
        for match in pattern.finditer(text):
            if pattern is _STREET and not match["number"] and names.is_common(match["name"].split()[0], known.common):
                continue
            yield Finding(*match.span("name"), "address", "district" if pattern is _DISTRICT else "street")
            for group in ("number", "flat") if pattern is _STREET else ():
                if match[group]:
                    yield Finding(*match.span(group), "address", match[group])


def _names(text: str, known: Known) -> Iterator[Finding]:
    for start, end in sorted(names.find(text, known.common), key=lambda span: span[0] - span[1]):
        yield Finding(start, end, "name")
    words = [(m.start(), m.end(), names.fold(m[0]), m[0]) for m in re.finditer(r"[^\W\d_]+", text)]
    for at, (start, end, folded, word) in enumerate(words):
        if folded in known.names:
            yield from (Finding(*span, "name") for span in names.going_on(text, start, known.common))
            beside = {words[i][2] for i in (at - 1, at + 1) if 0 <= i < len(words)} & known.names
            if beside or word[0].isupper() or not names.is_common(word, known.common):
                yield Finding(start, end, "name")


_RULES: list[Callable[[str, Known], Iterator[Finding]]] = [
    _emails,
    _documents,
    _simple(_AMOUNT, "other"),
    _simple(_MASKED, "masked CPF"),
    _phones,
    _simple(_CEP, "CEP"),
    _addresses,
    _dates,
    _digit_groups,
    _spoken_digits,
    _names,
]
