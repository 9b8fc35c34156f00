"""What users state, in conversations written without a look at the rules, the rows or the patterns."""

import json
from datetime import date
from pathlib import Path

import pytest

from scripts.data import birthdates
from scripts.model import strict
from scripts.model.toolcall import message_of, strict_json
from scripts.paths import DATASETS

#: Words beside a CPF and a birth date that mean other numbers and dates elsewhere.
ORDINARY = [
    "quero ver boleto em aberto {d} {c}", "quero emitir o boleto {c} {d}", "me chamo João Silva {c} {d}",
    "consulta meu cadastro {c} {d}", "quero pagar meu plano {c} {d}", "boleto vencido {d} cpf {c}",
    "quero cancelar {c} {d}",
    "preciso da carteirinha {c} {d}", "sou o Pedro, cpf {c}, {d}, quero saber o vencimento", "quero agendar {c} {d}",
    "fui atendido ontem mas caiu a ligação, {c} {d}", "segunda via até dia 10 por favor {c} nascimento {d}",
    "identidade {c} nasc {d}", "minha conta {c} nasc {d}", "meu cpf {c}\n{d}", "{d}\n{c}", "{c} - {d}",
    "meus dados: {c} {d}",
    "boleto do mês 6 {c} {d}", "data de nascimento {d} e cpf {c}, contrato 123456",
    "preciso do informe de 2024, {c}, {d}",
    "oi bom dia, sou titular do plano há 12 anos, {c}, {d}", "pagamento do dia 10 não caiu, {c} {d}",
    "mandei pix dia 05/11/2025 e não baixou, cpf {c} nascimento {d}", "contrato 2017/004418 {c} {d}",
    "data de nacimento {d} cpf {c}",
    "cpf {c}, nasci em {d}. Desculpa incomodar, mas solicitei um reembolso em 10/10/2025 e nada",
    "cpf {c}, nascimento {d}. desculpa a demora, minha carteirinha é 00621178442",
    "cpf {c}, nasc {d}. Inventei de mudar de plano, tem como?",
    "cpf {c}, nascimento {d}, por favor não me ignore",
    "cpf {c}, nasc {d}, desconsidere o primeiro boleto, já paguei",
    "meu cpf {c}, nascimento {d}. me colocaram no grupo errado do plano",
    "cpf {c}, nasci {d}. os exames que aparecem não são os meus",
    "recebi um tal de reajuste no boleto. cpf {c}, nasc {d}",
    "eu, marido e filhos temos plano. cpf {c} nascimento {d}",
    "sou Maria, dependente do plano, cpf {c}, nasc {d}",
    "estou cadastrada com {d} e cpf {c}",
    "sou casada {d} cpf {c}",
    "to ligando {c} {d}",
    "não lembrava o cpf de cabeça, achei: {c}, nasci em {d}",
    "dados pra consulta: cpf do contratante {c}, nascimento {d}",
    "moça, Deus lhe pague. cpf {c}, nasc {d}",
    "meu filho instalou o app, cpf {c}, nasc {d}, quero meu boleto",
    "minha nora disse que aqui consigo o boleto. cpf {c} nasci {d}",
    "a paz do Senhor! cpf {c}, nascimento {d}",
    "chegou mensagem dizendo que o plano vai ser suspenso. meu cpf é {c}, nasci em {d}",
    "já mandei mensagem ontem e ninguém respondeu. cpf {c} nasc {d}",
    "esqueci a carteirinha e preciso do número dela, cpf {c}, nascimento {d}",
    "ô minha filha, quero meu boleto, cpf {c}, nascimento {d}",
    "meu e-mail é ana@exemplo.com.br, cpf {c}, nasc {d}",
    "data de nadcimento {d} e o cpf é {c}",
    "CIC {c}, nascida em {d}",
    "falei com várias pessoas e ninguém resolve, cpf {c} {d}",
    "o plano está em nome de João Moreira, cpf {c}, nasc {d}",
    "sou de Santa Cruz, cpf {c}, nasci em {d}",
]  # fmt: skip
#: A value in the place of another, and data of people who are only named.
CORRECTED = [
    ("cpf 36886442930\nesse cpf não é o meu o meu é 12345678901. nasci em 15/06/1985", True),
    ("nascimento 15/06/1984, coloquei o ano erardo, é 1985. cpf 12345678901", True),
    ("meu cpf 12345678901\nnasc 16/06/1985\na data tá erraa, é 15/6/1985", True),
    ("quero ver os débitos de cícero moreira. tenho os dados: 15/06/1985 12345678901", False),
    ("o exame de Priscila Martins foi liberado? 12345678901 15/06/1985", False),
    ("quero meu boleto, 1 2 3 4 5 6 7 8 9 0 1 2... nascimento dia 15 06 1985", False),
]
ROWS = Path(__file__).parent / "serve_data" / "stated.jsonl"


def messages_of(turns: list[str]) -> list[dict]:
    """`A: ` begins what the attendant said."""
    return [
        {"role": "assistant", "content": turn[3:]} if turn.startswith("A: ") else {"role": "user", "content": turn}
        for turn in turns
    ]


def understood(judge: strict.Judge, row: dict) -> bool:
    """Whether a call is due where it should be, and none but the right one can be made of what was stated."""
    messages = messages_of(row["turns"])
    calls = [message_of(text)["tool_calls"] for text in judge.choices("<tool_call>\n{", messages)]
    made = [strict_json(call["function"]["arguments"]) for each in calls for call in each]
    due = judge.due(messages)
    if row["kind"] == "call":
        return due and made == [{"cpf": row["cpf"], "data_nascimento": row["birth"]}]
    if row["kind"].startswith("bad"):
        return due and not made
    return not (due and made) if row["kind"] == "no_call" else not made


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_words_take_nothing_away(text: str):
    judge = strict.judge(DATASETS / "unimed-attendant")
    for cpf in ("12345678901", "123.456.789-01", "123 456 789 01"):
        for day in ("15/06/1985", "15-6-85", "15 de junho de 1985", "15061985"):
            row = {"kind": "call", "turns": [text.format(c=cpf, d=day)], "cpf": "12345678901", "birth": "19850615"}
            assert understood(judge, row), row["turns"]


@pytest.mark.parametrize(("text", "called"), CORRECTED)
def test_the_value_that_stands_is_called_and_no_other(text: str, called: bool):
    row = {"kind": "call" if called else "no_call", "turns": [text], "cpf": "12345678901", "birth": "19850615"}
    assert understood(strict.judge(DATASETS / "unimed-attendant"), row)


def test_conversations_are_understood_as_they_were_meant():
    """`open` marks those that are not yet: one that comes to be understood, or no longer is, changes its mark."""
    judge = strict.judge(DATASETS / "unimed-attendant")
    rows = [json.loads(line) for line in ROWS.read_text(encoding="utf-8").splitlines()]
    assert [row for row in rows if understood(judge, row) is bool(row.get("open"))] == []
    calls = [row for row in rows if row["kind"] == "call"]
    assert sum("open" in row for row in calls) <= 0.04 * len(calls) and len(calls) >= 300


def test_a_server_that_runs_over_new_year_knows_the_year(monkeypatch):
    class Later(date):
        @classmethod
        def today(cls):
            return cls(2031, 1, 2)

    assert birthdates.year_of("31") == 1931
    monkeypatch.setattr(birthdates, "date", Later)
    assert birthdates.year_of("31") == 2031
