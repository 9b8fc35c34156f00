"""The anonymiser on people it can't know, and what its parts promise."""

import json
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from anonymise_cases import date_forms
from anonymise_scores import scores

from scripts import anonymise as verb
from scripts.data import jsonl
from scripts.data.anonymous import anonymise
from scripts.data.findings import Known
from scripts.data.identifiers import Allowed
from scripts.data.personal import find
from scripts.data.surrogates import write_date
from scripts.errors import UserError

NOBODY = Allowed()
SPELLED = "cinco dois nove nove oito dois dois quatro sete dois cinco"
#: Least share that must be right.
FLOORS = {
    "no real identifier left": 1.0, "CPF right": 1.0, "CPF wrong": 0.99, "CPF spaced": 0.98, "CPF spelled": 0.98,
    "CNS": 0.99, "card": 0.99, "phone": 0.99, "e-mail": 0.99, "birth date": 0.98, "name": 0.95, "address": 0.9,
    "words kept": 0.98, "consistent": 1.0,
}  # fmt: skip


def assert_scores(count: int, seed: int) -> None:
    got, wrong = scores(count, seed)
    assert set(got) == set(FLOORS)
    low = {kind: got[kind] for kind, floor in FLOORS.items() if got[kind][0] < floor * got[kind][1]}
    assert not low, (low, wrong[:10])


def test_scores():
    assert_scores(300, 1)


@pytest.mark.slow
def test_scores_in_full():
    assert_scores(3000, 2)


def said(*texts: str) -> dict:
    roles = ("user", "assistant")
    return {"messages": [{"role": roles[at % 2], "content": text} for at, text in enumerate(texts)]}


def test_one_person_is_one_surrogate_in_text_arguments_result_and_answer():
    row = said(f"meu nome é Abdias Bozi, cpf {SPELLED}, nasci em 5 de junho de 1985")
    arguments = {"cpf": "52998224725", "data_nascimento": "19850605"}
    call = {"type": "function", "function": {"name": "unimed_consult", "arguments": json.dumps(arguments)}}
    result = json.dumps(
        {"nome": "ABDIAS BOZI", "cpf": "529.982.247-25", "data_nascimento": "1985-06-05", "plano": "Ouro"}
    )
    row["messages"] += [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": result},
        {"role": "assistant", "content": "Pronto, Abdias! CPF final 25."},
    ]
    new, found = anonymise(row, NOBODY)
    arguments = json.loads(new["messages"][1]["tool_calls"][0]["function"]["arguments"])
    result = json.loads(new["messages"][2]["content"])
    assert result["cpf"].replace(".", "").replace("-", "") == arguments["cpf"] != "52998224725"
    assert result["data_nascimento"].replace("-", "") == arguments["data_nascimento"] != "19850605"
    assert result["plano"] == "Ouro" and new["anonymised"] is True
    first, last = result["nome"].title().split()
    assert f"{first} {last}" in new["messages"][0]["content"] and f"Pronto, {first}!" in new["messages"][3]["content"]
    assert {kind for kind, _ in found} == {"name", "CPF", "birth date"}


def unpadded(text: str) -> str:
    return re.sub(r"\b0", "", text)


@pytest.mark.parametrize("form", range(12))
def test_a_date_keeps_its_form(form):
    for old, new in [((1985, 6, 15), (1987, 11, 3)), ((1970, 10, 10), (1971, 12, 10)), ((1999, 12, 12), (1998, 2, 28))]:
        forms = date_forms(*old)[form][1], date_forms(*new)[form][1]
        assert unpadded(write_date(forms[0], old, new)) == unpadded(forms[1])


@pytest.mark.parametrize(
    "text",
    [
        "o telefone da unimed é (84) 4020-8900", "meu boleto de 10/10/2026 no valor de R$ 1.234,56",
        "Bom dia, Unimed Natal!", "sou cliente há dez anos", "QUERO FALAR COM UM ATENDENTE",
        "Quais planos vocês têm? Bronze, Prata, Ouro e Diamante?",
        "a consulta é às 14:30 do dia 05/01/2027",
    ],
)  # fmt: skip
def test_what_is_not_personal_stays(text):
    assert find(text, Known(allowed=Allowed(["(84) 4020-8900"]))) == []


