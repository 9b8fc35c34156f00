"""One synthetic client of a conversation: its slots, and the same values in canonical form for a tool.

CPFs fail their check digits on purpose, so that none can be anybody's. `{cpf}` and `{birth}` are
written as people write; the slots of other names (bad_, slip_, short_, long_, future_ …) are what can go wrong.
"""

import calendar
import random
from collections.abc import Mapping
from functools import cached_property

from scripts.data import spoken
from scripts.errors import UserError

#: Slots that have a canonical form, for the arguments of a call; and those drawn for a tool's result.
CANONICAL = (
    "cpf",
    "slip_cpf",
    "wrong_cpf",
    "birth",
    "slip_birth",
    "slip_year",
    "slip_day",
    "bad_birth",
    "future_birth",
)
DRAWN = ("due", "amount")
FIRST_YEAR, LAST_YEAR = 1930, 2024
#: Digits of a wrong CPF and how often: one missing or one too many is what people do.
WRONG_LENGTHS = {10: 36, 9: 14, 8: 4, 7: 4, 6: 1, 5: 2, 12: 28, 13: 9, 14: 3}


def weighted(weights: Mapping[str, float], rng: random.Random) -> str:
    """A key, as often as its weight says."""
    return rng.choices(list(weights), list(weights.values()))[0]


def check_digits(nine: str) -> str:
    """The two check digits of a CPF's first nine (Receita Federal's modulo 11)."""
    digits = [int(d) for d in nine]
    for _ in range(2):
        rest = sum(d * w for d, w in zip(digits, range(len(digits) + 1, 1, -1), strict=True)) % 11
        digits.append(0 if rest < 2 else 11 - rest)
    return f"{digits[-2]}{digits[-1]}"


def false_cpf(rng: random.Random) -> str:
    """Eleven digits whose check digits are wrong."""
    nine = f"{rng.randrange(10**9):09}"
    wrong = rng.randrange(99)
    right = int(check_digits(nine))
    return nine + f"{wrong + (wrong >= right):02}"


def birth_date(rng: random.Random) -> spoken.Date:
    """A date that exists; the last days of months, which are easily taken for impossible, come often."""
    month, year = rng.randint(1, 12), rng.randint(FIRST_YEAR, LAST_YEAR)
    if rng.random() < 0.03:
        month, year = 2, rng.randrange(1932, LAST_YEAR + 1, 4)
        return 29, month, year
    last = calendar.monthrange(year, month)[1]
    return (rng.randint(28, last) if rng.random() < 0.12 else rng.randint(1, last)), month, year


def impossible_date(rng: random.Random) -> spoken.Date:
    """A day or month that doesn't exist: 31/04, 30/02, 29/02 of a common year, month 13, day 32."""
    year = rng.randint(FIRST_YEAR, LAST_YEAR)
    what = rng.choices(["february", "leap", "thirty", "month", "day"], [3, 1.5, 3, 2, 2])[0]
    if what == "february":
        return rng.choice([30, 31]), 2, year
    if what == "leap":
        return 29, 2, year + 1 if calendar.isleap(year) else year
    if what == "thirty":
        return 31, rng.choice([4, 6, 9, 11]), year
    if what == "month":
        return rng.randint(1, 28), rng.choice([13, 13, 14, 15, 16, 17, 18, 19, 20, 21, 25, 0]), year
    return rng.choice([32, 32, 33, 34, 35, 36, 38, 39, 40, 42, 45, 0]), rng.randint(1, 12), year


