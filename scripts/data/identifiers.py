"""Identifiers that can be somebody's, found in text written in digits.

CPF, CNPJ and CNS count when their check digits are right, cards when Luhn's sum is, phones when they are
written as phones and their number can exist, e-mails always; the allow-list is left out. The synthetic
ones of our rows fail on purpose (see `impossible`): a CPF its check digits, a phone its first digits.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from operator import mul

#: Digits with what people write between them; at least 8 characters.
RUN = re.compile(r"[\d(+][\d .\-/()]{6,}\d")
EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
PHONE = re.compile(
    r"(?<![\d./-])(?:"
    r"(?:\+ ?|00)55[ .-]?\(?\d\d\)?[ .-]?(?:9[1-9]\d{2}|[2-5])\d{3}[ .-]?\d{4}"  # +55 84 98888-7777
    r"|\(0?\d\d\) ?(?:9[ .]?[1-9]\d{3}|[2-5]\d{3})[ .-]?\d{4}"  # (84) 98888-7777
    r"|0?\d\d[ .-](?:9[ .]?[1-9]\d{3}|[2-5]\d{3})[ .-]\d{4}"  # 84 98888-7777
    r"|9[ .]?[1-9]\d{3}-\d{4}|(?!(?:19|20)\d\d-(?:19|20))[2-5]\d{3}-\d{4}"  # 98888-7777
    r"|0[38]00[ .-]\d{3}[ .-]?\d{4}"  # 0800 722 3535
    r")(?![\d/]|[.-]\d)"
)
#: Without separators a phone looks like a CPF: only after a word that says so.
PHONE_NAMED = re.compile(
    r"(?:fone|celular|whats\w*|zap|contato|\bcel|\btel)\b[^\d\n\"]{0,20}((?:55)?0?[1-9][1-9](?:9[1-9]\d{7}|[2-5]\d{7}))(?!\d)",
    re.IGNORECASE,
)
_DATE = re.compile(r"\b\d{1,2}/\d{1,2}/\d{2,4}\b|\b\d{4}-\d\d-\d\d\b")
_CPF = re.compile(r"\d{3}[. ]\d{3}[. ]\d{3}[-/ ]\d\d")
_BARE_PHONE = re.compile(r"(?:55)?0?[1-9][1-9](?:9[1-9]\d{7}|[2-5]\d{7})$")
_GROUPS = re.compile(r"\d+")
_THOUSANDS = re.compile(r"\d{1,3}(?:\.\d{3})+")
_WORD = "zero|uma?|dois|duas|tr[eê]s|quatro|cinco|seis|meia|sete|oito|nove"
SPELLED = re.compile(rf"\b(?:{_WORD})(?:[\s,.\-–/]+(?:{_WORD}|ponto|tra[cç]o|barra))" r"{10,}\b", re.IGNORECASE)
_SPELLED_PARTS = ("zero", "um", "dois", "duas", "tr", "quatro", "cinco", "sei", "mei", "sete", "oito", "nove")
_SPELLED_HINTS = ("inco", "oito", "nove", "sete", "quatro", "INCO", "OITO", "NOVE", "SETE", "QUATRO")
_DIGIT = {
    word: str(digit)
    for digit, forms in enumerate(
        ["zero", "um uma", "dois duas", "tres três", "quatro", "cinco", "seis meia", "sete", "oito", "nove"]
    )
    for word in forms.split()
}


class Allowed:
    """The allow-list: phones by their digits, e-mails, and whole domains (`@example.com`)."""

    def __init__(self, lines: Iterable[str] = ()):
        entries = [line.strip().casefold() for line in lines if line.strip() and not line.startswith("#")]
        self.emails = {entry for entry in entries if "@" in entry}
        phones = {_national(entry) for entry in entries if "@" not in entry}
        self.phones = phones | {phone[2:] for phone in phones if len(phone) in (10, 11)}

    def email(self, text: str) -> bool:
        """Listed, or at a domain that is nobody's (RFC 2606)."""
        domain = text.casefold().rpartition("@")[2]
        reserved = re.search(r"(?:^|\.)(?:example|invalid|test|example\.(?:com|org|net))$", domain)
        return bool(reserved) or text.casefold() in self.emails or f"@{domain}" in self.emails

    def phone(self, text: str) -> bool:
        return _national(text) in self.phones


def unescaped(text: str) -> str:
    """With plain slashes where JSON has escaped ones, as PHP writes them; JSON in JSON escapes them again."""
    return re.sub(r"\\+/", "/", text) if "\\/" in text else text


