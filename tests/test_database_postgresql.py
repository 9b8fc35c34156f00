"""The same database in a real PostgreSQL server gives the same rows as in SQLite."""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
import server_scoring
import sqlalchemy as sa

from scripts.config import yamlfile
from scripts.data import database, indicators, questions, sampledb
from scripts.paths import DATASETS


def server_programs() -> Path | None:
    """The folder of initdb and pg_ctl: on the path, or where Debian puts the newest version."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return folders[-1] if folders and (folders[-1] / "initdb").exists() else None


@pytest.fixture(scope="module")
def server():
    """A running server's SQLAlchemy URL; it listens on a socket of its own and on no port."""
    pytest.importorskip("psycopg", reason='the driver is not installed: pip install "psycopg[binary]"')
    programs = server_programs()
    if programs is None:
        pytest.skip("no PostgreSQL server is installed: apt-get install postgresql")
    user = {}
    if os.geteuid() == 0:  # the server refuses to run as root
        who = next((name for name in ("postgres", "nobody") if name in {each.pw_name for each in pwd.getpwall()}), None)
        if who is None:
            pytest.skip("there is no user postgres or nobody to run the server as")
        user = {"user": who, "group": pwd.getpwnam(who).pw_gid, "extra_groups": []}
    with tempfile.TemporaryDirectory(prefix="pg") as name:
        folder = Path(name)
        if user:
            shutil.chown(folder, user["user"])
        run = {"cwd": folder, "check": True, "stdout": subprocess.DEVNULL, "timeout": 60} | user
        data, log = folder / "data", folder / "log"
        init = [programs / "initdb", "-D", data, "-U", "tester", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        subprocess.run(init, **run)
        settings = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        subprocess.run([programs / "pg_ctl", "-D", data, "-l", log, "-w", "-o", settings, "start"], **run)
        try:
            yield f"postgresql://tester@/postgres?host={folder}"
        finally:
            subprocess.run([programs / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"], **run)


@pytest.fixture(scope="module")
def copy(server):
    """The sample database in that server, comments included."""
    recipe = yamlfile.load(DATASETS / "schema" / "recipe.yml").value
    sample = database.read(database.connect(recipe["options"]), recipe["options"])
    engine = database.connect({}, server)
    with engine.begin() as connection:
        connection.exec_driver_sql(sampledb.DDL.read_text("utf-8").replace("%", "%%"))
        for table, rows in sampledb.content().items():
            places = ", ".join(["%s"] * len(rows[0]))
            connection.exec_driver_sql(f"INSERT INTO {table} VALUES ({places})", rows)
        for table in sample.tables.values():
            comments = [(f"TABLE {table.name}", table.comment)]
            comments += [(f"COLUMN {table.name}.{column.name}", column.comment) for column in table.columns]
            for what, text in comments:
                connection.exec_driver_sql(f"COMMENT ON {what} IS '{text}'")
    engine.dispose()
    return server


def test_reflection_agrees(copy):
    options = yamlfile.load(DATASETS / "schema" / "recipe.yml").value["options"]
    here = database.read(database.connect(options), options)
    there = database.read(database.connect(options, copy), options)
    assert there.engine.dialect.name == "postgresql"
    for name in here.tables:
        assert there.tables[name] == here.tables[name]
    assert there.dates == here.dates


@pytest.mark.parametrize(("folder", "module"), [("schema", questions), ("kpi", indicators)])
def test_rows_agree(copy, folder, module):
    recipe = yamlfile.load(DATASETS / folder / "recipe.yml").value
    here = module.rows(recipe, DATASETS / folder)
    there = module.rows(recipe, DATASETS / folder, copy)
    assert len(here[0]) > 2000
    assert there == here


def test_the_server_is_only_read(copy):
    engine = sa.create_engine(copy.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        counts = [connection.exec_driver_sql(f"SELECT COUNT(*) FROM {table}").scalar() for table in sampledb.content()]
    assert counts == [len(rows) for rows in sampledb.content().values()]


def test_answers_are_scored_on_the_server(copy):
    server_scoring.check(copy)
