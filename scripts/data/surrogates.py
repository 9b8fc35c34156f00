"""Surrogates for one conversation: the same value gets the same surrogate, in whatever form it is written.

There is no key to keep or to lose: each value is drawn from the system's randomness and remembered only
while its conversation is rewritten. Numbers fail their check digits, phones and CEPs can't exist.
"""

import re
import secrets
from calendar import monthrange
from collections.abc import Iterable

from scripts.data import names, numerals
from scripts.data.birthdates import month_of
from scripts.data.findings import Date, Finding
from scripts.data.identifiers import Allowed, document, found
from scripts.data.personal import digits_of
from scripts.data.spoken import MONTHS, number

_STREETS = [
    "das Acácias",
    "dos Ipês",
    "das Palmeiras",
    "do Sol",
    "das Orquídeas",
    "dos Cajueiros",
    "das Dunas",
    "Sete de Setembro",
]
_DISTRICTS = ["Centro", "Jardim das Flores", "Vila Nova", "Boa Vista", "Planalto", "Alto da Serra"]
_NOBODY = Allowed()
_random = secrets.SystemRandom()


def random_digits(count: int, first: str = "") -> str:
    """So many random digits, the first ones given."""
    return first + "".join(_random.choice("0123456789") for _ in range(count - len(first)))


def refill(text: str, digits: str) -> str:
    """The text with its digits replaced one by one, all else kept."""
    new = iter(digits)
    return re.sub(r"\d", lambda old: next(new, old[0]), text)


def cased(new: str, like: str) -> str:
    """In the capitals of what it replaces."""
    if like.isupper() and len(like) > 1:
        return new.upper()
    return new.lower() if like.islower() else new


class Surrogates:
    """The memory of one conversation; `of` gives the text that stands in for a finding."""

    def __init__(self, taken: Iterable[str] = ()):
        """`taken`: folded words of the real names, which no surrogate may be."""
        self.made: dict[tuple[str, object], object] = {}
        self.used = set(taken)

    def of(self, finding: Finding, text: str) -> str:
        """What replaces `text`, in its own form."""
        kind, value = finding.kind, finding.value
        if kind == "birth date":
            return write_date(text, value, self.date(value))
        if kind == "name":
            return self.name(text)
        if kind == "e-mail":
            return self._once(kind, text.casefold(), lambda: f"contato{random_digits(6)}@example.com")
        if kind == "CEP":
            return refill(text, self._once(kind, value, lambda: random_digits(8, "00")))
        if kind == "masked CPF":
            return refill(text, self._part(value))
        if kind == "address":
            return self._address(text, value)
        if isinstance(value, list):
            return self._spoken(kind, value, text)
        if kind == "CNPJ" and len(value) < 14 and re.search("[A-Z]", text):
            return re.sub(
                r"[A-Z]", lambda _: _random.choice("BCDFGHJKLMNPQRSTVWXYZ"), refill(text, random_digits(len(value)))
            )
        return refill(text, self.phone(value) if kind == "phone" else self.number(value))

    def number(self, digits: str) -> str:
        """As many digits that are nobody's document, card or phone."""
        return self._once("number", digits, lambda: self._nobodys(digits))

    def _nobodys(self, digits: str) -> str:
        while True:
            new = random_digits(len(digits))
            forms = [f"tel {new}", " ".join(new), " ".join([new[:3], new[3:7], new[7:11], new[11:]])]
            if new != digits and not any(hit for form in forms for hit in found(form, _NOBODY)):
                return new

    def phone(self, digits: str) -> str:
        """The same area code with a local number that no line can have."""
        local = digits[-9:] if len(digits) in (9, 11, 12, 13) and digits[-9] == "9" else digits[-8:]
        area = digits[: -len(local)] + local[:-8]
        return area + self._once("phone", local[-8:], lambda: _dead_line(area, "0" if len(local) == 9 else "1"))

    def date(self, value: Date) -> Date:
        """Another date within three years; one that can't exist keeps the day and month that make it so."""
        return self._once("date", value, lambda: _another_date(value))

    def name(self, text: str) -> str:
        """Another name of as many words; a word seen before gets what it got."""
        words = [(m.start(), m.end(), m[0]) for m in re.finditer(r"[^\W\d_]+(?:['’´-][^\W\d_]+)*", text)]
        for at, (start, end, word) in reversed(list(enumerate(words))):
            if names.fold(word) not in names.PARTICLES or len(words) == 1:
                text = text[:start] + cased(self._name_word(word, at == 0), word) + text[end:]
        return text

    def _name_word(self, word: str, first: bool) -> str:
        return self._once("name", names.fold(word), lambda: self._unused_name(word, first))

    def _unused_name(self, word: str, first: bool) -> str:
        _, surnames, female, male, last = names.known()
        folded = names.fold(word)
        given = first and folded not in surnames
        choices = last if not given else female if folded.endswith("a") else male
        free = [name for name in choices if names.fold(name) not in self.used and names.fold(name) != folded]
        name = _random.choice(free or choices)
        self.used.add(names.fold(name))
        return name

    def _part(self, digits: str) -> str:
        """The middle of a CPF seen before, else random digits."""
        for (kind, value), new in self.made.items():
            if kind == "number" and digits in str(value):
                at = str(value).index(digits)
                return str(new)[at : at + len(digits)]
        return random_digits(len(digits))

    def _address(self, text: str, value: str) -> str:
        if value in ("street", "district"):
            choices = _DISTRICTS if value == "district" else _STREETS
            return cased(self._once(value, names.fold(text), lambda: _random.choice(choices)), text)
        return self._once("house", value, lambda: random_digits(len(value), _random.choice("123456789")))

    def _spoken(self, kind: str, run: list[numerals.Spoken], text: str) -> str:
        """A number in words: the surrogate's digits, spoken in groups of the same length."""
        digits = "".join(each.digits for each in run)
        new = self.phone(digits) if kind == "phone" else self.number(digits)
        origin, at = run[0].start, 0
        parts, done = [], 0
        meia = bool(re.search(r"\bmeia\b", text, re.IGNORECASE))
        for each in run:
            start, end = each.start - origin, each.end - origin
            old, group = text[start:end], new[at : at + len(each.digits)]
            spoken = group if old.isdigit() else numerals.spell(group, old)
            spoken = cased("meia", old) if meia and group == "6" and not old.isdigit() else spoken
            parts += [text[done:start], spoken]
            at, done = at + len(each.digits), end
        return "".join(parts) + text[done:]

    def _once(self, kind: str, value: object, make):
        if (kind, value) not in self.made:
            self.made[kind, value] = make()
        return self.made[kind, value]


