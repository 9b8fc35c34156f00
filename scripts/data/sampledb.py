"""The sample database: 24 months of an invented health-plan operator in SQLite.

Run as: python -m scripts.data.sampledb

`ensure()` gives outputs/data/operadora.db, built in about a second where it is missing or older than
what it is made from: datasets/schema/operadora.sql and operadora.yml, and scripts/data/operator.py.
"""

import hashlib
import os
import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import yaml

from scripts.data import operator
from scripts.errors import main_of
from scripts.paths import DATASETS, OUTPUTS, shown

DDL = DATASETS / "schema" / "operadora.sql"
PARTS = DATASETS / "schema" / "operadora.yml"
FILE = OUTPUTS / "data" / "operadora.db"
SEED = 20240135  # one whose best and worst months stand alone


def content(seed: int = SEED) -> operator.Rows:
    """Every table's rows: one seed, one content."""
    return operator.simulate(seed, yaml.safe_load(PARTS.read_text("utf-8")))


def build(file: Path, stamp: int) -> None:
    """Writes the whole database beside `file`, then puts it in its place."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    os.close(handle)
    try:
        with closing(sqlite3.connect(name)) as connection, connection:
            connection.executescript("PRAGMA foreign_keys = ON; PRAGMA synchronous = OFF;" + DDL.read_text("utf-8"))
            connection.execute("BEGIN")
            for table, rows in content().items():
                places = ", ".join("?" * len(rows[0]))
                connection.executemany(f"INSERT INTO {table} VALUES ({places})", rows)
            connection.execute(f"PRAGMA user_version = {stamp}")
        Path(name).chmod(0o644)
        Path(name).replace(file)
    finally:
        Path(name).unlink(missing_ok=True)


def ensure(file: Path = FILE) -> Path:
    """The sample database, built where it is missing or what it is made from changed."""
    made_from = b"".join(path.read_bytes() for path in (DDL, PARTS, Path(operator.__file__), Path(__file__)))
    stamp = int(hashlib.sha256(made_from).hexdigest()[:7], 16)
    if file.exists():
        with closing(sqlite3.connect(file)) as connection:
            try:
                if connection.execute("PRAGMA user_version").fetchone()[0] == stamp:
                    return file
            except sqlite3.DatabaseError:
                pass  # a damaged file is simply built again
    build(file, stamp)
    return file


def main(argv: Sequence[str]) -> None:
    """Builds the database and says where it is."""
    print(shown(ensure()))


if __name__ == "__main__":
    main_of(main)
