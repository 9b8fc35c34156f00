"""Schema rows: quotas, executed SQL, disjoint phrasings, nothing personal, the same bytes everywhere."""

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from scripts.config import yamlfile
from scripts.data import asking, questions, sampledb
from scripts.data.asking import Noun, plain, plural
from scripts.data.recipe import load
from scripts.data.similarity import Index
from scripts.errors import UserError
from scripts.paths import DATASETS, ROOT, SCHEMAS

FOLDER = DATASETS / "schema"


@pytest.fixture(scope="module")
def recipe():
    return yamlfile.load(FOLDER / "recipe.yml").value


@pytest.fixture(scope="module")
def made(recipe):
    return questions.rows(recipe, FOLDER)


def asked(row: dict) -> str:
    return row["messages"][0]["content"]


def answered(row: dict) -> str:
    return row["messages"][1]["content"]


def test_quotas_are_met(made, recipe):
    train, evaluation = made
    for part, rows in (("train", train), ("eval", evaluation)):
        assert Counter(row["kind"] for row in rows) == {kind: quota[part] for kind, quota in recipe["quotas"].items()}
    expects = Counter(next(iter(row["expect"])) for row in evaluation)
    assert expects["sql"] >= 150
    assert expects["contains"] >= 60


def test_every_sql_answer_runs_and_finds_something(made):
    with closing(sqlite3.connect(sampledb.ensure())) as connection:
        statements = {row["expect"]["sql"] for row in made[1] if "sql" in row["expect"]}
        for row in made[0]:
            if answered(row).startswith("```sql\n"):
                assert answered(row).endswith(";\n```")
                statements.add(answered(row)[7:-4])
        assert len(statements) > 300
        for sql in sorted(statements):
            assert any(value for found in connection.execute(sql).fetchall() for value in found), sql


def test_a_question_has_one_answer_and_evaluation_asks_nothing_that_was_trained(made):
    train, evaluation = made
    assert len({asked(row) for row in train + evaluation}) == len(train) + len(evaluation)
    index = Index([asked(row) for row in evaluation])
    assert [match for row in train for match in index.matches(asked(row))] == []


def test_a_quarter_of_the_evaluated_sql_was_never_trained(made):
    train, evaluation = made
    taught = {answered(row) for row in train}
    sql = [row["expect"]["sql"] for row in evaluation if "sql" in row["expect"]]
    unseen = sum(f"```sql\n{each}\n```" not in taught for each in sql)
    assert 0.2 <= unseen / len(sql) <= 0.35


def test_an_expected_answer_contains_what_training_says(made):
    train, evaluation = made
    taught = {row["kind"]: [] for row in train}
    for row in train:
        taught[row["kind"]].append(answered(row))
    for row in evaluation:
        if "contains" in row["expect"]:
            wanted = [plain(part) for part in row["expect"]["contains"]]
            assert any(all(part in plain(text) for part in wanted) for text in taught[row["kind"]]), row


def test_no_personal_value_is_in_any_row(made):
    text = "\n".join(json.dumps(row, ensure_ascii=False) for part in made for row in part)
    personal = ["nome", "cpf", "telefone", "email", "endereco"]
    with closing(sqlite3.connect(sampledb.ensure())) as connection:
        for column in personal:
            values = [value for (value,) in connection.execute(f"SELECT DISTINCT {column} FROM beneficiario")]
            assert len(values) > 300
            assert [value for value in values if value in text] == []


