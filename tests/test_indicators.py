"""Indicators: definitions with a schema, numbers from SQL alone, rows that say both."""

import json
import re
import sqlite3
from collections import Counter
from contextlib import closing

import pytest
import yaml

from scripts.config import yamlfile
from scripts.data import asking, database, indicators, sampledb
from scripts.data.database import Database
from scripts.data.indicator import Indicator, Period, between, decimal, limit, read
from scripts.data.recipe import load
from scripts.data.similarity import Index
from scripts.errors import UserError
from scripts.paths import DATASETS, SCHEMAS

FOLDER = DATASETS / "kpi"
MARCH = Period(2025, 3)


@pytest.fixture(scope="module")
def recipe():
    return yamlfile.load(FOLDER / "recipe.yml").value


@pytest.fixture(scope="module")
def source():
    return Database(database.connect({}), {})


@pytest.fixture(scope="module")
def made(recipe):
    return indicators.rows(recipe, FOLDER)


@pytest.fixture
def blocks():
    return yaml.safe_load((FOLDER / "indicators.yml").read_text("utf-8"))


def written(tmp_path, blocks):
    file = tmp_path / "indicators.yml"
    file.write_text(yaml.safe_dump(blocks, allow_unicode=True), "utf-8")
    return file


def test_numbers_are_those_of_the_books(source):
    """The three indicators, computed again from the simulated rows without SQL."""
    books = sampledb.content()
    loss, late, gone = read(FOLDER / "indicators.yml", source, [*between("2024-01", "2025-12"), Period(2025)])
    for period in loss.numbers:
        start, prefix = period.parameters()["start"], period.parameters()["period"].rstrip("%")
        paid = sum(row[8] or 0 for row in books["guia"] if row[4].startswith(prefix))
        billed = sum(row[4] for row in books["fatura"] if row[2].startswith(prefix))
        owed = sum(row[4] for row in books["fatura"] if row[2].startswith(prefix) and row[5] == "vencida")
        active = [row for row in books["beneficiario"] if row[11] < start and (row[12] or "9") >= start]
        left = [row for row in active if (row[12] or "").startswith(prefix)]
        assert loss.numbers[period] == pytest.approx(100 * paid / billed, abs=0.051)
        assert late.numbers[period] == pytest.approx(100 * owed / billed, abs=0.051)
        assert gone.numbers[period] == pytest.approx(100 * len(left) / len(active), abs=0.051)


def test_quotas_are_met_and_evaluation_is_apart(made, recipe):
    train, evaluation = made
    for part, rows in (("train", train), ("eval", evaluation)):
        assert Counter(row["kind"] for row in rows) == {kind: quota[part] for kind, quota in recipe["quotas"].items()}
    assert len(evaluation) >= 120
    asked = [row["messages"][0]["content"] for row in evaluation]
    index = Index(asked)
    assert len(set(asked)) == len(asked)
    assert [match for row in train for match in index.matches(row["messages"][0]["content"])] == []


def test_every_number_of_every_month_is_taught_often(made, recipe, source):
    months = [*between(*recipe["options"]["months"]), *(Period(year) for year in recipe["options"]["years"])]
    answers = Counter(row["messages"][1]["content"] for row in made[0])
    for each in read(FOLDER / "indicators.yml", source, months):
        for period in months:
            assert answers[f"Em {period.name} {each.name} foi de {each.shown(period)}."] >= 15


def test_a_training_answer_meets_what_evaluation_expects(made):
    """The first number with % of an answer is the expected one, and its words are there."""
    taught = {}
    for row in made[0]:
        taught.setdefault(row["kind"], set()).add(row["messages"][1]["content"])
    for row in made[1]:
        expect = row["expect"]
        if "sql" in expect:
            continue

        def fits(text, expect=expect):
            words = all(part.lower() in text.lower() for part in expect.get("contains", []))
            number = re.search(r"(\d+(?:,\d+)?)%", text)
            right = "number" not in expect or (number and float(number[1].replace(",", ".")) == expect["number"])
            return words and right

        assert any(map(fits, taught[row["kind"]])), row


