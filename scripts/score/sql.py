"""SQL in an answer: found, refused unless it is one plain SELECT, run read-only with limits, compared.

Three fences, each enough alone for most attacks: sqlglot's syntax tree (one query, nothing that writes,
no recursion), SQLite's authorizer (only SELECT, READ and harmless functions; recursion is an action of
its own, so it is caught without the keyword too), and a connection that is read-only with limits on time,
rows, and the length of any value. Scores come from results, never from the text of the query.
"""

import logging
import math
import re
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

import sqlglot
from sqlglot import expressions as exp

from scripts.errors import UserError

SECONDS = 2.0
ROWS = 10_000
LENGTH = 5_000  # characters of a query; nothing that a person asks needs more
OPCODES = 50  # virtual-machine steps between two looks at the clock; one can take a millisecond
VALUE = 10_000  # bytes of one value: what one function call can take in, between two looks at the clock
ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION}
# printf('%.*c', 1000000000, 'x') spends six seconds inside one step, whatever the limits say.
FUNCTIONS_REFUSED = {"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer", "printf", "format"}
FUNCTIONS_REFUSED |= {"randomblob", "zeroblob"}
WRITES = (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Create, exp.Drop, exp.Alter, exp.Command, exp.Attach)
REFUSED = (*WRITES, exp.Detach, exp.Pragma, exp.Set, exp.Transaction, exp.Commit, exp.Rollback, exp.Into, exp.Hint)
BLOCK = re.compile(r"```(?:sql|sqlite)?[ \t]*\n?(.*?)(?:```|\Z)", re.DOTALL | re.IGNORECASE)
BARE = re.compile(r"\b(?:SELECT|WITH\s+(?:RECURSIVE\s+)?\w+\s*(?:\([^)]*\)\s*)?AS\s*\()", re.IGNORECASE)
Table = list[tuple]
logging.getLogger("sqlglot").setLevel(logging.ERROR)  # it warns about statements that are refused anyway


class QueryRefused(Exception):
    """Why a query was not run or did not finish; the text is for the report."""


def extract(answer: str) -> str:
    """The query in an answer: the first ``` block that holds one, else from SELECT or WITH to `;`; '' if none."""
    for block in BLOCK.findall(answer):
        if BARE.search(block):
            return block.strip()
    found = BARE.search(answer)
    if not found:
        return ""
    return re.split(r";|\n\s*\n|```", answer[found.start() :], maxsplit=1)[0].strip()


def parse(query: str, dialect: str = "sqlite") -> exp.Query:
    """The syntax tree of one read-only query; QueryRefused says what else it is."""
    if len(query) > LENGTH:
        raise QueryRefused(f"longer than {LENGTH} characters")
    try:
        statements = [each for each in sqlglot.parse(query, read=dialect) if each is not None]
    except (sqlglot.errors.SqlglotError, RecursionError) as error:
        raise QueryRefused(f"not SQL: {str(error).splitlines()[0][:200]}") from None
    if len(statements) != 1:
        raise QueryRefused(f"{len(statements)} statements instead of one")
    tree = statements[0]
    if not isinstance(tree, exp.Query):
        raise QueryRefused(f"{tree.key.upper()} instead of SELECT")
    for node in tree.walk():
        if isinstance(node, REFUSED):
            raise QueryRefused(f"{node.key.upper()} inside a query")
        if isinstance(node, exp.With) and node.recursive:
            raise QueryRefused("WITH RECURSIVE")
    return tree


def run(query: str, database: Path | str) -> Table:
    """The rows of one query on a file or a server's URL; QueryRefused where a fence stops it (2 s, 10,000 rows)."""
    rows = asked(query, database) if isinstance(database, str) else read(query, database)
    if len(rows) > ROWS:
        raise QueryRefused(f"more than {ROWS} rows")
    return rows


def dialect(database: Path | str) -> str:
    """sqlglot's name of what a SQLite file or a server's URL speaks."""
    if isinstance(database, Path):
        return "sqlite"
    from scripts.score import sqlserver

    return sqlserver.dialect(database)


def asked(query: str, url: str) -> Table:
    """The rows that a server gives, one more than are allowed at most."""
    import sqlalchemy as sa

    from scripts.score import sqlserver

    spoken = dialect(url)
    tree = parse(query, spoken)
    if function := sqlserver.refused(tree):
        raise QueryRefused(f"the function {function}")
    try:
        # What was checked is what is asked: MySQL runs what stands in some comments.
        return sqlserver.rows(tree.sql(spoken, comments=False), url, ROWS + 1, SECONDS)
    except sa.exc.SQLAlchemyError as error:
        raise QueryRefused(f"the server: {str(getattr(error, 'orig', error)).splitlines()[0]}") from None


def read(query: str, database: Path) -> Table:
    """The rows that a SQLite file gives, one more than are allowed at most."""
    parse(query)
    connection = _connect(database)
    try:
        return connection.execute(query).fetchmany(ROWS + 1)
    except (sqlite3.Error, sqlite3.Warning, OverflowError) as error:
        raise QueryRefused(f"SQLite: {error}") from None
    finally:
        connection.close()


def matches(answer: str, reference: str, database: Path | str) -> bool:
    """Whether the query in the answer gives the reference's rows, in its order where it names one."""
    want = expected(reference, database)
    try:
        got = run(extract(answer), database)
    except QueryRefused:
        return False
    return same(got, want, ordered=parse(reference, dialect(database)).args.get("order") is not None)


def expected(reference: str, database: Path | str) -> Table:
    """The rows of a row's own query; UserError where this database does not answer it."""
    try:
        return run(reference, database)
    except QueryRefused as error:
        again = "make dataset ADAPTER=… DB=…, of the database that is asked"
        raise UserError(f"an evaluation row's own SQL gives no rows: {error}\n{reference}", next=again) from None


def same(got: Table, want: Table, ordered: bool) -> bool:
    """Equal rows, as a multiset unless `ordered`; whole numbers exactly, others within 1e-4; no column names."""
    if len(got) != len(want):
        return False
    if not ordered:
        got, want = sorted(got, key=_sortable), sorted(want, key=_sortable)
    return all(_same_row(one, other) for one, other in zip(got, want, strict=True))


def _same_row(one: Sequence, other: Sequence) -> bool:
    return len(one) == len(other) and all(_same_value(*pair) for pair in zip(one, other, strict=True))


def _same_value(one: object, other: object) -> bool:
    if isinstance(one, int) and isinstance(other, int):
        return one == other  # ids, days, counts: the next one is another
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=1e-4, abs_tol=1e-6)
    return one == other


def _sortable(row: Sequence) -> tuple:
    """Rough values before exact ones, so that a last digit seldom decides where a row is sorted."""
    return tuple(_rough(value) for value in row), tuple(_tagged(value) for value in row)


def _tagged(value: object) -> tuple:
    return ("number", value) if isinstance(value, int | float) else (type(value).__name__, str(value))


def _rough(value: object) -> tuple:
    tag, inner = _tagged(value)
    return tag, float(f"{inner:.3g}") if tag == "number" else inner


def _connect(database: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)
    connection.execute("PRAGMA query_only = ON")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, VALUE)
    connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, LENGTH)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 100)
    connection.set_authorizer(_authorize)
    end = time.monotonic() + SECONDS
    connection.set_progress_handler(lambda: time.monotonic() > end, OPCODES)
    return connection


def _authorize(action: int, first: str | None, second: str | None, *_: object) -> int:
    if action not in ALLOWED:
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_READ and (first or "").lower().startswith("pragma_"):
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in FUNCTIONS_REFUSED:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK
