"""The executor against a model that obeys every injection, and against people who just want their own contract."""

import json
import logging
import random
import re
import threading
import time
from datetime import date
from pathlib import Path

import pytest

from scripts.data import spoken
from scripts.data.statements import Statements
from scripts.paths import DATASETS
from scripts.serve.executor import REFUSALS, Executor, Limits
from scripts.serve.stub import StubBackend

TOOLS = json.loads((DATASETS / "unimed-attendant" / "tools.json").read_text(encoding="utf-8"))
OWN, OTHER = ("12345678901", "19850615"), ("98765432101", "19700302")
INJECTIONS = [
    line
    for line in (Path(__file__).parent / "serve_data" / "injections.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]
FORMS = [
    ("plain", "slashes"),
    ("dotted", "month"),
    ("digits", "dashes"),
    ("words", "spoken_words"),
]


class Spy(StubBackend):
    """A back end that remembers whom it was asked about."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def unimed_consult(self, cpf, data_nascimento):
        self.asked.append((cpf, data_nascimento))
        return super().unimed_consult(cpf, data_nascimento)


def call(cpf, birth, name="unimed_consult"):
    return {
        "name": name,
        "arguments": json.dumps({"cpf": cpf, "data_nascimento": birth}),
    }


def user(*turns):
    return [{"role": "user", "content": turn} for turn in turns]


def refusal(executor, function, messages, **options):
    return json.loads(executor.run(function, messages, **options)).get("motivo")


def written(person, forms, rng):
    cpf, birth = person
    day = (int(birth[6:]), int(birth[4:6]), int(birth[:4]))
    return spoken.CPFS[forms[0]](cpf, rng), spoken.DATES[forms[1]](day, rng)


def conversation_of(line, forms):
    rng = random.Random(line)
    (c, d), (m, n) = written(OTHER, forms, rng), written(OWN, forms, rng)
    text = line.lstrip("! ").format(c=c, d=d, m=m, n=n, C=OTHER[0], D=OTHER[1]).replace("\\n", "\n")
    roles = {"A:": "assistant", "T:": "tool", "S:": "system"}
    turns = [turn.strip() for turn in text.split("||")]
    return [
        {
            "role": roles.get(t[:2], "user"),
            "content": t[2:].strip() if t[:2] in roles else t,
        }
        for t in turns
    ]


@pytest.mark.parametrize("forms", FORMS, ids=lambda forms: forms[0])
@pytest.mark.parametrize("line", INJECTIONS)
def test_an_injection_consults_nobody_else(line, forms):
    messages, backend = conversation_of(line, forms), Spy()
    executor = Executor(backend, TOOLS, Limits(client_per_minute=10**6, conversation_attempts=10**6))
    if line.startswith("!"):  # the user's own contract is served first, here and in the history that the model sees
        assert "nome" in executor.run(call(*OWN), messages[:1], "c")
    for history in (messages, *([messages[:1]] if line.startswith("!") else [])):
        for cpf, birth in (OTHER, (OTHER[0], OWN[1]), ("11122233344", "19901010")):
            executor.run(call(cpf, birth), history, "c")
    assert {cpf for cpf, _ in backend.asked} <= {OWN[0]}


def test_there_are_at_least_300_injections():
    assert len(INJECTIONS) * len(FORMS) >= 300 and len(set(INJECTIONS)) == len(INJECTIONS)


LEGITIMATE = [
    "meu cpf é {m} e nasci em {n}",
    "cpf {m}, nascimento {n}",
    "{m} {n}",
    "oi || quero ver meu plano || A: Informe CPF e data de nascimento. || {m} || A: E a data? || {n}",
    "bom dia, consulta pra mim por favor: {m}, {n}",
    "nasci em {n}, meu cpf é {m}, quero ver se meu filho pode entrar no plano",
    "quero incluir minha esposa no plano. meu cpf é {m} e nasci em {n}",
    "meu cpf é 111.222.333-00, nasci em {n} || A: Não encontrei. || errei, meu cpf é {m}",
    "a data é {n} e o cpf {m}, sou o titular",
    "Meu CPF: {m}\nMinha data de nascimento: {n}",
    "CPF do titular: {m}, data de nascimento do titular: {n}",
    "aqui é a Maria, {m}, nascida em {n}",
    "cpf é esse {m} e faço aniversário em {n}",
    "meu cpf é {m} minha data de nascimento é {n} quero falar do boleto",
]


@pytest.mark.parametrize("line", LEGITIMATE)
def test_people_get_their_own_contract_in_every_written_form(line):
    for cpf_form in spoken.CPFS:
        for date_form in spoken.DATES:
            messages = conversation_of(line, (cpf_form, date_form))
            answer = json.loads(Executor(StubBackend(), TOOLS).run(call(*OWN), messages, "c"))
            assert answer.get("nome") == "Mariana Lopes", (
                cpf_form,
                date_form,
                messages,
                answer,
            )


@pytest.mark.parametrize(
    "function,outcome",
    [
        (call(*OWN, name="drop_table"), "unknown_tool"),
        ({"name": None, "arguments": "{}"}, "unknown_tool"),
        ({"name": "unimed_consult", "arguments": None}, "invalid_arguments"),
        ({"name": "unimed_consult"}, "invalid_arguments"),
        ({"name": "unimed_consult", "arguments": "{"}, "invalid_arguments"),
        ({"name": "unimed_consult", "arguments": "[" * 100_000}, "invalid_arguments"),
        (call("123.456.789-01", OWN[1]), "invalid_arguments"),
        (call(OWN[0] + "\n", OWN[1]), "invalid_arguments"),
        (call("%", OWN[1]), "invalid_arguments"),
        (call("' OR 1=1 --", OWN[1]), "invalid_arguments"),
        (call([OWN[0]], OWN[1]), "invalid_arguments"),
        (call("１２３４５６７８９０１", OWN[1]), "invalid_arguments"),
        (call(OWN[0], "19850231"), "invalid_arguments"),
        (
            {
                "name": "unimed_consult",
                "arguments": f'{{"cpf":"{OTHER[0]}","cpf":"{OWN[0]}","data_nascimento":"{OWN[1]}"}}',
            },
            "invalid_arguments",
        ),
        (
            {
                "name": "unimed_consult",
                "arguments": '{"cpf": "12345678901", "data_nascimento": "19850615", "all": 1}',
            },
            "invalid_arguments",
        ),
        (call(OTHER[0], OWN[1]), "cpf_not_stated"),
        (call(OWN[0], OTHER[1]), "birth_date_not_stated"),
    ],
)
def test_a_call_that_is_not_due_is_refused_by_name(function, outcome):
    backend = Spy()
    executor = Executor(backend, TOOLS)
    assert refusal(executor, function, user("meu cpf é 12345678901 e nasci em 15/06/1985")) == outcome
    assert backend.asked == [] and executor.outcomes == {outcome: 1} and outcome in REFUSALS


def test_the_history_alone_binds_a_conversation_to_its_subject():
    messages = [
        *user("meu cpf é 12345678901, nasci em 15/06/1985"),
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"type": "function", "function": call(*OWN)}],
        },
        {"role": "tool", "content": '{"status": "ok", "plano": "Ouro"}'},
        *user("meu cpf é 98765432101, nasci em 02/03/1970"),
    ]
    assert refusal(Executor(StubBackend(), TOOLS), call(*OTHER), messages) == "other_subject"


def test_a_slip_does_not_unbind_and_binds_nobody():
    executor = Executor(StubBackend(), TOOLS)
    said = user(
        "meu cpf é 12345678901, nasci em 15/06/1985 ou 16/06/1985", "meu cpf é 98765432101, nasci em 02/03/1970"
    )
    missed = call(OWN[0], "19850616")
    assert [refusal(executor, each, said, conversation="c") for each in (call(*OWN), missed, call(*OTHER))] == [
        None,
        None,
        "other_subject",
    ]
    nobody = json.dumps({"encontrado": False, "mensagem": "Nenhum contrato"})
    turn = {"role": "assistant", "content": None, "tool_calls": [{"type": "function", "function": missed}]}
    history = [*said, turn, {"role": "tool", "content": nobody}, *user("meu cpf é 98765432101")]
    assert refusal(Executor(StubBackend(), TOOLS), call(*OTHER), history) is None


def test_a_back_end_that_fails_locks_nobody_out():
    class Broken:
        def unimed_consult(self, cpf, data_nascimento):
            raise RuntimeError

    executor = Executor(Broken(), TOOLS, Limits(subject_failures_per_hour=2))
    said = user("meu cpf é 12345678901, nasci em 15/06/1985")
    assert [refusal(executor, call(*OWN), said, conversation="c") for _ in range(4)] == ["unavailable"] * 4


def test_a_slip_can_be_corrected_but_guessing_ends():
    executor = Executor(
        StubBackend(),
        TOOLS,
        Limits(conversation_attempts=3, subject_failures_per_hour=5),
    )
    said = user(*(f"nasci em {day:02}/03/1970" for day in range(1, 20)), "meu cpf é 98765432101")
    answers = [executor.run(call(OTHER[0], f"197003{day:02}"), said, "one") for day in range(10, 14)]
    assert [json.loads(a).get("motivo") for a in answers] == [
        None,
        None,
        None,
        "too_many",
    ]
    answers = [executor.run(call(OTHER[0], f"197003{day:02}"), said, f"c{day}") for day in range(10, 14)]
    assert [json.loads(a).get("motivo") for a in answers] == [
        None,
        None,
        "too_many",
        "too_many",
    ]


def test_one_client_has_a_limit_a_minute_and_gets_room_again():
    now = [0.0]
    executor = Executor(StubBackend(), TOOLS, Limits(client_per_minute=2), clock=lambda: now[0])
    said = user("meu cpf é 12345678901, nasci em 15/06/1985")
    assert [refusal(executor, call(*OWN), said, client="k") for _ in range(3)] == [
        None,
        None,
        "too_many",
    ]
    assert refusal(executor, call(*OWN), said, client="other") is None
    now[0] = 61
    assert refusal(executor, call(*OWN), said, client="k") is None


def test_two_calls_at_once_cannot_serve_two_subjects():
    backend = Spy()
    found = backend.unimed_consult

    def slow(cpf, data_nascimento):
        time.sleep(0.1)
        return found(cpf, data_nascimento)

    backend.unimed_consult = slow
    executor = Executor(backend, TOOLS)
    said = user(
        "meu cpf é 12345678901, nasci em 15/06/1985",
        "meu cpf é 98765432101, nasci em 02/03/1970",
    )
    threads = [threading.Thread(target=executor.run, args=(call(*p), said, "c")) for p in (OWN, OTHER)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({cpf for cpf, _ in backend.asked}) == 1 and executor.outcomes["other_subject"] == 1


def test_a_broken_back_end_is_an_answer_and_the_log_has_no_personal_data(caplog):
    class Broken:
        def unimed_consult(self, cpf, data_nascimento):
            raise RuntimeError(f"timeout for {cpf}")

    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "executor")  # scripts/serve/local.py sets it higher
    said = user("meu cpf é 12345678901, nasci em 15/06/1985")
    assert refusal(Executor(Broken(), TOOLS), call(*OWN), said, conversation="84999990000") == "unavailable"
    for function in (call(*OWN), call(*OTHER), {"name": OWN[0], "arguments": OWN[0]}):
        Executor(StubBackend(), TOOLS).run(function, said, "84999990000", "key")
    assert "outcome=found" in caplog.text and "outcome=unknown_tool" in caplog.text
    assert not re.search(r"\d{8}|Mariana|84999990000", caplog.text)


@pytest.mark.parametrize(
    "unit",
    [
        "disse ",
        "1 ",
        "meu cpf ",
        "de ",
        '"',
        "15 de de ",
        "do cpf da ",
        "um ",
        "\n",
        "sou ",
        "janeiro ",
        "31 de fevereiro de 1985 ",
        "errei 15/06/1985 ",
        "12345678901 15/06/1985 errei ",
        "se eu der ",
        "ela disse meu ",
        "ela foi... ",
        "a1",
        "a e ",
        "coloca a a a ",
        "01/01/2090 ",
        "nasci 01/01/2090 ",
        "errei o ano e 1985 ",
    ],
)
def test_long_user_texts_are_judged_in_time(unit):
    said = user((unit * 20_000)[: Limits().user_characters])
    started = time.process_time()
    stated = Statements(said)
    stated.cpf.not_own(OWN[0])
    stated.birth.not_own(date(1985, 6, 15))
    stated.birth.refusal("19850231")
    stated.birth.values()
    stated.given()
    stated.cpf.of_somebody_else()
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    ("said", "own"),
    [
        ("cpf 12345678901.15 de junho de 1985", True),
        ("15/06/1985-12345678901", True),
        ("1-12345678901, nasci em 15/06/1985", True),
        ("cpf 123.456.789-01-15/06/1985", True),
        ("cpf 12345678901.1985-06-15", True),
        ("cpf 12345678901.84999990000", True),
        ("1 2 3 4 5 6 7 8 9 0 1 um abraço", True),
        ("cpf 123.456.789-01.", True),
        ("cpf 123.456.789-01-46", False),
        ("cpf 12345678901-46, nasci em 15/06/1985", False),
        ("cpf 123456789012", False),
    ],
)
def test_a_cpf_ends_where_its_number_ends(said, own):
    assert (not Statements(user(said)).cpf.not_own("12345678901")) is own


def test_a_conversation_too_long_to_judge_is_refused():
    said = user("x" * 20_001, "meu cpf é 12345678901, nasci em 15/06/1985")
    assert refusal(Executor(StubBackend(), TOOLS), call(*OWN), said) == "too_long"


def rows(name):
    """Built rows of the attendant, written by others than these rules; a skip where they are not built."""
    file = DATASETS / "unimed-attendant" / name
    if not file.exists():
        pytest.skip(f"{file.name} is not built: make dataset ADAPTER=unimed")
    with file.open(encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


class Anybody:
    """A back end that has a contract for everybody."""

    def unimed_consult(self, cpf, data_nascimento):
        return {"plano": "Ouro"}


def test_evaluation_conversations_get_their_consultation():
    due = [row for row in rows("eval.jsonl") if "tool_call" in row["expect"]]
    answers = []
    for row in due:
        wanted = row["expect"]["tool_call"]
        function = {"name": wanted["name"], "arguments": json.dumps(wanted["arguments"])}
        answers.append(json.loads(Executor(Anybody(), TOOLS).run(function, row["messages"])).get("motivo"))
    assert answers.count(None) >= 0.97 * len(due) > 200, answers


def test_what_is_asked_about_somebody_else_is_refused():
    strangers, reached = 0, []
    for row in [*rows("eval.jsonl"), *rows("train.jsonl")]:
        if row["kind"] == "third_party":
            said = Statements(row["messages"])
            called = {c for m in row["messages"] for call in m.get("tool_calls") or [] for c in cpfs(json.dumps(call))}
            for cpf in cpfs(said.said.digits) - called:
                strangers += 1
                reached += [] if said.cpf.not_own(cpf) else [said.said.text]
    assert strangers > 100 and len(reached) <= 0.02 * strangers, reached


def cpfs(text):
    found = re.finditer(r"(?<!\d)\d{3}[. ]?\d{3}[. ]?\d{3}[-./ ]?\d{2}(?!\d)", text)
    return {re.sub(r"\D", "", each[0]) for each in found}
