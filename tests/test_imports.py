"""What people have comes in as rows of ours, or is refused with its place."""

import json

import pytest

from scripts import import_rows
from scripts.data import imports, jsonl
from scripts.errors import Problem, UserError
from scripts.paths import CONFIGS

ANSWER = "Olá! Como posso ajudar?"
TURNS_OF_ONE = [("gpt", "Olá!"), ("human", "oi"), ("human", "tudo bem?"), ("gpt", ANSWER), ("human", "nada")]
SHAREGPT = [{"conversations": [{"from": who, "value": what} for who, what in TURNS_OF_ONE]}]
TURNS = "conversa;papel;texto\n1;cliente;oi\n2;cliente;bom dia\n1;atendente;Olá!\n2;atendente;Bom dia!\n"


@pytest.fixture
def place(tmp_path, monkeypatch):
    (tmp_path / "datasets/unimed-attendant").mkdir(parents=True)
    (tmp_path / "datasets/unimed-attendant/recipe.yml").touch()
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


def test_what_the_openai_sdk_writes_comes_in_as_text(tmp_path):
    file = tmp_path / "a.json"
    parts = [{"type": "text", "text": "oi"}, {"type": "text", "text": "tudo bem?"}]
    nothing = {"role": "assistant", "content": None, "refusal": None, "tool_calls": None}
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": {"a": "é"}}}
    turns = [
        {"role": "user", "content": parts, "name": None},
        {"role": "user", "content": parts[:1]},
        nothing,
        nothing | {"content": "Olá!"},
        {"role": "user", "content": "e agora?"},
        nothing | {"tool_calls": [call]},
        {"role": "tool", "content": parts[:1], "tool_call_id": "a"},
        nothing | {"content": "Pronto."},
    ]
    file.write_text(json.dumps([{"messages": turns}]))
    messages = rows(file, "openai")[0]["messages"]
    assert messages[:2] == [
        {"role": "user", "content": "oi\ntudo bem?\noi"},
        {"role": "assistant", "content": "Olá!"},
    ]
    assert messages[3]["tool_calls"][0]["function"]["arguments"] == '{"a": "é"}'
    assert messages[4]["content"] == "oi"


@pytest.mark.parametrize(
    ("one", "other"),
    [("529.982.247-25", " 52998224725"), ("(84) 98888-7777", "84988887777"), ("Ana  Bozi", "ana bozi")],
)
def test_a_subject_is_one_however_it_is_written(one, other):
    assert imports.subject(one, "s") == imports.subject(other, "s") != imports.subject("1", "s")


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
        ("a.jsonl", "sharegpt", b'{"a": []}\n', "a.jsonl:1: $: not a ShareGPT conversation: no 'conversations'"),
        ("a.csv", "csv", b"pergunta,resposta\noi\n", "a.csv:2: fewer columns than the first line"),
        ("a.csv", "csv", b"chat,quem,texto\n1,cliente\n", "a.csv:2: fewer columns than the first line"),
        ("a.json", "openai", b'[{"messages": "\\ud800"}]', "lone surrogate"),
        ("a.json", "openai", b"[" * 100_000, "nested too deeply"),
        ("a.json", "openai", b'[{"messages": [{"role": "user"}]}]', "a turn of user without text"),
        ("a.json", "openai", b'[{"messages": [{"role": "assistant", "tool_calls": [{}]}]}]', "no 'function'"),
        ("a.json", "openai", b'[{"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}]', "no 'text'"),
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


def test_the_next_command_reads_the_same_file_the_same_way(place):
    file = place / "a.csv"
    file.write_text("pergunta,resposta,cliente\nmeu cpf é 529.982.247-25,Certo.,1\n")
    with pytest.raises(UserError) as told:
        import_rows.main(
            ["--in", str(file), "--format", "csv", "--adapter", "unimed", "--subject-field", "cliente", "--salt", "s"]
        )
    assert f"make anonymise IN={file} OUT=<new file>.jsonl FORMAT=csv SUBJECT_FIELD=cliente SALT=…" in str(told.value)


def test_without_a_recipe_rows_go_where_the_config_trains_them(place, capsys, monkeypatch):
    folder = place / "datasets/unimed-attendant"
    (folder / "recipe.yml").unlink()
    config = (CONFIGS / "unimed-attendant.yml").read_text(encoding="utf-8")
    data = folder / "conversations.jsonl"
    named = config.replace("datasets/unimed-attendant/train.jsonl", "datasets/unimed-attendant/conversations.jsonl")
    (place / "configs/unimed-attendant.yml").write_text(named, encoding="utf-8")
    monkeypatch.setattr(import_rows, "ROOT", place)
    file = place / "chats.json"
    file.write_text(json.dumps(SHAREGPT))
    arguments = ["--in", str(file), "--format", "sharegpt", "--adapter", "unimed"]
    import_rows.main(arguments)
    assert [row["source"] for _, row in jsonl.read(data)] == ["chats.json"]
    assert "next: make train ADAPTER=unimed-attendant" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"rows/chats\.jsonl under `datasets` too, then make import again"):
        import_rows.main(arguments)
