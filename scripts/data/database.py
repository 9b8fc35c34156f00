"""What a database is made of, read through SQLAlchemy: tables, columns, keys, comments and safe values.

`read(engine, options)` reflects SQLite, PostgreSQL or MySQL. Values are fetched only of columns that can't
identify a person: a column whose name matches a pattern of `options["personal"]` is never selected
from, unless it is named in `options["public"]` as `table.column`; and a value counts only where at least
`options["least_rows"]` rows share it.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from scripts.data import sampledb
from scripts.errors import UserError

#: A shorter answer than this many distinct values makes a text column a category.
MOST_VALUES = 12
_IDENTIFYING = re.compile(r"@|(?:\d\D?){7,}")


@dataclass(frozen=True)
class Column:
    """kind: key, number, date, time, month (text AAAA-MM), category, label (public, unique) or other."""

    table: str
    name: str
    kind: str
    comment: str = ""
    personal: bool = False
    nullable: bool = True
    values: tuple[str, ...] = ()
    complete: bool = False  #: whether `values` are all there are


@dataclass(frozen=True)
class Link:
    """A foreign key of one column: `table.column` points at `parent.key`."""

    table: str
    column: str
    parent: str
    key: str


@dataclass(frozen=True)
class Table:
    name: str
    comment: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    links: tuple[Link, ...]
    rows: int

    def of(self, *kinds: str) -> list[Column]:
        """The columns of those kinds that are not personal."""
        return [column for column in self.columns if column.kind in kinds and not column.personal]

    def label(self) -> str:
        """The column that names a row for people: the first unique text, else the key."""
        return next((column.name for column in self.of("label")), self.key[0] if self.key else "")


@dataclass(frozen=True)
class Database:
    engine: Engine
    tables: dict[str, Table]
    dates: dict[str, tuple[str, str]] = field(default_factory=dict)  #: `table.column` to first and last value

    def run(self, sql: str) -> list[tuple]:
        """The rows that one SELECT gives."""
        with self.engine.connect() as connection:
            return [
                tuple(row) for row in connection.exec_driver_sql(sql.rstrip().rstrip(";").replace("%", self._percent))
            ]

    @property
    def _percent(self) -> str:
        return "%" if self.engine.dialect.name == "sqlite" else "%%"


#: Of the databases that are read here, the drivers in requirements/light.txt.
DRIVERS = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql", "mariadb": "mariadb+pymysql"}


def connect(options: dict, db_url: str | None = None) -> Engine:
    """An engine for DB=<url>, else for the recipe's `database`, else for the sample database."""
    url = db_url or options.get("database") or "sample"
    if url == "sample":
        url = f"sqlite:///{sampledb.ensure()}"
    try:
        parsed = sa.make_url(url)
        if driver := DRIVERS.get(parsed.drivername):
            parsed = parsed.set(drivername=driver)
        if parsed.drivername.startswith("sqlite") and parsed.database and not Path(parsed.database).is_file():
            raise UserError(f"DB={url}: there is no such file", next="make dataset DB=sqlite:///path/to/file.db")
        engine = sa.create_engine(parsed)
        sa.inspect(engine).get_table_names()  # SQLite opens any file, and minds when it reads it
    except ModuleNotFoundError as error:
        told = f"DB={_shown(url)}: its driver {error.name} is not installed"
        raise UserError(told, next=f"pip install {error.name}") from None
    except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ValueError) as error:
        hint = "sqlite:///file.db, postgresql://user@host/name or mysql+pymysql://user@host/name"
        raise UserError(f"DB={_shown(url)}: {error}; it looks like {hint}") from None
    except sa.exc.DBAPIError as error:
        raise UserError(f"DB={_shown(url)}: can't connect: {str(error.orig).splitlines()[0]}") from None
    return engine


def _shown(url: str) -> str:
    """The URL without its password, though it may not parse."""
    return re.sub(r"(?<=password=)[^&]*", "***", re.sub(r"(://[^:/]*:).*@", r"\1***@", url))


def read(engine: Engine, options: dict) -> Database:
    """Reflects every table that `options["only"]` names, or all of them."""
    if not options.get("personal"):
        raise UserError("the recipe's options have no `personal` patterns: no value is read without them")
    inspector = sa.inspect(engine)
    names = options.get("only") or inspector.get_table_names()
    missing = set(names) - set(inspector.get_table_names())
    if missing:
        raise UserError(
            f"the database has no table {', '.join(sorted(missing))}; it has: {', '.join(inspector.get_table_names())}"
        )
    database = Database(engine, {})
    for name in sorted(names):
        try:
            database.tables[name] = _table(database, inspector, name, options)
        except sa.exc.DBAPIError as error:
            told = f"the table {name} can't be read: {str(error.orig).splitlines()[0]}"
            raise UserError(told, next="name those that can under `only` in the recipe's options") from None
    return database


