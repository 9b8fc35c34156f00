"""Every example file passes or is refused for its own reason; leaks, sizes, and how bad input is told."""

import json
from pathlib import Path

import pytest

from scripts.data import jsonl
from scripts.data.gates import capped, check_rows
from scripts.data.similarity import Index, similarity
from scripts.errors import Problem

HERE = Path(__file__).parent
TOOLS = HERE.parent / "datasets/unimed-attendant/tools.json"
ALLOW = ["(84) 4020-8900"]
INVALID = sorted((HERE / "invalid/rows").glob("*.jsonl"))


def check(train=(), evaluation=()):
    return check_rows(list(train), list(evaluation), tools=TOOLS, allow=ALLOW)


def write(path: Path, rows) -> Path:
    path.write_text("".join(map(jsonl.dump, rows)), encoding="utf-8")
    return path


def asked(text: str, answer: str = "Certo.") -> dict:
    return {"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": answer}]}


def expected(text: str) -> dict:
    return {"messages": [{"role": "user", "content": text}], "expect": {"no_call": True}}


def test_valid_rows_pass():
    assert check([HERE / "valid/rows/conversation.jsonl"], [HERE / "valid/rows/eval.jsonl"]) == []


def test_there_are_invalid_examples():
    assert len(INVALID) > 30


@pytest.mark.parametrize("file", INVALID, ids=lambda file: file.stem)
def test_an_invalid_row_is_refused_for_its_reason(file):
    told = "\n".join(map(str, check([file])))
    assert file.with_suffix(".txt").read_text().strip() in told
    assert f"invalid/rows/{file.name}:" in told


def test_all_bad_rows_are_told_at_once(tmp_path):
    file = write(tmp_path / "a.jsonl", [asked("oi"), asked("529.982.247-25"), asked(""), asked("fulano@gmail.com")])
    assert [problem.line for problem in check([file])] == [2, 3, 4]


def test_an_evaluation_row_needs_an_expectation_and_an_open_end(tmp_path):
    file = write(tmp_path / "eval.jsonl", [asked("oi")])
    told = [problem.message for problem in check([], [file])]
    assert told == ["an evaluation row ends in a user or tool turn", "an evaluation row needs `expect`"]


def test_without_tools_none_may_be_called():
    told = check_rows([HERE / "valid/rows/conversation.jsonl"], allow=ALLOW)
    assert "no tool 'unimed_consult'; this adapter has no tools.json" in str(told[0])


def test_a_missing_file_is_one_problem(tmp_path):
    assert [problem.message for problem in check([tmp_path / "none.jsonl"])] == ["No such file or directory"]


@pytest.mark.parametrize(
    "text",
    [
        "meu cpf é 529.982.247-26", "(84) 4020-8900", "4020 8900", "+55 84 4020-8900", "entre 2023-2024", "84987654321",
        "R$ 12.345.678.901", "15/06/1985 e 16/07/1990", "a@example.com", "(84) 90123-4567", "SELECT a<s FROM t",
    ],
)  # fmt: skip
def test_what_is_nobodys_passes(tmp_path, text):
    assert check([write(tmp_path / "a.jsonl", [asked(text)])]) == []


LONG = "bom dia preciso da segunda via do boleto do meu plano porque o meu venceu ontem, cpf 123.456.789-01"


@pytest.mark.parametrize(
    ("trained", "tested", "leak"),
    [
        ("oi", "oi", True),
        ("oi", "olá", False),
        ("quero ver meu plano", "quero ver meu boleto", False),
        ("meu cpf é 123.456.789-01", "meu cpf é 98765432101", True),
        ("12345678901", "10987654321", False),
        (LONG, LONG.replace("123.456.789-01", "11122233344").upper(), True),
        (LONG, LONG.replace("boleto", "bolteo"), True),
        (LONG, "oi " + LONG, True),
        (
            LONG,
            "queria saber se a carência do parto já acabou para a minha esposa, nasci em 15 de junho de 1985",
            False,
        ),
    ],
)
def test_leaks(tmp_path, trained, tested, leak):
    problems = check([write(tmp_path / "t.jsonl", [asked(trained)])], [write(tmp_path / "e.jsonl", [expected(tested)])])
    assert bool(problems) is leak, (problems, similarity(trained, tested))
    assert all("of the training row" in p.message or "as the training row" in p.message for p in problems)


def test_the_index_finds_what_comparing_all_pairs_finds():
    rows = [row for _, row in jsonl.read(HERE / "valid/rows/conversation.jsonl")]
    assert rows
    words = [
        "quero",
        "preciso",
        "ver",
        "boleto",
        "plano",
        "contrato",
        "hoje",
        "amanhã",
        "urgente",
        "filha",
        "mãe",
        "venceu",
        "carência",
        "parto",
        "exame",
        "guia",
    ]
    steps = [(start, step) for start in range(16) for step in (1, 2, 3)]
    texts = [" ".join(words[(start + step * at) % 16] for at in range(9)) for start, step in steps]
    tested = [text.replace("boleto", "bolto", 1) for text in texts]
    index = Index(tested)
    found = {(at, position) for at, text in enumerate(texts) for position, _ in index.matches(text)}
    near = {(a, b) for a, one in enumerate(texts) for b, other in enumerate(tested) if similarity(one, other) >= 0.8}
    first = {a: next(c for c, one in enumerate(texts) if one == texts[a]) for a in range(len(texts))}
    assert found == {(a, b) for a, b in near if first[a] == a} and len(found) > 50


def test_a_thousand_problems_are_counted_not_kept():
    problems = [Problem("a", line, 0, "", "bad") for line in range(1, 5001)]
    kept = capped(problems, "a", 200)
    assert len(kept) == 201 and str(kept[-1]) == "a:5000: and 4800 more problems up to this line"


def test_an_endless_line_is_not_read_whole(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_bytes(b'{"a": "' + b"x" * (jsonl.MAX_LINE * 2) + b'"}\n' + json.dumps(asked("oi")).encode())
    told = check([file])
    assert [problem.message for problem in told] == ["longer than 4 MB"]
