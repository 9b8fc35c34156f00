"""The same database in a real PostgreSQL server gives the same rows as in SQLite."""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import database_servers
import pytest

from scripts.config import yamlfile
from scripts.data import database, sampledb
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
        database_servers.fill(connection)
        for table in sample.tables.values():
            comments = [(f"TABLE {table.name}", table.comment)]
            comments += [(f"COLUMN {table.name}.{column.name}", column.comment) for column in table.columns]
            for what, text in comments:
                connection.exec_driver_sql(f"COMMENT ON {what} IS '{text}'")
    engine.dispose()
    return server


def test_reflection_agrees(copy):
    database_servers.reflection_agrees(copy, "postgresql")


@pytest.mark.parametrize(("folder", "module"), database_servers.RECIPES)
def test_rows_agree(copy, folder, module):
    database_servers.rows_agree(copy, folder, module)


def test_answers_are_scored_on_the_server(copy):
    database_servers.answers_are_scored(copy)


def test_the_server_is_only_read(copy):
    database_servers.is_only_read(copy)