def _table(database: Database, inspector: sa.Inspector, name: str, options: dict) -> Table:
    comment, comments = _comments(database.engine, inspector, name)
    key = tuple(inspector.get_pk_constraint(name)["constrained_columns"])
    links = tuple(
        Link(name, each["constrained_columns"][0], each["referred_table"], each["referred_columns"][0])
        for each in sorted(inspector.get_foreign_keys(name), key=lambda each: each["constrained_columns"])
        if len(each["constrained_columns"]) == 1 and each["referred_columns"]
    )
    quoted = database.engine.dialect.identifier_preparer.quote
    rows = database.run(f"SELECT COUNT(*) FROM {quoted(name)}")[0][0]
    keys = {*key, *(link.column for link in links)}
    columns = []
    for each in inspector.get_columns(name):
        about = each.get("comment") or comments.get(each["name"], "")
        columns.append(_column(database, name, each, about, keys, options))
    return Table(name, comment, key, tuple(columns), links, rows)


def _column(database: Database, table: str, raw: dict, comment: str, keys: set, options: dict) -> Column:
    name, kind, values, complete = raw["name"], _kind(raw["type"]), (), False
    personal = is_personal(table, name, options)
    if name in keys:
        return Column(table, name, "key", comment, personal)
    quoted = database.engine.dialect.identifier_preparer.quote
    where = f"FROM {quoted(table)} WHERE {quoted(name)} IS NOT NULL"
    if kind == "text" and not personal:
        least = 0 if f"{table}.{name}" in options.get("public", []) else options.get("least_rows", 5)
        sql = f"SELECT {quoted(name)}, COUNT(*) {where} GROUP BY {quoted(name)} ORDER BY 1 LIMIT {MOST_VALUES + 30}"
        found = [(str(value).strip(), count) for value, count in database.run(sql)]
        kind, values = _text_kind(found, least)
        complete = len(values) == len(found)
    if kind in ("date", "time", "month") and not personal:
        first, last = database.run(f"SELECT MIN({quoted(name)}), MAX({quoted(name)}) {where}")[0]
        if re.match(r"\d{4}-\d\d", str(first)) and re.match(r"\d{4}-\d\d", str(last)):  # SQLite keeps any text
            database.dates[f"{table}.{name}"] = (str(first), str(last))
    kind = "other" if kind == "text" else kind
    return Column(table, name, kind, comment, personal, raw["nullable"], values, complete)


def _text_kind(found: list[tuple[str, int]], least: int) -> tuple[str, tuple[str, ...]]:
    """What the values of a text column make it; values that could identify somebody don't count."""
    if found and all(re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", value) for value, _ in found):
        return "month", ()
    safe = sorted(value for value, count in found if count >= least and 0 < len(value) <= 40)
    if not safe or len(found) > MOST_VALUES or any(_IDENTIFYING.search(value) for value, _ in found):
        return "other", ()
    return ("label" if all(count == 1 for _, count in found) else "category"), tuple(safe)


def _kind(type: sa.types.TypeEngine) -> str:
    if isinstance(type, sa.types.Boolean):
        return "other"
    if isinstance(type, sa.types.Numeric | sa.types.Integer):
        return "number"
    if isinstance(type, sa.types.DateTime):
        return "time"
    if isinstance(type, sa.types.Date):
        return "date"
    return "text" if isinstance(type, sa.types.String) else "other"


def is_personal(table: str, column: str, options: dict) -> bool:
    """Whether a column's values may identify a person, by the recipe's patterns and exemptions."""
    if f"{table}.{column}" in options.get("public", []):
        return False
    return any(re.search(pattern, column, re.IGNORECASE) for pattern in options["personal"])


def _comments(engine: Engine, inspector: sa.Inspector, table: str) -> tuple[str, dict[str, str]]:
    """A table's comment and its columns'; SQLite has none, but keeps the `--` comments of its DDL."""
    if engine.dialect.name != "sqlite":
        try:
            return inspector.get_table_comment(table)["text"] or "", {}
        except NotImplementedError:
            return "", {}
    with engine.connect() as connection:
        ddl = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).scalar() or ""
    head = re.match(r"[^(]*\([ \t]*--[ \t]*(.+)", ddl)
    comments = {}
    for code, text in re.findall(r"^(.+?)--[ \t]*(.+)$", ddl[head.end() if head else 0 :], re.MULTILINE):
        last = re.sub(r"\([^()]*\)", "", code).rstrip(" \t,").split(",")[-1]  # a comment is about what it stands behind
        if word := re.match(r"[ \t]*[\"`\[]?(\w+)", last):
            comments[word[1]] = text.strip()
    return (head[1].strip() if head else ""), comments