class Person:
    """The values of one conversation, drawn once; `slot` writes them, `canonical` gives them to a tool."""

    def __init__(self, recipe: Mapping, rng: random.Random):
        self.recipe, self.rng = recipe, rng
        self.cpf, self.slip_cpf = false_cpf(rng), false_cpf(rng)
        self.birth = birth_date(rng)
        self.wrong_cpf: str | None = None  # the digits that short_cpf or long_cpf wrote last
        self.future_birth: spoken.Date | None = None

    @cached_property
    def first(self) -> str:
        return self.rng.choice(self.recipe["people"]["first"].split())

    @cached_property
    def name(self) -> str:
        last = self.recipe["people"]["last"].split()
        return " ".join([self.first, *self.rng.sample(last, self.rng.choice([1, 2, 2]))])

    @cached_property
    def values(self) -> dict[str, str]:
        """What the tool answers about this person: one of each `values` list of the recipe."""
        lists = {name: self.rng.choice(lines) for name, lines in self.recipe["value_lists"].items()}
        year, month = self.rng.choice([2025, 2026]), self.rng.randint(1, 12)
        amount = f"{self.rng.randint(120, 1990)},{self.rng.randrange(0, 100, 10):02}"
        return lists | {"due": f"{self.rng.choice([5, 10, 15, 20, 25]):02}/{month:02}/{year}", "amount": f"R$ {amount}"}

    @cached_property
    def slip_year(self) -> spoken.Date:
        day, month, year = self.birth
        near = (y for y in range(year - 9, year + 10) if FIRST_YEAR <= y <= LAST_YEAR and y != year)
        return day, month, self.rng.choice([y for y in near if day <= calendar.monthrange(y, month)[1]])

    @cached_property
    def slip_day(self) -> spoken.Date:
        day, month, year = self.birth
        return self.rng.choice([d for d in range(1, 29) if d != day]), month, year

    @cached_property
    def slip_birth(self) -> spoken.Date:
        return birth_date(self.rng)

    @cached_property
    def bad_birth(self) -> spoken.Date:
        return impossible_date(self.rng)

    def _date(self, date: spoken.Date, rng: random.Random, form: str = "") -> str:
        forms = self.recipe["forms"]["birth"]
        if not 1 <= date[1] <= 12:
            forms = {name: weight for name, weight in forms.items() if name not in spoken.MONTH_FORMS}
        if date[0] == 0:
            forms = {name: weight for name, weight in forms.items() if "words" not in name}
        return spoken.DATES[form or weighted(forms, rng)](date, rng)

    def _cpf(self, digits: str, rng: random.Random) -> str:
        return spoken.CPFS[weighted(self.recipe["forms"]["cpf"], rng)](digits, rng)

    def _wrong_cpf(self, rng: random.Random, short: bool) -> str:
        weights = {length: weight for length, weight in WRONG_LENGTHS.items() if (length < 11) == short}
        length = int(weighted(weights, rng))
        digits = self.wrong_cpf = "".join(str(rng.randrange(10)) for _ in range(length))
        if length in (6, 8):  # in one piece they would read as a date
            return spoken.CPFS["dotted"](digits, rng)
        return self._cpf(digits, rng)

    def _future_birth(self, rng: random.Random) -> str:
        self.future_birth = self.birth[0], self.birth[1], rng.randint(2030, 2099)
        return self._date(self.future_birth, rng)

    def slot(self, name: str, rng: random.Random) -> str:
        """The slot as a person types it."""
        write = WRITERS.get(name)
        return write(self, rng) if write else self.values[name] if name in self.values else self.recipe["facts"][name]

    def canonical(self, name: str) -> str:
        """Digits of a CPF, YYYYMMDD of a date."""
        value = getattr(self, name)
        if value is None:
            raise UserError(f"a call has {name}, which no turn before it has said", next="mend the flow in the recipe")
        return value if isinstance(value, str) else f"{value[2]:04}{value[1]:02}{value[0]:02}"


def _month_written(person: Person, rng: random.Random) -> str:
    forms = {n: w for n, w in person.recipe["forms"]["birth"].items() if n in spoken.MONTH_FORMS}
    return spoken.DATES[weighted(forms, rng)](person.birth, rng)


WRITERS = {
    "nl": lambda p, rng: "\n",
    "name": lambda p, rng: p.name,
    "first": lambda p, rng: p.first,
    "cpf": lambda p, rng: p._cpf(p.cpf, rng),
    "slip_cpf": lambda p, rng: p._cpf(p.slip_cpf, rng),
    "short_cpf": lambda p, rng: p._wrong_cpf(rng, short=True),
    "long_cpf": lambda p, rng: p._wrong_cpf(rng, short=False),
    "birth": lambda p, rng: p._date(p.birth, rng),
    "birth_month": _month_written,
    "bad_birth": lambda p, rng: p._date(p.bad_birth, rng),
    "slip_birth": lambda p, rng: p._date(p.slip_birth, rng),
    "slip_year": lambda p, rng: p._date(p.slip_year, rng),
    "slip_day": lambda p, rng: p._date(p.slip_day, rng),
    "year": lambda p, rng: str(p.birth[2]),
    "day": lambda p, rng: str(p.birth[0]),
    "future_birth": lambda p, rng: p._future_birth(rng),
    "month_year": lambda p, rng: rng.choice(
        [f"{spoken.MONTHS[p.birth[1] - 1]} de {p.birth[2]}", f"{p.birth[1]:02}/{p.birth[2]}"]
    ),
    "day_month": lambda p, rng: rng.choice(
        [f"{p.birth[0]} de {spoken.MONTHS[p.birth[1] - 1]}", f"{p.birth[0]:02}/{p.birth[1]:02}"]
    ),
}