@pytest.mark.parametrize("year", ["²", "²²", "8" * 4400])
@pytest.mark.parametrize("said", ["nasci em 5 de maio de {}", "cinco de {} de 85", "{} de cinco de 85"])
def test_digits_that_are_no_numbers_are_no_date(said, year):
    assert not [each for each in find(said.format(year), Known()) if each.kind == "birth date"]


def test_the_verb_writes_rows_and_a_masked_report(tmp_path, capsys):
    source, out = tmp_path / "real.jsonl", tmp_path / "safe.jsonl"
    source.write_text(
        jsonl.dump(said("meu nome é Abdias Bozi, cpf 529.982.247-25", "Certo, Abdias.")), encoding="utf-8"
    )
    verb.main(["--in", str(source), "--out", str(out)])
    assert "Abdias" not in out.read_text() and "529.982" not in out.read_text()
    report = Path(f"{out}.report.md").read_text()
    assert "| CPF | 1 | `5**.***.***-**` |" in report and "Abdias" not in report
    with pytest.raises(UserError, match="exists already"):
        verb.main(["--in", str(source), "--out", str(out)])


def test_bad_rows_leave_no_file(tmp_path):
    source, out = tmp_path / "real.jsonl", tmp_path / "safe.jsonl"
    source.write_text(jsonl.dump(said("oi", "Olá!")) + '{"messages": NaN}\n{"messages": []}\n')
    with pytest.raises(UserError) as told:
        verb.main(["--in", str(source), "--out", str(out)])
    assert "real.jsonl:2: $: NaN is not JSON" in str(told.value) and "real.jsonl:3:" in str(told.value)
    assert not out.exists()


def answered(result: object) -> dict:
    """A conversation with that tool result."""
    row = said("oi", "ok")
    row["messages"].insert(1, {"role": "tool", "content": json.dumps(result)})
    return row


@pytest.mark.parametrize(
    ("row", "gone"),
    [
        (said("o numero dela é 3220-1234", "ok"), "3220-1234"),
        (said("ligue 3220-1234 3220-1235 / 3220-1236 3220-1237", "ok"), "3220-123"),
        (said("cpf 529 (982) 247 25", "ok"), "982"),
        (said("cpf 52998    224725", "ok"), "52998"),
        (answered({"documento": 52998224725}), "52998224725"),
        (answered({"52998224725": {}}), "52998224725"),
        (answered({"status": "ana@x.com.br"}), "ana@"),
        (answered({"situacao": "CPF 52998224725 ativo"}), "52998224725"),
        (answered({"rua": "Potengi"}), "Potengi"),
        (answered({"endereco": "Potengi 521"}), "Potengi"),
        (answered({"data_nascimento": "2035-01-15"}), "2035"),
        (answered({"data_nascimento": "20300115"}), "2030"),
        (said("oi", "ok") | {"source": "52998224725.json"}, "52998224725"),
        (said("oi", "ok") | {"source": "ana@clinica.com.br.jsonl"}, "ana@"),
    ],
)
def test_what_the_gates_refuse_is_replaced_wherever_it_stands(row, gone):
    assert gone in json.dumps(row)
    assert gone not in json.dumps(anonymise(row, NOBODY)[0])


@pytest.mark.parametrize(
    "row",
    [
        answered({"pais": "Brasil"}),
        answered({"plano": "Ouro", "valor": 12345}),
        said("oi", "fale com\ncontato@unimed.com.br"),
        said("oi", "ok") | {"source": "Chats Exportados.json"},
    ],
)
def test_what_is_nobodys_stays_in_a_row(row):
    assert anonymise(row, Allowed(["contato@unimed.com.br"]))[0] == row | {"anonymised": True}


def test_what_no_draw_mends_is_told_with_its_row(tmp_path):
    source, out = tmp_path / "real.jsonl", tmp_path / "safe.jsonl"
    stays = "cinco dois nove, ponto ponto nove oito dois, ponto ponto dois quatro sete, ponto ponto dois cinco"
    source.write_text(jsonl.dump(said("oi", "Olá!")) + jsonl.dump(said(stays, "Certo.")), encoding="utf-8")
    with pytest.raises(UserError, match=r"real\.jsonl:2: CPF 529\*{8} can't be replaced \(take it out by hand\)"):
        verb.main(["--in", str(source), "--out", str(out)])
    assert not out.exists()