def found(text: str, allowed: Allowed) -> Iterator[tuple[str, str]]:
    """(kind, the text as written) of every identifier that can be somebody's and is not allowed."""
    text, phones = unescaped(text), []
    for run in RUN.findall(text):
        if run.isdigit():
            if len(run) >= 10:
                yield from real_numbers(run)
                phones += PHONE_NAMED.findall(text) if _BARE_PHONE.match(run) else []
        else:
            yield from real_numbers(run)
            phones += PHONE.findall(run)
    for phone in phones:
        if not allowed.phone(phone) and phone_exists(_national(phone)):
            yield "phone", phone
    if "@" in text:
        yield from (("e-mail", each) for each in EMAIL.findall(text) if not allowed.email(each))
    if any(map(text.__contains__, _SPELLED_HINTS)) and sum(map(text.lower().count, _SPELLED_PARTS)) > 10:
        for spelled in SPELLED.findall(text):
            words = re.findall(r"\w+", spelled.lower())
            yield from real_numbers(" ".join(_DIGIT[word] for word in words if word in _DIGIT))


@lru_cache(maxsize=10_000)
def real_numbers(run: str) -> tuple[tuple[str, str], ...]:
    """(kind, digits) of the document and card numbers in a run of digits that pass their check."""
    if len(run) == 11 or _CPF.fullmatch(run):
        digits = run if len(run) == 11 else "".join(_GROUPS.findall(run))
        return (("CPF", digits),) if len(digits) == 11 and document(digits) else ()
    if "/" in run or "-" in run:
        run = _DATE.sub(",", run)
    hits = []
    for part in run.split(","):
        if "." not in part or not _THOUSANDS.fullmatch(part.strip()):
            groups = _GROUPS.findall(part)
            hits += [(kind, digits) for digits in _windows(groups) if (kind := document(digits))]
    return tuple(hits)


def _windows(groups: list[str]) -> Iterator[str]:
    """Sequences of whole groups that have a document's length; of single digits, those at either end."""
    single = len(groups) > 1 and max(map(len, groups)) == 1
    for first in range(len(groups)):
        digits = ""
        for last in range(first, len(groups)):
            digits += groups[last]
            if len(digits) > 19:
                break
            if len(digits) in (11, 14, 15, 16) and (not single or first == 0 or last == len(groups) - 1):
                yield digits
        if len(groups[first]) == 19:  # a CPF and a date without a space
            yield groups[first][:11]


def document(digits: str) -> str:
    """Which kind of number these digits are by their check digits; empty for none."""
    if len(digits) == 11 and not _may_be_cpf(digits.encode()):
        return ""
    for kind in _documents().get(len(digits), ()):
        if kind.validate(digits):
            return type(kind).__name__
    return "card number" if len(digits) > 11 and is_card(digits) else ""


def _may_be_cpf(digits: bytes) -> bool:
    """The first check digit is right: spares the library 9 of 10 synthetic CPFs. 48 is `0`, 54 the weights' sum."""
    return (sum(map(mul, digits, range(10, 1, -1))) - 48 * 54) * 10 % 11 % 10 == digits[9] - 48


@cache
def _documents() -> dict[int, tuple]:
    from validate_docbr import (  # 16 ms that a file without numbers need not pay
        CNPJ,
        CNS,
        CPF,
    )

    return {11: (CPF(),), 14: (CNPJ(),), 15: (CNS(),)}


def is_card(digits: str) -> bool:
    """Luhn's sum over a length and first digits that card brands use."""
    if not re.match(r"(?:4\d|5[0-8]|2[2-7]|6[0-7])\d{14}$|3[47]\d{13}$|3[068]\d{12}$", digits) or len(set(digits)) == 1:
        return False
    doubled = [sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2]]
    return (sum(doubled) + sum(map(int, digits[-1::-2]))) % 10 == 0


@lru_cache(maxsize=10_000)
def phone_exists(digits: str) -> bool:
    """Whether a Brazilian phone of these national digits can exist; without its area code the form decides."""
    local = digits[2:] if len(digits) in (10, 11) and digits[0] != "0" else digits
    if local.startswith("90") or (len(local) == 8 and local[0] not in "2345"):
        return False
    if local is digits:
        return True
    import phonenumbers

    return phonenumbers.is_valid_number(phonenumbers.parse(digits, "BR"))


def _national(text: str) -> str:
    """Digits of a phone without country code and trunk zero."""
    digits = re.sub(r"\D", "", text)
    digits = digits.removeprefix("00")
    digits = digits[2:] if len(digits) >= 12 and digits.startswith("55") else digits
    return digits[1:] if len(digits) in (11, 12) and digits[0] == "0" and digits[1] not in "38" else digits


def masked(text: str, kept: int = 3) -> str:
    """A sample that shows the form and nobody's number: the first characters, the rest starred."""
    return "".join(c if i < kept or not c.isalnum() else "*" for i, c in enumerate(text))
