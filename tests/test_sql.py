"""SQL by execution: what counts as the same, and every way out that must be shut."""

import sqlite3
import time

import pytest

from scripts.score import sql


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "plan.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE plano (id INTEGER PRIMARY KEY, nome TEXT, preco REAL)")
        connection.executemany("INSERT INTO plano VALUES (?, ?, ?)", [(n, f"p{n % 7}", n / 3) for n in range(2000)])
    return path


@pytest.mark.parametrize(
    ("answer", "query"),
    [
        ("Use:\n```sql\nSELECT 1;\n```\nPronto.", "SELECT 1;"),
        ("```\nselect 1\n```", "select 1"),
        ("A consulta é SELECT nome FROM plano; ela lista os planos.", "SELECT nome FROM plano"),
        ("WITH x AS (SELECT 1) SELECT * FROM x\n\nEla...", "WITH x AS (SELECT 1) SELECT * FROM x"),
        ("```sql\nSELECT 1", "SELECT 1"),
        ("Selecione o plano com carinho.", ""),
        ("", ""),
    ],
)
def test_extract(answer, query):
    assert sql.extract(answer) == query


@pytest.mark.parametrize(
    ("answer", "reference", "same"),
    [
        ("SELECT nome FROM plano WHERE id < 3 ORDER BY id DESC", "SELECT nome FROM plano WHERE id < 3", True),
        (
            "SELECT nome FROM plano WHERE id < 3 ORDER BY id DESC",
            "SELECT nome FROM plano WHERE id < 3 ORDER BY id",
            False,
        ),
        ("SELECT AVG(preco) FROM plano", "SELECT SUM(preco) / COUNT(*) AS media FROM plano", True),
        ("SELECT ROUND(AVG(preco), 0) FROM plano", "SELECT AVG(preco) FROM plano", False),
        ("SELECT COUNT(*) FROM plano", "SELECT COUNT(*), 1 FROM plano", False),
        ("SELECT DISTINCT nome FROM plano", "SELECT nome FROM plano", False),
        ("SELECT '1'", "SELECT 1", False),
        ("SELECT 20240116", "SELECT 20240115", False),
        ("SELECT 20240115.4", "SELECT 20240115.3", True),
        ("SELECT naoexiste FROM plano", "SELECT nome FROM plano WHERE 0", False),
        ("não sei", "SELECT 1", False),
    ],
)
def test_matches(database, answer, reference, same):
    assert sql.matches(answer, reference, database) is same


