"""SQL of an answer on a PostgreSQL or MySQL server: data sets built with DB=<URL> are scored where they came from.

The syntax tree is checked as for SQLite (scripts/score/sql.py); the server itself refuses writes and ends what takes
too long. What a function may reach beyond the tables is a matter of the role in the URL: take one that may only read.
"""

import datetime
import decimal
from functools import cache

import sqlalchemy as sa
from sqlglot import expressions as exp

#: By SQLAlchemy's dialect: sqlglot's, and what a session says before it asks. Milliseconds, or seconds in MariaDB.
READ = {"postgresql": "postgres", "mysql": "mysql", "mariadb": "mysql"}
SESSION = {
    "postgresql": ("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "SET statement_timeout = {milliseconds}"),
    "mysql": ("SET SESSION TRANSACTION READ ONLY", "SET SESSION max_execution_time = {milliseconds}"),
    "mariadb": ("SET SESSION TRANSACTION READ ONLY", "SET SESSION max_statement_time = {seconds}"),
}
#: Functions that reach files, sessions or other servers, where a role may call them.
REFUSED = {"load_file", "sleep", "benchmark", "get_lock", "set_config", "lo_import", "lo_export", "dblink", "ts_stat"}
PREFIXES = ("pg_read_", "pg_ls_", "pg_stat_file", "pg_sleep", "pg_terminate", "pg_cancel", "dblink_", "pg_advisory")
PREFIXES += ("query_to_", "cursor_to_", "table_to_", "schema_to_", "database_to_")  # SQL inside a text


def dialect(url: str) -> str:
    """sqlglot's name of what that server speaks."""
    return READ[sa.make_url(url).get_backend_name()]


def refused(tree: exp.Query) -> str:
    """A function of the query that reaches beyond the tables; empty where there is none."""
    names = (each.name.lower() for each in tree.find_all(exp.Anonymous))
    return next((name for name in names if name in REFUSED or name.startswith(PREFIXES)), "")


def rows(query: str, url: str, most: int, seconds: float) -> list[tuple]:
    """At most so many rows, numbers as floats and days as ISO texts; sqlalchemy.exc.SQLAlchemyError where it fails."""
    engine = connected(url, seconds)
    with engine.connect().execution_options(stream_results=True) as connection:
        found = connection.exec_driver_sql(query.replace("%", "%%")).fetchmany(most)
    return [tuple(map(plain, row)) for row in found]


@cache
def connected(url: str, seconds: float) -> sa.Engine:
    """An engine whose every session may only read, for so long a query."""
    from scripts.data.database import connect

    engine = connect({}, url)
    engine.dispose()
    kind = "mariadb" if getattr(engine.dialect, "is_mariadb", False) else engine.dialect.name

    @sa.event.listens_for(engine, "connect")
    def begin(connection, _):
        with connection.cursor() as cursor:
            for said in SESSION[kind]:
                cursor.execute(said.format(milliseconds=int(1000 * seconds), seconds=seconds))
        connection.commit()

    return engine


def plain(value: object) -> object:
    """A value as SQLite would give it."""
    if isinstance(value, decimal.Decimal):
        return float(value)
    return str(value) if isinstance(value, datetime.date) else value
