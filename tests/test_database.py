"""Reflection: what is read of a database, and what never is."""

import sqlite3
from contextlib import closing

import pytest
import sqlalchemy as sa

from scripts.config import yamlfile
from scripts.data import database, questions
from scripts.data.recipe import load
from scripts.data.sqlfilters import literal, within
from scripts.errors import UserError
from scripts.paths import DATASETS, ROOT

FOLDER = DATASETS / "schema"
PERSONAL = {"nome", "cpf", "data_nascimento", "telefone", "email", "endereco"}


@pytest.fixture(scope="module")
def recipe():
    return yamlfile.load(FOLDER / "recipe.yml").value


@pytest.fixture(scope="module")
def sample(recipe):
    return database.read(database.connect(recipe["options"]), recipe["options"])


def made(tmp_path, ddl: str) -> sa.Engine:
    file = tmp_path / "made.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(ddl)
    return database.connect({}, f"sqlite:///{file}")


def test_tables_columns_keys_and_comments(sample):
    assert len(sample.tables) == 9
    fatura = sample.tables["fatura"]
    assert fatura.comment == "mensalidades cobradas de cada contrato, uma por mês"
    assert fatura.key == ("id",)
    assert [(link.column, link.parent, link.key) for link in fatura.links] == [("contrato_id", "contrato", "id")]
    kinds = {column.name: column.kind for column in fatura.columns}
    assert kinds == {
        "id": "key", "contrato_id": "key", "competencia": "month", "vencimento": "date", "valor": "number",
        "situacao": "category",
    }  # fmt: skip
    situacao = fatura.columns[-1]
    assert situacao.values == ("paga", "vencida")
    assert situacao.comment == "paga, ou vencida e em aberto"
    assert sample.tables["plano"].label() == "nome"
    assert sample.tables["beneficiario"].label() == "id"


def test_the_personal_columns_are_exactly_those_of_people(sample):
    personal = {
        (table.name, column.name) for table in sample.tables.values() for column in table.columns if column.personal
    }
    assert personal == {("beneficiario", name) for name in PERSONAL}


def test_no_statement_ever_reads_a_personal_column(recipe):
    statements = []
    engine = database.connect(recipe["options"])
    sa.event.listen(engine, "before_cursor_execute", lambda *call: statements.append(call[2]))
    source = database.read(engine, recipe["options"])
    points = list(questions.sqlpoints.points(source, questions.Wording(recipe["options"])))
    selects = [text for text in statements if text.startswith("SELECT") and "sqlite_" not in text]
    assert len(selects) > 500 and len(points) > 400
    for text in selects:
        assert not {"cpf", "data_nascimento", "telefone", "email", "endereco"} & set(text.replace(".", " ").split()), (
            text
        )
        if "beneficiario" in text.split("FROM")[1].split("JOIN")[0]:
            assert "SELECT nome" not in text and "beneficiario.nome" not in text and '"nome"' not in text, text


def test_values_that_few_share_or_that_identify_are_not_taken(tmp_path):
    rows = [("comum", "84 99999-0001"), ("comum", "84 99999-0002"), ("raro", "84 99999-0001")]
    values = ", ".join(f"('{kind}', '{other}', '{other}')" for kind, other in rows * 2)
    ddl = f"CREATE TABLE caso (tipo TEXT, aviso TEXT, fone TEXT); INSERT INTO caso VALUES {values};"
    engine = made(tmp_path, ddl)
    table = database.read(engine, {"personal": ["fone"], "least_rows": 3}).tables["caso"]
    tipo, aviso, fone = table.columns
    assert (tipo.kind, tipo.values, tipo.complete) == ("category", ("comum",), False)
    assert (aviso.kind, aviso.values, aviso.personal) == ("other", (), False)
    assert (fone.kind, fone.values, fone.personal) == ("other", (), True)


def test_without_personal_patterns_nothing_is_read(tmp_path):
    engine = made(tmp_path, "CREATE TABLE t (a TEXT)")
    with pytest.raises(UserError, match="no `personal` patterns"):
        database.read(engine, {})


