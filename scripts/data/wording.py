"""What people call the tables, columns, values and dates of a database.

A recipe's glossary comes first; what it lacks is taken from the column's comment, else from its name.
"""

import re

from scripts.data.asking import Noun, Slots
from scripts.data.database import Column, Table


class Wording:
    """The glossary of a recipe's options: `tables`, `columns`, `values`, `dates`, `rankings`."""

    def __init__(self, options: dict):
        self.options = options

    def _own(self, section: str, key: str) -> list[str]:
        return (self.options.get(section) or {}).get(key) or []

    def table(self, table: Table) -> list[Noun]:
        """The nouns of a table, best first."""
        return [Noun.of(each) for each in self._own("tables", table.name) or [spaced(table.name)]]

    def column(self, column: Column) -> list[Noun]:
        """The nouns of a column, best first."""
        key = f"{column.table}.{column.name}"
        return [Noun.of(each) for each in self._own("columns", key) or [from_comment(column)]]

    def said(self, noun: Noun) -> Slots:
        """A column's {col} and {oc}."""
        return {"col": noun.one, "oc": noun.o}

    def value(self, column: Column, value: str) -> list[str]:
        """What follows the noun: `pagas`, `com situação paga`."""
        own = self._own("values", f"{column.table}.{column.name}={value}")
        return own or [f"com {noun.one} {value}" for noun in self.column(column)]

    def linked(self, parent: Table, column: Column, value: str) -> list[str]:
        """What follows the noun of a row that points at `parent`: `do plano Ouro`."""
        noun = self.table(parent)[0]
        if column.kind == "label":
            return [f"d{noun.o} {noun.one} {value}"]
        own = self._own("values", f"{column.table}.{column.name}={value}")
        tails = own or [f"com {each.one} {value}" for each in self.column(column)]
        tails = [tail.replace("{os}", noun.o + "s") for tail in tails]
        return [f"de {noun.many} {tail}" for tail in tails]

    def ranking(self, column: Column) -> list[str]:
        """How most and least are said of a column: `mais caros`, `mais baratos`; empty without a glossary."""
        return self._own("rankings", f"{column.table}.{column.name}")

    def date(self, column: Column) -> list[str]:
        """What stands before a month or year: `com vencimento em`."""
        own = self._own("dates", f"{column.table}.{column.name}")
        return own or [f"com {noun.one.removesuffix(' em')} em" for noun in self.column(column)]


def spaced(name: str) -> str:
    """`data_de_saida` as `data de saida`."""
    return re.sub(r"[_\s]+", " ", name).strip().lower()


def from_comment(column: Column) -> str:
    """A comment's first words, up to four, where they read like a noun; else the column's name."""
    first = re.split(r"[,;.:()/]", column.comment)[0].strip()
    return first[:1].lower() + first[1:] if 0 < len(first.split()) <= 4 else spaced(column.name)
