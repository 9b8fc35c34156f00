"""What holds of every database server: reflection, rows and scores are SQLite's, and nothing is written."""

import time

import pytest

from scripts.config import yamlfile
from scripts.data import database, indicators, questions, sampledb
from scripts.paths import DATASETS
from scripts.score import metrics, sql

#: Data folders with what makes rows of a database for them.
RECIPES = [("schema", questions), ("kpi", indicators)]
ESCAPES = [
    "DELETE FROM plano",
    "SELECT 1; DELETE FROM plano",
    "SELECT * INTO copia FROM plano",
    "SELECT nome FROM plano INTO OUTFILE '/tmp/x'",
    "SET statement_timeout = 0",
    "SELECT pg_sleep(9)",
    "SELECT sleep(9)",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT load_file('/etc/passwd')",
    "SELECT nome FROM plano /*! INTO OUTFILE '/tmp/x' */ UNION SELECT load_file('/etc/passwd')",
    "SELECT query_to_xml('SELECT 1', true, true, '')",
    "SELECT set_config('statement_timeout', '0', false)",
]


def fill(connection) -> None:
    """The sample database's rows, into tables that are there."""
    for table, rows in sampledb.content().items():
        places = ", ".join(["%s"] * len(rows[0]))
        connection.exec_driver_sql(f"INSERT INTO {table} VALUES ({places})", rows)


def reflection_agrees(url: str, dialect: str) -> None:
    options = yamlfile.load(DATASETS / "schema" / "recipe.yml").value["options"]
    here = database.read(database.connect(options), options)
    there = database.read(database.connect(options, url), options)
    assert there.engine.dialect.name == dialect
    for name in here.tables:
        assert there.tables[name] == here.tables[name]
    assert there.dates == here.dates


def rows_agree(url: str, folder: str, module) -> None:
    recipe = yamlfile.load(DATASETS / folder / "recipe.yml").value
    here = module.rows(recipe, DATASETS / folder)
    there = module.rows(recipe, DATASETS / folder, url)
    assert len(here[0]) > 2000
    assert there == here


def is_only_read(url: str) -> None:
    """After all the rest every table has the rows that it was filled with."""
    with database.connect({}, url).connect() as connection:
        counts = [connection.exec_driver_sql(f"SELECT COUNT(*) FROM {table}").scalar() for table in sampledb.content()]
    assert counts == [len(rows) for rows in sampledb.content().values()]


def answers_are_scored(url: str) -> None:
    """Every held-out query of `schema` gives there what it gives here; writes, files and long queries give nothing."""
    here = sampledb.ensure()
    folder = DATASETS / "schema"
    _, rows = questions.rows(yamlfile.load(folder / "recipe.yml").value, folder)
    queries = [row for row in rows if "sql" in row["expect"]]
    for row in queries[::5]:
        query = row["expect"]["sql"]
        ordered = "ORDER BY" in query
        assert sql.same(sql.run(query, url), sql.run(query, here), ordered), query
        assert metrics.score(row, {"content": query}, url)["sql_match"]
        assert not metrics.score(row, {"content": "SELECT -41"}, url)["sql_match"]
    assert len(queries) >= 100
    before = sql.run("SELECT COUNT(*) FROM plano", url)
    hint = ["SELECT /*+ MAX_EXECUTION_TIME(3600000) */ COUNT(*) FROM plano"] if url.startswith("mysql") else []
    for query in ESCAPES + hint:  # PostgreSQL has no hints: there it is a comment
        with pytest.raises(sql.QueryRefused):
            sql.run(query, url)
    assert sql.run("SELECT COUNT(*) FROM plano", url) == before
    assert sql.run("SELECT nome FROM plano /*! WHERE 1 = 0 */", url), "what a comment says is not run"
    started = time.monotonic()
    with pytest.raises(sql.QueryRefused):
        sql.run("SELECT COUNT(*) FROM fatura a, fatura b, fatura c, fatura d", url)
    assert time.monotonic() - started < 2 * sql.SECONDS