def _dead_line(area: str, first: str) -> str:
    """8 digits that no line has, and that with the area code are nobody's CPF either."""
    while document((area + (tail := random_digits(8, first)))[-11:]):
        pass
    return tail


def _another_date(value: Date) -> Date:
    year, month, day = value
    century = range(2000, 2026) if year >= 2000 else range(1926, 2000) if year >= 1926 else range(1900, 1926)
    years = [each for each in range(year - 3, year + 4) if each in century and each != year]
    new = _random.choice(years or [year - 1])
    if month > 12 or month < 1 or day < 1 or day > monthrange(year, month)[1]:
        return new, month, day if (month, day) != (2, 29) else 30
    return new, _random.randint(1, 12), _random.randint(1, 28)


def write_date(text: str, old: Date, new: Date) -> str:
    """The new date in the form of the old one: order, separators, padding, words, capitals."""
    digits = digits_of(text)
    if (digits == text and len(text) in (6, 8)) or (
        not re.search(r"[^\W\d_]", text) and len(digits) in (6, 8) and len(digits) * 2 - 1 <= len(text)
    ):
        order = [new[2], new[1], new[0]] if f"{old[0]:04}{old[1]:02}" != digits[:6] else list(new)
        widths = [4 if part == new[0] and len(digits) == 8 else 2 for part in order]
        return refill(text, "".join(f"{part:0{width}}"[-width:] for part, width in zip(order, widths, strict=True)))
    parts = _parts(text, old)
    padded = bool(re.search(r"\b0\d(?!\d)", text)) or not re.search(r"[^\W\d_]|(?<!\d)\d(?!\d)", text)
    for start, end, which in sorted(parts, reverse=True):
        text = text[:start] + _part_like(text[start:end], old[which], new[which], which, padded) + text[end:]
    return text


def _parts(text: str, old: Date) -> list[tuple[int, int, int]]:
    """(start, end, 0 year | 1 month | 2 day) of each part of a written date."""
    words = [] if re.search(r"\sdo\s+\S+\s+de\s", text, re.IGNORECASE) else list(re.finditer(r"[^\W\d_]{3,11}", text))
    words.sort(key=lambda word: names.fold(word[0]) == "dez")  # which may be the day or the year
    month = next((m for m in words if month_of(m[0]) == old[1]), None)
    head, tail = (text[: month.start()], text[month.end() :]) if month else (text, "")
    spoken = [(n.start, n.end) for n in numerals.numbers(head)]
    after = [(n.start + len(text) - len(tail), n.end + len(text) - len(tail)) for n in numerals.numbers(tail)]
    if month:
        years = [(after[0][0], after[-1][1], 0)] if after else []
        return [*((start, end, 2) for start, end in spoken[-1:]), (month.start(), month.end(), 1), *years]
    if re.match(r"\d{4}\D", text):
        return [(start, end, which) for (start, end), which in zip(spoken, (0, 1, 2), strict=False)]
    return (
        [(spoken[0][0], spoken[0][1], 2), (spoken[1][0], spoken[1][1], 1), (spoken[2][0], spoken[-1][1], 0)]
        if len(spoken) > 2
        else []
    )


def _part_like(old: str, was: int, value: int, which: int, padded: bool) -> str:
    if old.isdigit():
        return f"{value % 100:02}" if which == 0 and len(old) == 2 else f"{value:02}" if padded else str(value)
    if which == 1 and month_of(old) == was:
        month = MONTHS[value - 1] if 1 <= value <= 12 else old
        new = month[:3] if len(old) == 3 else month
        return new.upper() if old.isupper() else new.capitalize() if old[0].isupper() else new
    short = which == 0 and value < 2000 and not names.fold(old).startswith(("mil", "dois"))
    new = number(value - 1900 if short else value)
    return new.upper() if old.isupper() else new.capitalize() if old[0].isupper() else new
