"""The questions that one SELECT answers: counts, filters, sums, groups, joins, rankings and periods.

One style throughout: no aliases, names qualified only in joins, `JOIN parent ON child.fk = parent.key`,
a month of a DATE as BETWEEN its first and last day. `verified` runs each statement.
"""

import calendar
from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from scripts.data.asking import Noun, Point, Slots, month_texts
from scripts.data.database import Column, Database, Link, Table
from scripts.data.wording import Wording

MEASURES = {"soma": "SUM", "media": "AVG", "maximo": "MAX", "minimo": "MIN"}
MOST_GROUPS = 40


@dataclass(frozen=True)
class Filter:
    """A condition and how it is said after the noun; `join` brings in the parent table."""

    kind: str
    column: str
    where: str
    texts: tuple[str, ...]
    join: str = ""


def points(source: Database, words: Wording) -> Iterator[Point]:
    """Every question whose SQL runs and finds something."""
    maker = Maker(source, words)
    for table in source.tables.values():
        if not table.rows:
            continue
        for point in maker.of(table):
            if point is not None and verified(source, point):
                yield point


def verified(source: Database, point: Point) -> bool:
    """Whether the point's SQL runs and finds more than nothing, NULL or zero."""
    try:
        found = source.run(point.expect["sql"])
    except sa.exc.DBAPIError:
        return False
    return any(value not in (None, 0, "") for row in found for value in row) and len(found) <= MOST_GROUPS


