"""The same database in a real MySQL server (MariaDB counts) gives the same rows as in SQLite."""

import os
import pwd
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import database_servers
import pytest
import sqlalchemy as sa

from scripts.data import database, sampledb

COLUMN = re.compile(r"^  (\w+) ([A-Z]+(?:\([\d, ]+\))?)( NOT NULL)?(.*?) -- (.*)$", re.MULTILINE)
TABLE = re.compile(r"^(CREATE TABLE \w+ \() -- (.*?)$(.*?)^\);", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def server():
    """A running server's SQLAlchemy URL; it listens on a socket of its own and on no port."""
    pytest.importorskip("pymysql", reason="the driver is not installed: pip install pymysql")
    init, program = (shutil.which(name, path="/usr/sbin:/usr/bin") for name in ("mariadb-install-db", "mariadbd"))
    if not init or not program:
        pytest.skip("no MariaDB server is installed: apt-get install mariadb-server")
    user = next((name for name in ("mysql", "nobody") if name in {each.pw_name for each in pwd.getpwall()}), None)
    if os.geteuid() == 0 and user is None:
        pytest.skip("there is no user mysql or nobody to run the server as")
    with tempfile.TemporaryDirectory(prefix="my") as name:
        folder = Path(name)
        as_user = []
        if os.geteuid() == 0:  # the server refuses to run as root
            shutil.chown(folder, user)
            as_user = [f"--user={user}"]
        data, socket = folder / "data", folder / "socket"
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
        made = [init, "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal", *as_user]
        subprocess.run(made, check=True, timeout=120, **quiet)
        # Letters compare as they are written, as in SQLite and PostgreSQL.
        letters = ["--character-set-server=utf8mb4", "--collation-server=utf8mb4_bin"]
        place = [f"--datadir={data}", f"--socket={socket}", "--skip-networking", f"--pid-file={folder / 'pid'}"]
        process = subprocess.Popen([program, "--no-defaults", *place, *letters, *as_user], **quiet)
        try:
            yield ready(f"mysql+pymysql://root@localhost/test?unix_socket={socket}")
        finally:
            process.terminate()
            process.wait(60)


def ready(url: str) -> str:
    """That URL, once the server answers; its database `test` is there then."""
    engine = sa.create_engine(url.replace("/test?", "/mysql?"))
    for _ in range(300):
        try:
            with engine.begin() as connection:
                connection.exec_driver_sql("CREATE DATABASE IF NOT EXISTS test")
            return url
        except sa.exc.OperationalError:
            time.sleep(0.2)
    raise TimeoutError("the server did not answer within a minute")


@pytest.fixture(scope="module")
def copy(server):
    """The sample database in that server, with the comments where MySQL keeps them."""
    ddl = COLUMN.sub(r"  \1 \2\3 COMMENT '\5'\4", sampledb.DDL.read_text("utf-8"))
    ddl = TABLE.sub(lambda found: f"{found[1]}{found[3]}) COMMENT '{found[2]}';", ddl)
    engine = database.connect({}, server)
    with engine.begin() as connection:
        for statement in re.split(r";\n", re.sub(r"^--.*$", "", ddl, flags=re.MULTILINE)):
            if statement.strip():
                connection.exec_driver_sql(statement.replace("%", "%%"))
        database_servers.fill(connection)
    engine.dispose()
    return server


def test_reflection_agrees(copy):
    database_servers.reflection_agrees(copy, "mysql")


@pytest.mark.parametrize(("folder", "module"), database_servers.RECIPES)
def test_rows_agree(copy, folder, module):
    database_servers.rows_agree(copy, folder, module)


def test_answers_are_scored_on_the_server(copy):
    database_servers.answers_are_scored(copy)


def test_the_server_is_only_read(copy):
    database_servers.is_only_read(copy)