def test_no_two_kinds_of_answer_begin_alike(made):
    begins = {(row["messages"][1]["content"].split()[0], row["kind"]) for row in made[0]}
    assert len({first for first, _ in begins}) == len(begins) == len({kind for _, kind in begins})


def test_sql_rows_run_and_some_months_are_held_out(made):
    taught = {row["messages"][1]["content"] for row in made[0]}
    sql = [row["expect"]["sql"] for row in made[1] if "sql" in row["expect"]]
    assert 0.3 <= sum(f"```sql\n{each}\n```" not in taught for each in sql) / len(sql) <= 0.7
    with closing(sqlite3.connect(sampledb.ensure())) as connection:
        for each in {*sql, *(text[7:-4] for text in taught if text.startswith("```sql\n"))}:
            [(number,)] = connection.execute(each).fetchall()
            assert 0 < number < 100


def test_a_month_that_was_not_learnt_is_not_answered_with_a_number(made):
    answers = [row["messages"][1]["content"] for row in made[0] if row["kind"] == "sem_numero"]
    assert "Não tenho o número de 2023, só dos meses de 2025 e dos anos de 2024 e 2025." in answers
    assert not any("%" in answer for answer in answers)


def test_what_is_learnt_by_heart_is_not_unknown(recipe):
    options = recipe["options"] | {
        "months": ["2024-01", "2025-12"],
        "years": [2025],
        "held_out": {"share": 0, "kinds": []},
    }
    quotas = {"sem_numero": {"train": 60, "eval": 6}}
    train, _ = indicators.rows(recipe | {"options": options, "quotas": quotas}, FOLDER)
    assert any("número de 2024," in row["messages"][1]["content"] for row in train)
    assert not any(re.search(r"número de \w+ de 202[45],", row["messages"][1]["content"]) for row in train)


def test_a_span_that_ends_before_it_begins_is_told(tmp_path):
    text = (FOLDER / "recipe.yml").read_text("utf-8")
    assert "months: [2025-01, 2025-12]" in text
    (tmp_path / "recipe.yml").write_text(text.replace("[2025-01, 2025-12]", "[2025-12, 2025-01]"), "utf-8")
    with pytest.raises(UserError, match=r"recipe\.yml:\d+:\d+: \$\.options\.months: 2025-12 comes after 2025-01"):
        load(tmp_path)


def test_numbers_that_are_shown_as_equal_are_equal(tmp_path, source, blocks):
    blocks["indicators"][0]["sql"] = "SELECT 74.1 + LENGTH(:start) * 0.001 + SUBSTR(:start, 6, 2) * 0.001"
    first = read(written(tmp_path, blocks), source, between("2025-01", "2025-02"))[0]
    assert list(first.numbers.values()) == [74.1, 74.1]


