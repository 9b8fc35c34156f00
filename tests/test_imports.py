"""What people have comes in as rows of ours, or is refused with its place."""

import json

import pytest

from scripts import import_rows
from scripts.data import imports, jsonl
from scripts.errors import Problem, UserError

ANSWER = "Olá! Como posso ajudar?"
TURNS_OF_ONE = [("gpt", "Olá!"), ("human", "oi"), ("human", "tudo bem?"), ("gpt", ANSWER), ("human", "nada")]
SHAREGPT = [{"conversations": [{"from": who, "value": what} for who, what in TURNS_OF_ONE]}]
TURNS = "conversa;papel;texto\n1;cliente;oi\n2;cliente;bom dia\n1;atendente;Olá!\n2;atendente;Bom dia!\n"


@pytest.fixture
def place(tmp_path, monkeypatch):
    (tmp_path / "datasets/unimed-attendant").mkdir(parents=True)
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/unimed-attendant.yml").touch()
    monkeypatch.setattr("scripts.config.adapter.CONFIGS", tmp_path / "configs")
    monkeypatch.setattr("scripts.config.adapter.DATASETS", tmp_path / "datasets")
    monkeypatch.setattr("scripts.data.gates.DATASETS", tmp_path / "datasets")
    return tmp_path


def rows(file, form, **more) -> list[dict]:
    read = list(imports.read(file, form, **more))
    assert not [each for each in read if isinstance(each, Problem)], read
    return [row for _, row in read]


def test_sharegpt_turns_are_joined_and_cut_to_question_and_answer(tmp_path):
    file = tmp_path / "chats.json"
    file.write_text(json.dumps(SHAREGPT))
    row = rows(file, "sharegpt")[0]
    assert [(m["role"], m["content"]) for m in row["messages"]] == [
        ("user", "oi\ntudo bem?"),
        ("assistant", "Olá! Como posso ajudar?"),
    ]
    assert row["source"] == "chats.json"


def test_sharegpt_calls_become_tool_calls(tmp_path):
    call = {"from": "function_call", "value": '{"name": "f", "arguments": {"a": "é"}}'}
    turns = [
        {"from": "human", "value": "oi"},
        call,
        {"from": "observation", "value": "{}"},
        {"from": "gpt", "value": "Pronto."},
    ]
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps({"conversations": turns}))
    message = rows(file, "sharegpt")[0]["messages"][1]
    assert message["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"a": "é"}'}


def test_csv_by_turn_and_by_pair(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text(TURNS, encoding="utf-8-sig")
    assert [row["messages"][1]["content"] for row in rows(file, "csv")] == ["Olá!", "Bom dia!"]
    file.write_text('pergunta,resposta\n"oi, tudo?",Olá!\n')
    assert rows(file, "csv")[0]["messages"][0]["content"] == "oi, tudo?"


def test_a_subject_is_a_salted_hash(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("pergunta,resposta,cliente\noi,Olá!,Fulano\n")
    row = rows(file, "csv", subject_field="cliente", salt="s")[0]
    assert row["subject"] == imports.subject(" fulano", "s") != imports.subject("fulano", "t")
    with pytest.raises(UserError, match="SUBJECT_FIELD needs a salt"):
        list(imports.read(file, "csv", subject_field="cliente"))


@pytest.mark.parametrize(
    ("name", "form", "text", "told"),
    [
        ("a.csv", "csv", b"a,b\n1,2\n", "a.csv:1: columns missing"),
        ("a.csv", "csv", "pergunta,resposta\nnão,x\n".encode("latin-1"), "not UTF-8"),
        ("a.json", "sharegpt", b'[{"conversations": [{"from": "human"}]}]', "not a ShareGPT turn: 'value'"),
        ("a.json", "sharegpt", b'[{"conversations": ', "not JSON"),
        ("a.jsonl", "openai", b'{"messages": [{"role": "user", "content": "oi"}]}\n', "nobody asks and is answered"),
        ("a.jsonl", "openai", b'{"mesages": []}\n', "a.jsonl:1: $: not a openai conversation: no 'messages'"),
    ],
)
def test_what_cannot_be_read_says_where(tmp_path, name, form, text, told):
    file = tmp_path / name
    file.write_bytes(text)
    problems = [str(each) for each in imports.read(file, form) if isinstance(each, Problem)]
    assert len(problems) == 1 and told in problems[0]


def test_import_writes_rows_once(place, capsys):
    file = place / "chats.json"
    file.write_text(json.dumps(SHAREGPT))
    import_rows.main(["--in", str(file), "--format", "sharegpt", "--adapter", "unimed"])
    target = place / "datasets/unimed-attendant/rows/chats.jsonl"
    assert [row["source"] for _, row in jsonl.read(target)] == ["chats.json"]
    with pytest.raises(UserError, match="exists already"):
        import_rows.main(["--in", str(file), "--format", "sharegpt", "--adapter", "unimed"])


def test_personal_data_is_refused_and_nothing_is_written(place):
    file = place / "a.jsonl"
    asked = "meu nome é Abdias Bozi, cpf 529.982.247-25"
    messages = [{"role": "user", "content": asked}, {"role": "assistant", "content": "Certo."}]
    file.write_text(
        jsonl.dump({"messages": messages})
        + jsonl.dump({"messages": [messages[0], {"role": "assistant", "content": " "}]})
    )
    with pytest.raises(UserError) as told:
        import_rows.main(["--in", str(file), "--format", "openai", "--adapter", "unimed"])
    assert "a.jsonl:1: $.messages: name A***** **** (anonymise this file first)" in str(told.value)
    assert "a.jsonl:2: $.messages[1].content: is empty" in str(told.value) and "next: make anonymise IN=" in str(
        told.value
    )
    assert not (place / "datasets/unimed-attendant/rows").exists()