ESCAPES = [
    ("ATTACH DATABASE '/tmp/x.db' AS x", "ATTACH instead of SELECT"),
    ("PRAGMA query_only = OFF", "PRAGMA instead of SELECT"),
    ("PRAGMA table_info(plano)", "PRAGMA instead of SELECT"),
    ("SELECT * FROM pragma_table_info('plano')", "SQLite"),
    ("SELECT * FROM pragma_database_list", "SQLite"),
    ("DELETE FROM plano", "DELETE instead of SELECT"),
    ("UPDATE plano SET nome = ''", "UPDATE instead of SELECT"),
    ("INSERT INTO plano VALUES (9999, '', 0)", "INSERT instead of SELECT"),
    ("REPLACE INTO plano VALUES (1, '', 0)", "instead of SELECT"),
    ("DROP TABLE plano", "DROP instead of SELECT"),
    ("CREATE TABLE x AS SELECT * FROM plano", "CREATE instead of SELECT"),
    ("ALTER TABLE plano ADD COLUMN x", "COMMAND instead of SELECT"),
    ("VACUUM INTO '/tmp/x.db'", "instead of SELECT"),
    ("REINDEX", "instead of SELECT"),
    ("ANALYZE", "instead of SELECT"),
    ("EXPLAIN SELECT 1", "instead of SELECT"),
    ("BEGIN; SELECT 1; COMMIT", "3 statements"),
    ("SELECT 1; DROP TABLE plano", "2 statements"),
    ("WITH d AS (SELECT 1) DELETE FROM plano", "DELETE instead of SELECT"),
    ("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT COUNT(*) FROM c", "WITH RECURSIVE"),
    ("WITH c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT COUNT(*) FROM c", "SQLite"),
    ("SELECT (WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x FROM c) SELECT COUNT(*) FROM c)", "WITH RECURSIVE"),
    ("SELECT load_extension('/tmp/x.so')", "SQLite"),
    ("SELECT writefile('/tmp/x', 'y')", "SQLite"),
    ("SELECT readfile('/etc/passwd')", "SQLite"),
    ("SELECT length(zeroblob(1000000000))", "SQLite"),
    ("SELECT length(randomblob(1000000000))", "SQLite"),
    ("SELECT printf('%.*c', 1000000000, 'x')", "SQLite"),
    (
        f"SELECT replace(replace(replace('{20 * 'x'}', 'x', '{20 * 'x'}'), 'x', '{20 * 'x'}'), 'x', '{10 * 'x'}')",
        "SQLite",
    ),
    ("SELECT group_concat(a.nome || b.nome) FROM plano a, plano b, plano c", "SQLite"),
    ("SELECT * FROM plano a, plano b", "rows|interrupted"),
    ("SELECT COUNT(*) FROM plano a, plano b, plano c", "interrupted"),
    ("SELECT a.id FROM plano a, plano b, plano c ORDER BY a.id * b.id", "interrupted"),
    ("SELECT " + "(" * 600 + "1" + ")" * 600, "not SQL|SQLite"),
    ("SELECT " + "1+" * 3000 + "1", "longer than"),
    ("SELECT FROM WHERE", "not SQL"),
    ("SELECT 'a", "not SQL"),
    ("", "0 statements"),
    ("SELECT 1 INTO x", "INTO|not SQL"),
    ("SELECT edit('x')", "SQLite"),
]


def test_the_limit_is_two_seconds(database):
    start = time.monotonic()
    with pytest.raises(sql.QueryRefused, match="interrupted"):
        sql.run("SELECT COUNT(*) FROM plano a, plano b, plano c", database)
    assert 1.9 < time.monotonic() - start < 5


@pytest.fixture
def hurried(monkeypatch):
    monkeypatch.setattr(sql, "SECONDS", 0.2)


@pytest.mark.parametrize(("query", "reason"), ESCAPES)
def test_escapes_are_shut_in_time(hurried, database, query, reason):
    before, start = database.read_bytes(), time.monotonic()
    with pytest.raises(sql.QueryRefused, match=reason):
        sql.run(query, database)
    assert time.monotonic() - start < sql.SECONDS + 3
    assert database.read_bytes() == before
    assert [path.name for path in database.parent.iterdir()] == ["plan.db"]


@pytest.mark.parametrize("query", [query for query, _ in ESCAPES if len(query) < sql.LENGTH])
def test_the_connection_alone_shuts_what_writes(hurried, database, query, monkeypatch):
    """Without the syntax tree nothing is changed either."""
    monkeypatch.setattr(sql, "parse", lambda _: None)
    before = database.read_bytes()
    try:
        rows = sql.run(query, database)
    except sql.QueryRefused:
        rows = []
    assert len(rows) <= 1 or query.startswith("EXPLAIN")
    assert database.read_bytes() == before


LONG = "replace(replace(hex(hex('aaaaaaaaaa')), '3', 'aaaaaaaaaa'), 'a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaa')"


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) FROM plano WHERE {long} LIKE '" + "%a" * 49 + "b'",
        "SELECT count(*) FROM plano WHERE {long} GLOB '" + "*a" * 49 + "b'",
        "SELECT max(trim({long}, {long})) FROM plano a, plano b",
        "SELECT max(instr({long} || id, {long} || 'b')) FROM plano",
        "SELECT max(replace({long} || id, {long} || 'b', 'c')) FROM plano",
    ],
)
def test_slow_functions_meet_the_clock(hurried, database, query):
    start = time.monotonic()
    try:
        sql.run(query.format(long=LONG), database)
    except sql.QueryRefused as refusal:
        assert "interrupted" in str(refusal) or "too big" in str(refusal)
    assert time.monotonic() - start < 4
