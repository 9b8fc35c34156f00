"""Rows for an adapter that knows a database: its tables, columns, keys and joins, and SQL that answers.

`rows(recipe, folder, db_url)` reflects the database, turns it into points, and words them with the
phrases of `folder`. The SQL is portable over SQLite, PostgreSQL and MySQL, short, and in one style, so
that a small model can learn it; each statement is run here and dropped where it fails or finds nothing.
"""

from collections.abc import Iterator
from pathlib import Path

from scripts.data import database, sqlpoints
from scripts.data.asking import Point, Row, deal, phrases
from scripts.data.database import Column, Database, Table
from scripts.data.wording import Wording


def rows(recipe: dict, folder: Path, db_url: str | None = None) -> tuple[list[Row], list[Row]]:
    """(training rows, evaluation rows) about the database at `db_url`, else the recipe's.

    The recipe's own database must meet the quotas; of another one they are the most that is taken.
    """
    options = recipe["options"]
    source = database.read(database.connect(options, db_url), options)
    words = Wording(options)
    points = [*structure(source, words, options), *sqlpoints.points(source, words)]
    return deal(points, phrases(folder / "phrases.yml"), recipe, strict=not db_url)


def fact(kind: str, answer: str, contains: list[str], *slots: dict, intent: str = "") -> Point:
    """A point that is answered in words."""
    return Point(kind, intent or kind, answer, {"contains": contains}, slots or ({},))


def structure(source: Database, words: Wording, options: dict) -> Iterator[Point]:
    """What is there and how it fits together."""
    names = list(source.tables)
    yield fact("tabelas", f"As tabelas são: {', '.join(names)}.", names)
    for name in options.get("absent", []):
        if name not in source.tables:
            yield fact("inexistente", f"Não existe a tabela {name}.", [f"não existe a tabela {name}"], {"tabela": name})
    for table in source.tables.values():
        yield from _about(table)
        for column in table.columns:
            yield from _column(table, column, words)


def _about(table: Table) -> Iterator[Point]:
    slot = {"tabela": table.name}
    columns = [column.name for column in table.columns]
    yield fact("colunas", f"A tabela {table.name} tem as colunas: {', '.join(columns)}.", columns, slot)
    if table.comment:
        yield fact("finalidade", f"A tabela {table.name} guarda {table.comment}.", [table.comment], slot)
    if len(table.key) == 1:
        sentence = f"A chave primária de {table.name} é {table.key[0]}"
        yield fact("chave", sentence + ".", [sentence], slot)
    if not table.links:
        sentence = f"{table.name} não tem chaves estrangeiras"
        yield fact("estrangeiras", sentence + ".", [sentence], slot)
        return
    pairs = [f"{link.column} ({link.parent})" for link in table.links]
    yield fact("estrangeiras", f"As chaves estrangeiras de {table.name} são: {', '.join(pairs)}.", pairs, slot)
    for link in table.links:
        join = f"{table.name}.{link.column} = {link.parent}.{link.key}"
        there, back = ({"tabela": a, "outra": b} for a, b in ((table.name, link.parent), (link.parent, table.name)))
        for intent, slots in (("juncao", (there,)), ("cruzar", (there, back))):
            yield fact("juncao", f"A junção é {join}.", [join], *slots, intent=intent)


def _column(table: Table, column: Column, words: Wording) -> Iterator[Point]:
    full, slot = f"{table.name}.{column.name}", {"tabela": table.name, "coluna": column.name}
    if column.comment:
        yield fact("significado", f"A coluna {full} é: {column.comment}.", [column.comment], slot)
    if column.complete:
        listed = ", ".join(column.values)
        yield fact("valores", f"Os valores de {full} são: {listed}.", list(column.values), slot)
    if column.kind != "key":
        slots = [noun.slots() | words.said(each) for noun in words.table(table) for each in words.column(column)]
        yield fact("onde", f"Na coluna {full}.", [full], *slots)
