"""The sample database: the same every time, plausible, and of nobody."""

import sqlite3
from contextlib import closing

import pytest
from validate_docbr import CPF

from scripts.data import sampledb
from scripts.data.operator import impossible_cpf


@pytest.fixture(scope="module")
def content():
    return sampledb.content()


@pytest.fixture(scope="module")
def connection(tmp_path_factory):
    file = sampledb.ensure(tmp_path_factory.mktemp("db") / "operadora.db")
    with closing(sqlite3.connect(file)) as opened:
        yield opened


def test_one_seed_gives_one_content(content):
    assert sampledb.content() == content
    assert sampledb.content(seed=1) != content


def test_constraints_hold(connection):
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_every_table_has_rows(connection, content):
    for table, rows in content.items():
        assert connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] == len(rows) > 0
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    assert {name for (name,) in tables} == set(content)


def test_no_cpf_passes_its_check_digits(content):
    cpfs = [row[4] for row in content["beneficiario"]]
    assert len(cpfs) == len(set(cpfs)) > 600
    assert not any(CPF().validate(cpf) for cpf in cpfs)
    assert not any(CPF().validate(impossible_cpf(number)) for number in range(100_000_000, 100_003_000))


def test_every_month_looks_like_an_operator(content):
    billed, paid, overdue, cancelled = {}, {}, {}, {}
    for _, _, month, _, value, status in content["fatura"]:
        billed[month] = billed.get(month, 0) + value
        overdue[month] = overdue.get(month, 0) + (value if status == "vencida" else 0)
    for claim in content["guia"]:
        paid[claim[4]] = paid.get(claim[4], 0) + (claim[8] or 0)
    for member in content["beneficiario"]:
        if member[12]:
            cancelled[member[12][:7]] = cancelled.get(member[12][:7], 0) + 1
    assert len(billed) == 24
    for month, total in billed.items():
        assert 0.70 <= paid[month] / total <= 0.90, month
        assert 0.05 <= overdue[month] / total <= 0.12, month
        active = sum(
            row[11] < f"{month}-01" and not (row[12] and row[12] < f"{month}-01") for row in content["beneficiario"]
        )
        assert 0.01 <= cancelled[month] / active <= 0.03, month


def test_nobody_is_treated_before_joining_or_after_leaving(connection):
    wrong = """SELECT COUNT(*) FROM guia JOIN beneficiario ON guia.beneficiario_id = beneficiario.id
               WHERE data_atendimento < data_adesao OR data_atendimento > data_cancelamento"""
    assert connection.execute(wrong).fetchone() == (0,)


def test_a_current_file_is_kept_and_a_damaged_one_built_again(tmp_path):
    file = sampledb.ensure(tmp_path / "operadora.db")
    before = file.stat()
    assert sampledb.ensure(file).stat().st_ino == before.st_ino
    file.write_bytes(b"not a database" * 1000)
    with closing(sqlite3.connect(sampledb.ensure(file))) as opened:
        assert opened.execute("SELECT COUNT(*) FROM plano").fetchone() == (6,)
    with closing(sqlite3.connect(file)) as opened:
        opened.execute("PRAGMA user_version = 1")
        opened.execute("DROP TABLE guia")
    with closing(sqlite3.connect(sampledb.ensure(file))) as opened:
        assert opened.execute("SELECT COUNT(*) FROM guia").fetchone()[0] > 0
    assert list(tmp_path.iterdir()) == [file]
