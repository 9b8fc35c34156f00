"""The questions that one SELECT answers: counts, filters, sums, groups, joins, rankings and periods.

One style throughout: no aliases, names qualified only in joins, `JOIN parent ON child.fk = parent.key`,
a month of a DATE as BETWEEN its first and last day. `verified` runs each statement.
"""

from collections.abc import Iterator

import sqlalchemy as sa

from scripts.data.asking import Noun, Point, Slots
from scripts.data.database import Column, Database, Table
from scripts.data.sqlfilters import Filters, Path
from scripts.data.wording import Wording

MEASURES = {"soma": "SUM", "media": "AVG", "maximo": "MAX", "minimo": "MIN"}
MOST_GROUPS = 40


def points(source: Database, words: Wording) -> Iterator[Point]:
    """Every question whose SQL runs and finds something."""
    maker = Maker(source, words)
    for table in source.tables.values():
        for point in maker.of(table) if table.rows else ():
            if verified(source, point):
                yield point


def verified(source: Database, point: Point) -> bool:
    """Whether the point's SQL means the same everywhere, runs, and finds more than nothing, NULL or zero."""
    if "\\" in point.expect["sql"]:  # an escape in MySQL, a character elsewhere
        return False
    try:
        found = source.run(point.expect["sql"])
    except sa.exc.DBAPIError:
        return False
    return any(value not in (None, 0, "") for row in found for value in row) and len(found) <= MOST_GROUPS


class Maker:
    """Builds the points of one table after another."""

    def __init__(self, source: Database, words: Wording):
        self.source, self.words, self.filters = source, words, Filters(source, words)
        self.quote = source.engine.dialect.identifier_preparer.quote

    def of(self, table: Table) -> Iterator[Point]:
        """All points whose noun is that table."""
        count = f"SELECT COUNT(*) FROM {self.quote(table.name)}"
        yield self._sql("contar", "contar", count, self._nouns(table))
        make = self.filters
        for each in (*make.values(table), *make.periods(table), *make.pairs(table), *make.linked(table)):
            slots = self._nouns(table, each.texts)
            yield self._sql(f"contar_{each.kind}", "contar", f"{count}{each.join} WHERE {each.where}", slots)
        for column in table.of("number"):
            yield from self._measures(table, column)
            yield from self._extremes(table, column)
        yield from self._groups(table)
        yield from self._list(table)

    def _sql(self, kind: str, intent: str, sql: str, slots: list[Slots]) -> Point:
        return Point(kind, intent, f"```sql\n{sql};\n```", {"sql": f"{sql};"}, tuple(slots))

    def _nouns(self, table: Table, texts: tuple[str, ...] = ("",)) -> list[Slots]:
        return [noun.slots(text) for noun in self.words.table(table) for text in texts]

    def _with(self, slots: list[Slots], column: Column) -> list[Slots]:
        return [each | self.words.said(noun) for each in slots for noun in self.words.column(column)]

    def _measures(self, table: Table, column: Column) -> Iterator[Point]:
        values, dates, pairs = (
            list(make(table)) for make in (self.filters.values, self.filters.first_dates, self.filters.pairs)
        )
        for intent, function in MEASURES.items():
            sql = f"SELECT {function}({self.quote(column.name)}) FROM {self.quote(table.name)}"
            yield self._sql("medida", intent, sql, self._with(self._nouns(table), column))
            filters = values + (dates if intent in ("soma", "media") else []) + (pairs if intent == "soma" else [])
            for each in filters:
                slots = self._with(self._nouns(table, each.texts), column)
                yield self._sql(f"medida_{each.kind}", intent, f"{sql} WHERE {each.where}", slots)

    def _extremes(self, table: Table, column: Column) -> Iterator[Point]:
        """The n rows with most or least of a column that is never empty, where no two are equal."""
        if column.nullable or not table.label():
            return
        name, label, number = (self.quote(each) for each in (table.name, table.label(), column.name))
        for index, (intent, order) in enumerate((("maiores", " DESC"), ("menores", ""))):
            for n in (2, 3, 4, 5, 10):
                sql = f"SELECT {label}, {number} FROM {name} ORDER BY {number}{order} LIMIT "
                values = [row[1] for row in self.source.run(f"{sql}{n + 1}")]
                if n >= table.rows or len(set(values)) < len(values):
                    continue
                slots = [each | {"n": str(n)} for each in self._nouns(table)]
                yield self._sql("maiores", intent, f"{sql}{n}", self._with(slots, column))
                if words := self.words.ranking(column):
                    slots = [each | {"mais": words[index].replace("{os}", each["os"])} for each in slots]
                    yield self._sql("maiores", "mais", f"{sql}{n}", slots)

    def _groups(self, table: Table) -> Iterator[Point]:
        name = self.quote(table.name)
        for column in table.of("category", "month"):
            field = self.quote(column.name)
            yield from self._by(table, "por_grupo", field, name, self.words.column(column), "")
        for path in self.filters.paths(table):
            for column in path.to.of("label", *(["category"] if path.hops == 1 else [])):
                field = f"{self.quote(path.to.name)}.{self.quote(column.name)}"
                nouns = self._parents(path, column)
                yield from self._by(table, "por_ligacao", field, f"{name}{path.join}", nouns, f"{name}.")
                yield from self._champion(table, field, f"{name}{path.join}", nouns)

    def _parents(self, path: Path, column: Column) -> list[Noun]:
        """`plano`, or `cobertura do plano` for a column that is not its name."""
        nouns = self.words.table(path.to)
        if column.kind == "label":
            return nouns
        of = f"d{nouns[0].o} {nouns[0].one}"
        return [Noun(own.o, f"{own.one} {of}", "") for own in self.words.column(column)]

    def _by(self, table: Table, kind: str, field: str, source: str, nouns: list[Noun], prefix: str) -> Iterator[Point]:
        slots = [each | {"grupo": noun.one, "og": noun.o} for each in self._nouns(table) for noun in nouns]
        end = f" FROM {source} GROUP BY {field}"
        yield self._sql(kind, "contar_por", f"SELECT {field}, COUNT(*){end}", slots)
        for column in table.of("number"):
            for intent in ("soma", "media"):
                sql = f"SELECT {field}, {MEASURES[intent]}({prefix}{self.quote(column.name)}){end}"
                yield self._sql(kind, f"{intent}_por", sql, self._with(slots, column))

    def _champion(self, table: Table, field: str, source: str, nouns: list[Noun]) -> Iterator[Point]:
        """The group with most rows, where exactly one has."""
        end = f"FROM {source} GROUP BY {field} ORDER BY COUNT(*) DESC LIMIT"
        counts = [row[0] for row in self.source.run(f"SELECT COUNT(*) {end} 2")]
        if len(set(counts)) == 2:
            slots = [each | {"grupo": noun.one, "og": noun.o} for each in self._nouns(table) for noun in nouns]
            yield self._sql("campeao", "campeao", f"SELECT {field} {end} 1", slots)

    def _list(self, table: Table) -> Iterator[Point]:
        """The names of a table's rows, where it has names that may be said."""
        for column in table.of("label")[:1]:
            sql = f"SELECT {self.quote(column.name)} FROM {self.quote(table.name)}"
            yield self._sql("listar", "listar", sql, self._nouns(table))
            for each in self.filters.values(table):
                yield self._sql("listar", "listar", f"{sql} WHERE {each.where}", self._nouns(table, each.texts))
