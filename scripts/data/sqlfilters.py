"""What narrows a question down, as SQL and in words: a value, a month or year, a row of another table."""

import calendar
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product

from scripts.data.asking import month_texts
from scripts.data.database import Database, Link, Table
from scripts.data.wording import Wording


@dataclass(frozen=True)
class Filter:
    """A condition and how it is said after the noun; `join` brings in the tables that it is about."""

    kind: str
    column: str
    where: str
    texts: tuple[str, ...]
    join: str = ""


@dataclass(frozen=True)
class Path:
    """The one way from a table to another, over one foreign key or two."""

    join: str
    to: Table
    hops: int


class Filters:
    """The filters of one table after another."""

    def __init__(self, source: Database, words: Wording):
        self.source, self.words = source, words
        self.quote = source.engine.dialect.identifier_preparer.quote

    def values(self, table: Table) -> Iterator[Filter]:
        """One for each value of each category."""
        for column in table.of("category"):
            for value in column.values:
                where = f"{self.quote(column.name)} = {literal(value)}"
                yield Filter("filtro", column.name, where, tuple(self.words.value(column, value)))

    def periods(self, table: Table) -> Iterator[Filter]:
        """Every year and month between a date column's first and last value, the last three years at most."""
        for column in table.of("month", "date", "time"):
            span = self.source.dates.get(f"{table.name}.{column.name}")
            if span is None:
                continue
            last = int(span[1][:4])
            for year, month in product(range(max(int(span[0][:4]), last - 2), last + 1), range(13)):
                if month and not span[0][:7] <= f"{year}-{month:02d}" <= span[1][:7]:
                    continue
                texts = month_texts(year, month) if month else [str(year)]
                said = tuple(f"{before} {text}" for before in self.words.date(column) for text in texts)
                where = within(self.quote(column.name), column.kind, year, month)
                yield Filter("periodo", column.name, where, said)

    def first_dates(self, table: Table) -> list[Filter]:
        """The periods of the table's first date column, which is what people mean without naming one."""
        periods = list(self.periods(table))
        return [each for each in periods if each.column == periods[0].column]

    def pairs(self, table: Table) -> Iterator[Filter]:
        """Two values of different columns, or a value and a period; the shorter words come first."""
        values = list(self.values(table))
        both = [*combinations(values, 2), *product(values, self.first_dates(table))]
        for one, other in both:
            if one.column != other.column:
                texts = {" ".join(sorted((one.texts[0], text), key=_words)) for text in other.texts}
                yield Filter("dois", one.column, f"{one.where} AND {other.where}", tuple(sorted(texts)))

    def linked(self, table: Table) -> Iterator[Filter]:
        """One for each named value of the tables that this one points at."""
        for path in self.paths(table):
            for column in path.to.of("label", *(["category"] if path.hops == 1 else [])):
                for value in column.values:
                    where = f"{self.quote(path.to.name)}.{self.quote(column.name)} = {literal(value)}"
                    texts = tuple(self.words.linked(path.to, column, value))
                    yield Filter("ligado", column.name, where, texts, path.join)

    def paths(self, table: Table) -> list[Path]:
        """To each other table that is one foreign key away, or two, where there is only one such way."""
        near = [Path(self.join(link), self.source.tables[link.parent], 1) for link in self._links(table)]
        far = [
            Path(path.join + self.join(link), self.source.tables[link.parent], 2)
            for path in near
            for link in self._links(path.to)
        ]
        near_ways, far_ways = (Counter(path.to.name for path in paths) for paths in (near, far))
        far = [path for path in far if path.to.name not in {table.name, *near_ways} and far_ways[path.to.name] == 1]
        return [path for path in near if near_ways[path.to.name] == 1] + far

    def _links(self, table: Table) -> list[Link]:
        return [link for link in table.links if link.parent in self.source.tables and link.parent != table.name]

    def join(self, link: Link) -> str:
        """` JOIN parent ON child.fk = parent.key`"""
        child, parent = self.quote(link.table), self.quote(link.parent)
        return f" JOIN {parent} ON {child}.{self.quote(link.column)} = {parent}.{self.quote(link.key)}"


def _words(text: str) -> int:
    return len(text.split())


def literal(value: str) -> str:
    """A text literal that SQLite, PostgreSQL and MySQL read alike."""
    return "'" + value.replace("'", "''") + "'"


def within(field: str, kind: str, year: int, month: int) -> str:
    """The condition that a date lies in a month, or in a year where month is 0."""
    if kind == "month":
        return f"{field} = '{year}-{month:02d}'" if month else f"{field} LIKE '{year}%'"
    if kind == "time":
        after = f"{year}-{month + 1:02d}" if 0 < month < 12 else f"{year + 1}-01"
        return f"{field} >= '{year}-{month or 1:02d}-01' AND {field} < '{after}-01'"
    last = f"{year}-{month:02d}-{calendar.monthrange(year, month)[1]}" if month else f"{year}-12-31"
    return f"{field} BETWEEN '{year}-{month or 1:02d}-01' AND '{last}'"