class Maker:
    """Builds the points of one table after another."""

    def __init__(self, source: Database, words: Wording):
        self.source, self.words = source, words
        self.quote = source.engine.dialect.identifier_preparer.quote

    def of(self, table: Table) -> Iterator[Point | None]:
        """All points whose noun is that table."""
        yield self._sql("contar", "contar", f"SELECT COUNT(*) FROM {self.quote(table.name)}", self._nouns(table))
        filters = [*self._values(table), *self._periods(table), *self._parents(table)]
        for each in filters:
            name = self.quote(table.name)
            sql = f"SELECT COUNT(*) FROM {name}{each.join} WHERE {each.where}"
            yield self._sql(f"contar_{each.kind}", "contar", sql, self._nouns(table, each.texts))
        for column in table.of("number"):
            yield from self._measures(table, column, filters)
            yield from self._extremes(table, column)
        yield from self._groups(table)
        yield from self._list(table)

    def _sql(self, kind: str, intent: str, sql: str, slots: list[Slots]) -> Point:
        return Point(kind, intent, f"```sql\n{sql};\n```", {"sql": f"{sql};"}, tuple(slots))

    def _nouns(self, table: Table, texts: tuple[str, ...] = ("",)) -> list[Slots]:
        return [noun.slots(text) for noun in self.words.table(table) for text in texts]

    def _with(self, slots: list[Slots], column: Column) -> list[Slots]:
        return [each | self.words.said(noun) for each in slots for noun in self.words.column(column)]

    def _values(self, table: Table) -> Iterator[Filter]:
        for column in table.of("category"):
            for value in column.values:
                where = f"{self.quote(column.name)} = {literal(value)}"
                yield Filter("filtro", column.name, where, tuple(self.words.value(column, value)))

    def _periods(self, table: Table) -> Iterator[Filter]:
        """Every year and month between a date column's first and last value, the last three years at most."""
        for column in table.of("month", "date", "time"):
            span = self.source.dates.get(f"{table.name}.{column.name}")
            if span is None:
                continue
            last = int(span[1][:4])
            for year in range(max(int(span[0][:4]), last - 2), last + 1):
                for month in range(13):
                    at = f"{year}-{month:02d}" if month else str(year)
                    if month and not span[0][:7] <= at <= span[1][:7]:
                        continue
                    texts = month_texts(year, month) if month else [str(year)]
                    said = tuple(f"{before} {text}" for before in self.words.date(column) for text in texts)
                    where = within(self.quote(column.name), column.kind, year, month)
                    yield Filter("periodo", column.name, where, said)

    def _parents(self, table: Table) -> Iterator[Filter]:
        for link, parent in self._links(table):
            for column in parent.of("label", "category"):
                for value in column.values:
                    where = f"{parent.name}.{self.quote(column.name)} = {literal(value)}"
                    texts = tuple(self.words.linked(parent, column, value))
                    yield Filter("ligado", column.name, where, texts, self._join(link))

    def _links(self, table: Table) -> list[tuple[Link, Table]]:
        """Links whose parent is another table that is reached by one link only."""
        parents = [link.parent for link in table.links]
        return [
            (link, self.source.tables[link.parent])
            for link in table.links
            if link.parent in self.source.tables and link.parent != table.name and parents.count(link.parent) == 1
        ]

    def _join(self, link: Link) -> str:
        child, parent = self.quote(link.table), self.quote(link.parent)
        return f" JOIN {parent} ON {child}.{self.quote(link.column)} = {parent}.{self.quote(link.key)}"

    def _measures(self, table: Table, column: Column, filters: list[Filter]) -> Iterator[Point]:
        name, number = self.quote(table.name), self.quote(column.name)
        periods = [each for each in filters if each.kind == "periodo"]
        dated = [each for each in periods if each.column == periods[0].column]
        plain = [each for each in filters if each.kind == "filtro"]
        for intent, function in MEASURES.items():
            sql = f"SELECT {function}({number}) FROM {name}"
            yield self._sql("medida", intent, sql, self._with(self._nouns(table), column))
            for each in plain + (dated if intent in ("soma", "media") else []):
                slots = self._with(self._nouns(table, each.texts), column)
                yield self._sql(f"medida_{each.kind}", intent, f"{sql} WHERE {each.where}", slots)

    def _extremes(self, table: Table, column: Column) -> Iterator[Point | None]:
        """The n rows with most or least of a column that is never empty, where no two are equal."""
        if column.nullable or not table.label():
            return
        name, label, number = (self.quote(each) for each in (table.name, table.label(), column.name))
        for intent, order in (("maiores", " DESC"), ("menores", "")):
            for n in (2, 3, 4, 5, 10):
                sql = f"SELECT {label}, {number} FROM {name} ORDER BY {number}{order} LIMIT "
                values = [row[1] for row in self.source.run(f"{sql}{n + 1}")]
                if n < table.rows and len(set(values)) == len(values):
                    slots = self._with([each | {"n": str(n)} for each in self._nouns(table)], column)
                    yield self._sql("maiores", intent, f"{sql}{n}", slots)

    def _groups(self, table: Table) -> Iterator[Point | None]:
        name = self.quote(table.name)
        for column in table.of("category", "month"):
            field = self.quote(column.name)
            yield from self._by(table, "por_grupo", field, name, self.words.column(column), "")
        for link, parent in self._links(table):
            for column in parent.of("label", "category"):
                field = f"{self.quote(parent.name)}.{self.quote(column.name)}"
                nouns = self.words.table(parent)
                if column.kind != "label":
                    nouns = [
                        Noun(own.o, f"{own.one} d{nouns[0].o} {nouns[0].one}", "") for own in self.words.column(column)
                    ]
                source = f"{name}{self._join(link)}"
                yield from self._by(table, "por_ligacao", field, source, nouns, f"{name}.")
                yield self._champion(table, field, source, nouns)

    def _by(self, table: Table, kind: str, field: str, source: str, nouns: list[Noun], prefix: str) -> Iterator[Point]:
        slots = [each | {"grupo": noun.one, "og": noun.o} for each in self._nouns(table) for noun in nouns]
        end = f" FROM {source} GROUP BY {field}"
        yield self._sql(kind, "contar_por", f"SELECT {field}, COUNT(*){end}", slots)
        for column in table.of("number"):
            for intent in ("soma", "media"):
                sql = f"SELECT {field}, {MEASURES[intent]}({prefix}{self.quote(column.name)}){end}"
                yield self._sql(kind, f"{intent}_por", sql, self._with(slots, column))

    def _champion(self, table: Table, field: str, source: str, nouns: list[Noun]) -> Point | None:
        """The group with most rows, where exactly one has."""
        end = f"FROM {source} GROUP BY {field} ORDER BY COUNT(*) DESC LIMIT"
        counts = [row[0] for row in self.source.run(f"SELECT COUNT(*) {end} 2")]
        if len(set(counts)) < 2:
            return None
        slots = [each | {"grupo": noun.one, "og": noun.o} for each in self._nouns(table) for noun in nouns]
        return self._sql("campeao", "campeao", f"SELECT {field} {end} 1", slots)

    def _list(self, table: Table) -> Iterator[Point]:
        """The names of a table's rows, where it has names that may be said."""
        for column in table.of("label")[:1]:
            sql = f"SELECT {self.quote(column.name)} FROM {self.quote(table.name)}"
            yield self._sql("listar", "listar", sql, self._nouns(table))
            for each in self._values(table):
                yield self._sql("listar", "listar", f"{sql} WHERE {each.where}", self._nouns(table, each.texts))


def literal(value: str) -> str:
    """A text literal that SQLite, PostgreSQL and MySQL read alike."""
    return "'" + value.replace("'", "''") + "'"


def within(field: str, kind: str, year: int, month: int) -> str:
    """The condition that a date lies in a month, or in a year where month is 0."""
    if kind == "month":
        return f"{field} = '{year}-{month:02d}'" if month else f"{field} LIKE '{year}%'"
    if kind == "time":
        after = (f"{year}-{month + 1:02d}" if month < 12 else f"{year + 1}-01") if month else f"{year + 1}-01"
        return f"{field} >= '{year}-{month or 1:02d}-01' AND {field} < '{after}-01'"
    last = f"{year}-{month:02d}-{calendar.monthrange(year, month)[1]}" if month else f"{year}-12-31"
    return f"{field} BETWEEN '{year}-{month or 1:02d}-01' AND '{last}'"