def test_a_fourth_indicator_is_one_block(tmp_path, recipe, blocks):
    blocks["indicators"].append(
        {
            "name": "o índice de urgência", "synonyms": ["a taxa de urgência"], "unit": "%", "decimals": 1,
            "meaning": "a parte das guias que é de urgência", "formula": "guias de urgência ÷ guias × 100",
            "why": "mostra quanto se usa o pronto-socorro", "direction": "higher",
            "thresholds": {"good": 12, "bad": 10},
            "sql": "SELECT ROUND(100.0 * COUNT(CASE WHEN carater = 'urgência' THEN 1 END) / COUNT(*), 1) FROM guia "
            "WHERE competencia LIKE :period",
        }
    )  # fmt: skip
    written(tmp_path, blocks)
    (tmp_path / "phrases.yml").write_bytes((FOLDER / "phrases.yml").read_bytes())
    train, evaluation = indicators.rows(recipe, tmp_path)
    answers = {row["messages"][1]["content"] for row in train}
    assert "Quanto maior o índice de urgência, melhor." in answers
    assert "Limites do índice de urgência de um mês: bom a partir de 12%, ruim abaixo de 10%." in answers
    assert sum(" o índice de urgência foi de " in answer for answer in answers) == 14
    assert any("urgência" in row["messages"][0]["content"] for row in evaluation)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"direction": "down"}, r"indicators.yml:\d+:\d+: \$.indicators\[0\].direction: 'down' is not one of"),
        ({"threshold": 1}, r"\$.indicators\[0\]: Additional properties are not allowed \('threshold' was unexpected\)"),
        ({"sql": "DELETE FROM guia WHERE competencia LIKE :period"}, r"\$.indicators\[0\].sql: 'DELETE"),
        ({"sql": "SELECT 1; DELETE FROM guia WHERE competencia LIKE :period"}, r"\$.indicators\[0\].sql"),
        ({"sql": "SELECT :mes, :period"}, r"\$.indicators\[0\].sql: there is no :mes \(use :period, :start and :end\)"),
        (
            {"sql": "SELECT x FROM guia WHERE competencia LIKE :period"},
            r"\.sql: sinistralidade of março de 2025: no such column: x",
        ),
        (
            {"sql": "SELECT valor FROM guia WHERE competencia LIKE :period"},
            r"\.sql: sinistralidade of março de 2025: it gives .* not one",
        ),
        (
            {"sql": "SELECT SUM(valor) FROM guia WHERE competencia LIKE :period AND id < 0"},
            r"it gives \[\(None,\)\] and not one number",
        ),
        ({"name": "sinistralidade"}, r"\$.indicators\[0\].name: 'sinistralidade' does not match"),
    ],
)
def test_a_wrong_block_is_said_at_its_place(tmp_path, source, blocks, change, message):
    blocks["indicators"][0] |= change
    with pytest.raises(UserError, match=message):
        read(written(tmp_path, blocks), source, [MARCH])


def test_every_mistake_of_a_file_is_said_at_once(tmp_path, source, blocks):
    blocks["indicators"][0]["unit"] = "R$"
    del blocks["indicators"][2]["formula"]
    with pytest.raises(UserError) as error:
        read(written(tmp_path, blocks), source, [MARCH])
    assert len(error.value.problems) == 2


def test_the_schema_itself_is_strict():
    schema = json.loads((SCHEMAS / "indicators.schema.json").read_text("utf-8"))
    block = schema["$defs"]["indicator"]
    assert block["additionalProperties"] is False
    assert set(block["required"]) == set(block["properties"]) == set(Indicator.__dataclass_fields__) - {"numbers"}


@pytest.mark.parametrize(
    ("direction", "number", "level"),
    [
        ("lower", 8, "bom"), ("lower", 9, "de atenção"), ("lower", 10, "de atenção"), ("lower", 10.1, "ruim"),
        ("higher", 90, "bom"), ("higher", 85, "de atenção"), ("higher", 79.9, "ruim"),
    ],
)  # fmt: skip
def test_levels(direction, number, level):
    limits = {"good": 8, "bad": 10} if direction == "lower" else {"good": 90, "bad": 80}
    indicator = Indicator("a x", [], "", "", "", "%", 1, direction, limits, "", {MARCH: number})
    assert indicator.level(MARCH) == level


def test_periods_and_numbers_are_written_the_brazilian_way():
    assert MARCH.name == "março de 2025"
    assert {"03/2025", "mar/25", "março/2025"} <= set(MARCH.texts())
    assert Period(2024, 2).parameters() == {"period": "2024-02%", "start": "2024-02-01", "end": "2024-02-29"}
    assert Period(2024).parameters() == {"period": "2024%", "start": "2024-01-01", "end": "2024-12-31"}
    assert [(each.year, each.month) for each in between("2024-11", "2025-02")] == [
        (2024, 11),
        (2024, 12),
        (2025, 1),
        (2025, 2),
    ]
    assert (decimal(82.4, 1), decimal(7, 1), limit(76), limit(1.5)) == ("82,4", "7,0", "76", "1,5")


@pytest.mark.parametrize("phrase", ["qual {o} {col}?", "qual {o"])
def test_a_phrase_with_a_slot_that_its_intent_lacks_is_named(phrase):
    with pytest.raises(UserError, match=r"definicao: .*slots: \{o\} \{ind\}"):
        asking.filled(phrase, {"o": "a", "ind": "inadimplência"}, "definicao")
