"""What is personal in a text of a conversation, in every form people write it, with its plain value.

Wider than the gates: a CPF with a wrong digit, a birth date, a name or an address is personal too. Each
finding claims its part of the text, the surest kinds first; what is claimed as `other` (a due date, an
amount) stays as it is.
"""

import re
from collections.abc import Callable, Iterator

from scripts.data import names, numerals
from scripts.data.birthdates import born_here, compact_date, dates, is_birth
from scripts.data.findings import Finding, Known
from scripts.data.identifiers import EMAIL, RUN, found

_PHONE_WORD = re.compile(
    r"(?:fone|celular|whats\w*|zap|contato|\bcel\b|\btel\b|liga\w*|recado)\W{0,3}(?:\w+\W{1,3}){0,4}$", re.IGNORECASE
)
_FORMATTED = re.compile(
    r"(?<![\d])(?:\d{3}[. -]\d{3}[. -]\d{3} ?[-./ ] ?\d{2}"  # CPF
    r"|\d{2}\.?\d{3}\.?\d{3} ?/ ?\d{4} ?-? ?\d{2}|[A-Z\d]{2}\.[A-Z\d]{3}\.[A-Z\d]{3}/[A-Z\d]{4}-\d{2}"  # CNPJ
    r"|\d{4}([ .-])\d{4}\1\d{4}\1\d{4}|3[47]\d{2}[ .-]\d{6}[ .-]\d{5}"  # cards
    r"|\d{3}[ .]\d{4}[ .]\d{4}[ .]\d{4})(?!\d)"  # CNS
)
_PHONE = re.compile(
    r"(?<![\d./-])(?:(?:\+ ?|00)?55[ .-]?)?"
    r"(?:\(0?\d\d\)[ .-]?9?[ .-]?\d{4}[ .-]?\d{4}|0?[1-9]\d[ .-]+9?[ .-]?\d{4}[ .-]?\d{4})(?!\d|[./-]\d)"
    r"|(?<![\d./-])\+ ?55 ?\d{10,11}(?!\d)|(?<![\d./ -])9[ .]?\d{4}[ .-]\d{4}(?![\d/]|-\d)"
    r"|(?<![\d./-])(?!(?:19|20)\d\d-)[2-5]\d{3}-\d{4}(?![\d/]|-\d)"
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


def _digit_groups(text: str, known: Known) -> Iterator[Finding]:
    """Compact, spaced or oddly grouped digits."""
    for match in _GROUPS.finditer(text):
        groups = [(m.start() + match.start(), m.end() + match.start(), m[0]) for m in re.finditer(r"\d+", match[0])]
        long = [each for each in groups if len(each[2]) >= 6]
        total = sum(len(each[2]) for each in groups)
        if len(groups) > 2 and total == 19 and groups[-1] in long and compact_date(groups[-1][2]):
            yield from _digits(text, match.start(), groups[:-1], known)  # 529 982 247 25 15061985
            yield from _digits(text, groups[-1][0], groups[-1:], known)
        elif not long or (len(groups) > 1 and total == 11):  # 529 98 22 4725, 529982247-25
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
            or born_here(text, (start, end), known)
            or (len(digits) == 8 and is_birth(text, (start, end), value, known))
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
            if value in known.dates or is_birth(text, (start, end), value, known):
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


def _refused(text: str, known: Known) -> Iterator[Finding]:
    """What no other rule claims and the gates refuse all the same, such as 529 (982) 247 25."""
    for match in RUN.finditer(text):
        if any(found(match[0], known.allowed)):
            digits = digits_of(match[0])
            yield Finding(*match.span(), "phone" if len(digits) == 8 else kind_of(digits), digits)


_RULES: list[Callable[[str, Known], Iterator[Finding]]] = [
    _emails,
    _documents,
    _simple(_AMOUNT, "other"),
    _simple(_MASKED, "masked CPF"),
    _phones,
    _simple(_CEP, "CEP"),
    _addresses,
    dates,
    _digit_groups,
    _spoken_digits,
    _names,
    _refused,
]
