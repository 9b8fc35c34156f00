"""An indicator, as indicators.yml defines it, with the numbers that its SQL gives for months and years."""

import calendar
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jsonschema
import sqlalchemy as sa

from scripts.config import yamlfile
from scripts.data.asking import Slots, month_texts
from scripts.data.database import Database
from scripts.data.spoken import MONTHS
from scripts.errors import UserError
from scripts.paths import SCHEMAS

PARAMETER = re.compile(r":(\w+)")


@dataclass(frozen=True)
class Period:
    """A month, or a year where month is 0."""

    year: int
    month: int = 0

    @property
    def name(self) -> str:
        """`março de 2025` or `2025`."""
        return f"{MONTHS[self.month - 1]} de {self.year}" if self.month else str(self.year)

    def texts(self) -> list[str]:
        """The ways it is written."""
        return month_texts(self.year, self.month) if self.month else [self.name]

    def parameters(self) -> dict[str, str]:
        """What an indicator's SQL may ask for."""
        first, last = self.month or 1, self.month or 12
        start, end = f"{self.year}-{first:02d}-01", f"{self.year}-{last:02d}-{calendar.monthrange(self.year, last)[1]}"
        return {"period": (start[:7] if self.month else start[:4]) + "%", "start": start, "end": end}


@dataclass(frozen=True)
class Indicator:
    """One block of indicators.yml; `numbers` are what its SQL gave, in its unit."""

    name: str
    synonyms: list[str]
    meaning: str
    formula: str
    why: str
    unit: str
    decimals: int
    direction: str
    thresholds: dict
    sql: str
    numbers: dict[Period, float]

    @property
    def bare(self) -> str:
        return self.name[2:]

    @property
    def subject(self) -> str:
        """`A sinistralidade`"""
        return self.name[:1].upper() + self.name[1:]

    def wordings(self, **more: list[str]) -> tuple[Slots, ...]:
        """Every name (the first one twice as often), with every way to write what `more` holds."""
        good = {"o": "bom", "a": "boa"}
        slots = [
            {"o": each[0], "ind": each[2:], "bom": good[each[0]]} for each in (self.name, self.name, *self.synonyms)
        ]
        for key, texts in more.items():
            slots = [slot | {key: text} for slot in slots for text in texts]
        return tuple(slots)

    def shown(self, period: Period) -> str:
        """`82,4%`"""
        return decimal(self.numbers[period], self.decimals) + self.unit

    def query(self, period: Period) -> str:
        """The SQL with the period's values in it, ending in a semicolon."""
        values = period.parameters()
        return PARAMETER.sub(lambda found: f"'{values[found[1]]}'", " ".join(self.sql.split())) + ";"

    def level(self, period: Period) -> str:
        """bom, de atenção or ruim, by the limits of a month."""
        sign = 1 if self.direction == "lower" else -1
        number = sign * self.numbers[period]
        good, bad = sign * self.thresholds["good"], sign * self.thresholds["bad"]
        return "bom" if number <= good else "ruim" if number > bad else "de atenção"


def decimal(number: float, digits: int) -> str:
    """82.4 as `82,4`."""
    return f"{number:.{digits}f}".replace(".", ",")


def limit(number: float) -> str:
    """A threshold without needless zeros: 76 as `76`, 1.5 as `1,5`."""
    return f"{number:g}".replace(".", ",")


def between(first: str, last: str) -> list[Period]:
    """The months from `2025-01` to `2025-12`, both included."""
    (year, month), end = map(int, first.split("-")), tuple(map(int, last.split("-")))
    months = []
    while (year, month) <= end:
        months.append(Period(year, month))
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    return months


@cache
def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads((SCHEMAS / "indicators.schema.json").read_text(encoding="utf-8")))


def read(file: Path, source: Database, periods: list[Period]) -> list[Indicator]:
    """The indicators of a file with their numbers; UserError names what is wrong and where."""
    document = yamlfile.load(file)
    problems = [
        document.problem(error.json_path, error.message[:200]) for error in _validator().iter_errors(document.value)
    ]
    if problems:
        raise UserError(problems=problems)
    indicators = []
    for index, block in enumerate(document.value["indicators"]):
        indicator, path = Indicator(**block, numbers={}), f"$.indicators[{index}].sql"
        unknown = set(PARAMETER.findall(indicator.sql)) - {"period", "start", "end"}
        if unknown:
            names = ", ".join(f":{name}" for name in sorted(unknown))
            problems.append(document.problem(path, f"there is no {names}", "use :period, :start and :end"))
            continue
        try:
            for period in periods:
                number = number_of(source, indicator.query(period))
                indicator.numbers[period] = round(number, indicator.decimals)  # equal where they are shown as equal
        except (sa.exc.DBAPIError, ValueError) as error:
            text = str(getattr(error, "orig", error)).splitlines()[0]
            problems.append(document.problem(path, f"{indicator.bare} of {period.name}: {text}"))
        indicators.append(indicator)
    if problems:
        raise UserError(problems=problems)
    return indicators


def number_of(source: Database, sql: str) -> float:
    """The one number that the SQL finds; ValueError where it finds something else."""
    found = source.run(sql)
    if len(found) != 1 or len(found[0]) != 1 or found[0][0] is None:
        raise ValueError(f"it gives {found[:2]} and not one number")
    return float(found[0][0])