def test_names_that_need_quotes_and_values_with_apostrophes(tmp_path, recipe):
    ddl = """CREATE TABLE "Order" ("Tipo do Caso" TEXT, "group" INTEGER);
             INSERT INTO "Order" VALUES ('gota d''água', 1), ('gota d''água', 2), ('pingo', 4), ('pingo', 3);"""
    options = recipe["options"] | {"least_rows": 2}
    source = database.read(made(tmp_path, ddl), options)
    sql = [point.expect["sql"] for point in questions.sqlpoints.points(source, questions.Wording(options))]
    assert """SELECT COUNT(*) FROM "Order" WHERE "Tipo do Caso" = 'gota d''água';""" in sql
    assert 'SELECT SUM("group") FROM "Order";' in sql
    assert literal("d'água") == "'d''água'"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite:///nowhere/there.db", "there is no such file"),
        ("operadora.db", "it looks like sqlite:///file.db"),
        ("oracel://a@b/c", "it looks like sqlite:///file.db"),
        ("postgresql://someone:secret@127.0.0.1:1/x", "can't connect"),
        (
            "postgresql://someone:secret@localhost:abc/x",
            r"DB=postgresql://someone:\*\*\*@localhost:abc/x: .* looks like",
        ),
        ("firebird://someone:se@secret@localhost/x?password=secret", r"DB=firebird://someone:\*\*\*@localhost/x"),
        ("mssql+pyodbc://someone:secret@localhost/x", "its driver pyodbc is not installed"),
        (f"sqlite:///{ROOT}/README.md", "can't connect: file is not a database"),
    ],
)
def test_a_wrong_url_is_said_in_one_sentence(url, message):
    with pytest.raises(UserError, match=message) as error:
        database.connect({}, url)
    assert "secret" not in str(error.value)


def test_a_missing_table_is_named_with_the_choices(recipe):
    engine = database.connect(recipe["options"])
    with pytest.raises(UserError, match="has no table faturas; it has: beneficiario"):
        database.read(engine, recipe["options"] | {"only": ["faturas"]})


def test_a_table_that_may_not_be_read_is_named(tmp_path):
    engine = made(tmp_path, "CREATE TABLE open (a TEXT); CREATE TABLE shut (a TEXT)")

    def refuse(action, table, *_):
        return sqlite3.SQLITE_DENY if (action, table) == (sqlite3.SQLITE_READ, "shut") else sqlite3.SQLITE_OK

    engine.dispose()
    sa.event.listen(engine, "connect", lambda connection, _: connection.set_authorizer(refuse))
    with pytest.raises(UserError, match="the table shut can't be read: "):
        database.read(engine, {"personal": ["cpf"]})
    assert list(database.read(engine, {"personal": ["cpf"], "only": ["open"]}).tables) == ["open"]


@pytest.mark.parametrize("value", ["05/03/2024", ""])
def test_dates_that_are_none_are_not_asked_for(tmp_path, recipe, value):
    engine = made(tmp_path, f"CREATE TABLE t (d DATE); INSERT INTO t VALUES ('{value}'), ('2024-03-05')")
    source = database.read(engine, recipe["options"] | {"only": ["t"]})
    points = list(questions.sqlpoints.points(source, questions.Wording(recipe["options"])))
    assert [point.kind for point in points] == ["contar"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("    - senha|", '    - "*senha*"\n    - senha|', "$.options.personal[5]: '*senha*' is not a 'regex'"),
        (
            "    municipio.populacao:",
            "    t.c: [mais]\n    municipio.populacao:",
            "$.options.rankings['t.c']: ['mais'] is too short",
        ),
    ],
)
def test_options_that_a_build_can_t_use_are_told_at_their_place(tmp_path, old, new, told):
    text = (FOLDER / "recipe.yml").read_text("utf-8")
    assert old in text
    (tmp_path / "recipe.yml").write_text(text.replace(old, new), "utf-8")
    with pytest.raises(UserError) as error:
        load(tmp_path)
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("kind", "month", "condition"),
    [
        ("month", 2, "c = '2024-02'"),
        ("month", 0, "c LIKE '2024%'"),
        ("date", 2, "c BETWEEN '2024-02-01' AND '2024-02-29'"),
        ("date", 0, "c BETWEEN '2024-01-01' AND '2024-12-31'"),
        ("time", 12, "c >= '2024-12-01' AND c < '2025-01-01'"),
        ("time", 0, "c >= '2024-01-01' AND c < '2025-01-01'"),
    ],
)
def test_a_period_is_said_in_the_column_s_own_type(kind, month, condition):
    assert within("c", kind, 2024, month) == condition