def test_same_bytes_whatever_the_hash_seed_locale_and_time_zone(made):
    code = (
        "import hashlib, json, yaml; from pathlib import Path; from scripts.data import questions;"
        f"folder = Path({str(FOLDER)!r});"
        "rows = questions.rows(yaml.safe_load((folder / 'recipe.yml').read_text('utf-8')), folder);"
        "print(hashlib.sha256(json.dumps(rows).encode()).hexdigest())"
    )
    env = os.environ | {"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    other = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    assert other.stdout.strip() == hashlib.sha256(json.dumps(made).encode()).hexdigest()


def test_an_unknown_database_is_asked_about_without_a_glossary(tmp_path, recipe):
    file = tmp_path / "loja.db"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executescript(
            """CREATE TABLE loja (id INTEGER PRIMARY KEY, cidade TEXT);
               CREATE TABLE pedido ( -- pedidos feitos nas lojas
                 id INTEGER PRIMARY KEY, loja_id INTEGER REFERENCES loja (id), canal TEXT, -- canal de venda
                 criado_em TIMESTAMP, total NUMERIC(10, 2), cliente_email TEXT);"""
        )
        connection.executemany(
            "INSERT INTO loja VALUES (?, ?)", [(n, "Natal" if n < 7 else "Caicó") for n in range(1, 13)]
        )
        connection.executemany(
            "INSERT INTO pedido VALUES (?, ?, ?, ?, ?, ?)",
            [
                (n, n % 12 + 1, "site" if n % 3 else "app", f"2025-0{n % 3 + 1}-11 10:00:00", n / 4, f"a{n}@b.com")
                for n in range(1, 61)
            ],
        )
    train, _ = questions.rows(recipe, FOLDER, f"sqlite:///{file}")
    answers = {answered(row) for row in train}
    assert "```sql\nSELECT COUNT(*) FROM pedido WHERE canal = 'app';\n```" in answers
    assert (
        "```sql\nSELECT COUNT(*) FROM pedido JOIN loja ON pedido.loja_id = loja.id WHERE loja.cidade = 'Natal';\n```"
        in answers
    )
    assert "A tabela pedido guarda pedidos feitos nas lojas." in answers
    assert any("criado_em >= '2025-02-01' AND criado_em < '2025-03-01'" in answer for answer in answers)
    assert any("por canal de venda" in asked(row).lower() for row in train)
    assert not any("@b.com" in answer for answer in answers)


def test_a_quota_that_can_t_be_met_stops_with_the_numbers(recipe):
    greedy = recipe | {"quotas": {"chave": {"train": 5000, "eval": 2}}}
    with pytest.raises(UserError, match=r"chave: \d+ of 5000 rows to train with"):
        questions.rows(greedy, FOLDER)


def test_a_phrase_in_both_lists_is_refused_at_its_line(tmp_path, recipe):
    phrases = yaml.safe_load((FOLDER / "phrases.yml").read_text("utf-8"))
    phrases["contar"]["eval"].append(phrases["contar"]["train"][0])
    (tmp_path / "phrases.yml").write_text(yaml.safe_dump(phrases, allow_unicode=True), "utf-8")
    with pytest.raises(
        UserError, match=r"phrases.yml:\d+:\d+: \$.contar.eval\[\d+\]: training has this phrase as well"
    ):
        questions.rows(recipe, Path(tmp_path))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("contar: {train: [a]}", "$.contar.eval: missing"),
        ("contar: {train: [a], eval: []}", "$.contar.eval: []"),
        ("contar: {train: a b c, eval: [d]}", "$.contar.train: 'a b c' is not a list"),
        ("contar: {train: [a, 5], eval: [d]}", "$.contar.train[1]: 5 is not text"),
        ("[contar]", "is not keys and values"),
    ],
)
def test_phrases_that_can_t_be_asked_are_told_at_their_place(tmp_path, text, told):
    file = tmp_path / "phrases.yml"
    file.write_text(text, "utf-8")
    with pytest.raises(UserError) as error:
        asking.phrases(file)
    assert told in str(error.value)


def test_an_intent_without_phrases_is_named(recipe):
    phrases = asking.phrases(FOLDER / "phrases.yml")
    phrases["contarr"] = phrases.pop("contar")
    points = [asking.Point("contar", "contar", "", {}), asking.Point("listar", "listar", "", {})]
    with pytest.raises(UserError, match=r"^phrases\.yml has no intent 'contar' \(did you mean 'contarr'\?\)\nnext"):
        asking.deal(points, phrases, recipe, strict=True)


@pytest.mark.parametrize("adapter", ["schema", "kpi"])
@pytest.mark.parametrize("place", ["quotas", "held_out"])
def test_a_kind_that_nothing_makes_is_told(tmp_path, adapter, place):
    text = (DATASETS / adapter / "recipe.yml").read_text("utf-8")
    old, new = (
        ("quotas:\n", "quotas:\n  listaa: {train: 1, eval: 1}\n")
        if place == "quotas"
        else ("kinds: [", "kinds: [listaa, ")
    )
    assert old in text
    (tmp_path / "recipe.yml").write_text(text.replace(old, new), "utf-8")
    with pytest.raises(UserError, match=r"'listaa' is not one of .*did you mean 'listar?'"):
        load(tmp_path)


@pytest.mark.parametrize(("adapter", "source"), [("schema", "database"), ("kpi", "indicators")])
def test_the_kinds_of_the_schema_are_those_that_are_made(adapter, source):
    kinds = json.loads((SCHEMAS / "recipe.schema.json").read_text("utf-8"))["$defs"][f"{source}_kind"]["enum"]
    assert set(kinds) == set(load(DATASETS / adapter)["quotas"])


@pytest.mark.parametrize(
    ("text", "noun"),
    [
        ("a fatura/faturas", Noun("a", "fatura", "faturas")),
        ("pedido", Noun("o", "pedido", "pedidos")),
        ("data de saida", Noun("a", "data de saida", "datas de saida")),
        ("situação", Noun("a", "situação", "situações")),
        ("o canal", Noun("o", "canal", "canais")),
    ],
)
def test_nouns(text, noun):
    assert Noun.of(text) == noun


def test_plurals():
    assert [plural(word) for word in ("plano", "prestador", "item", "hospital")] == [
        "planos",
        "prestadores",
        "itens",
        "hospitais",
    ]


def test_words_agree_with_their_noun():
    slots = Noun.of("a guia/guias").slots("pag{os} em dia")
    assert "quant{os} {itens} d{o} {item}".format(**slots) == "quantas guias pagas em dia da guia"
