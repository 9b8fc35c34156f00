"""Building a data set: quotas, the same bytes everywhere, gates, own rows, and the attendant's own data."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from scripts.data import dialogue, lock, similarity, spoken
from scripts.data.build import SHOWN, build
from scripts.data.conversation import said
from scripts.data.variety import mask, measure, utterances
from scripts.errors import UserError
from scripts.model.strict import Judge
from scripts.model.toolcall import text_of
from scripts.paths import DATASETS, ROOT

SMALL = Path("tests/valid/recipe/small.yml")


def small(folder: Path, *swaps: tuple[str, str]) -> Path:
    text = SMALL.read_text(encoding="utf-8")
    for old, new in swaps:
        assert old in text
        text = text.replace(old, new, 1)
    folder.mkdir(exist_ok=True)
    (folder / "recipe.yml").write_text(text, encoding="utf-8")
    shutil.copy(DATASETS / "unimed-attendant" / "tools.json", folder)
    (folder / "allow.txt").write_text("(84) 4020-8900\n", encoding="utf-8")
    return folder


def rows_of(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_builds_and_locks(tmp_path):
    made = build(small(tmp_path))
    train, evaluation = rows_of(tmp_path / "train.jsonl"), rows_of(tmp_path / "eval.jsonl")
    assert made == json.loads((tmp_path / lock.NAME).read_text(encoding="utf-8"))
    assert made["train"]["kinds"] == {"full": 40, "half": 20, "short": 20} == dict(Counter(r["kind"] for r in train))
    assert made["train"]["tool_calls"] == 40 and made["eval"]["rows"] == len(evaluation) == 20
    assert not {"expect"} & set().union(*train) and all("expect" in row for row in evaluation)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "allow.txt", "data.lock.json", "eval.jsonl", "recipe.yml", "tools.json", "train.jsonl",
    ]  # fmt: skip


def test_what_is_expected_follows_from_the_turn_that_was_cut(tmp_path):
    build(small(tmp_path))
    for row in rows_of(tmp_path / "eval.jsonl"):
        expect, last = row["expect"], row["messages"][-1]
        if row["kind"] == "half":
            assert expect == {"asks": ["data_nascimento"]}
        elif row["kind"] == "short":
            assert expect == {"no_call": True, "contains": ["CPF"]}
        elif last["role"] == "tool":
            assert expect == {"contains": [json.loads(last["content"])["plano"]]}
        else:
            said = re.sub(r"\D", "", " ".join(utterances(row)))
            assert expect["tool_call"]["arguments"]["cpf"] in said


def test_the_seed_decides(tmp_path):
    first = build(small(tmp_path / "a"))
    assert build(small(tmp_path / "b"))["train"]["sha256"] == first["train"]["sha256"]
    assert build(small(tmp_path / "c", ("seed: 1", "seed: 2")))["train"]["sha256"] != first["train"]["sha256"]


def test_a_kind_keeps_its_rows_when_another_changes(tmp_path):
    build(small(tmp_path / "a"))
    build(small(tmp_path / "b", ("train: 40", "train: 45")))
    before, after = ({json.dumps(r) for r in rows_of(tmp_path / n / "train.jsonl")} for n in "ab")
    assert before < after


def test_same_bytes_whatever_the_locale_time_zone_and_hash_seed(tmp_path):
    hashes = set()
    for n, (locale, zone, seed) in enumerate([("C", "UTC", "0"), ("pt_BR.UTF-8", "America/Fortaleza", "77")]):
        folder = small(tmp_path / str(n))
        environment = os.environ | {"LC_ALL": locale, "TZ": zone, "PYTHONHASHSEED": seed, "PYTHONUTF8": "0"}
        code = f"from pathlib import Path; from scripts.data.build import build; build(Path({str(folder)!r}))"
        subprocess.run([sys.executable, "-c", code], check=True, env=environment, cwd=ROOT)
        hashes.add(tuple((folder / f).read_bytes() for f in ("train.jsonl", "eval.jsonl", lock.NAME)))
    assert len(hashes) == 1


def test_unmet_quotas_stop_the_build_with_the_numbers(tmp_path):
    folder = small(tmp_path, ("conversations: 60", "conversations: 100"), ("edge_cases: 20", "edge_cases: 21"))
    with pytest.raises(UserError) as error:
        build(folder)
    assert "conversations: 80, at least 100 asked for" in str(error.value)
    assert "edge_cases: 20, at least 21 asked for" in str(error.value)
    assert not (tmp_path / "train.jsonl").exists()


def test_a_kind_that_runs_out_of_phrasings_says_so(tmp_path):
    folder = small(tmp_path, ("o documento que carrego diz {cpf}", "só tenho isto: {cpf}"), ("typos: 20", "typos: 0"))
    with pytest.raises(UserError, match="half: 0 different eval conversations, 6 asked for"):
        build(folder)


def test_a_refused_row_replaces_nothing(tmp_path):
    build(small(tmp_path))
    before = (tmp_path / "train.jsonl").read_bytes()
    small(tmp_path, ("tool: unimed_consult", "tool: unimed_delete"))
    with pytest.raises(UserError, match=r"\.rejected/train\.jsonl:\d+: .*no tool 'unimed_delete'"):
        build(tmp_path)
    assert (tmp_path / "train.jsonl").read_bytes() == before


def test_of_a_thousand_refused_rows_the_first_are_shown(tmp_path):
    with pytest.raises(UserError) as error:
        build(small(tmp_path, ("tool: unimed_consult", "tool: unimed_delete")))
    assert len(error.value.problems) <= SHOWN + 1
    assert "more problems" in str(error.value)


def test_an_evaluation_row_that_the_gate_would_refuse_is_drawn_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(dialogue, "Seen", lambda train: SimpleNamespace(is_new=lambda row: True))
    new = "o documento que carrego diz {cpf}"
    build(small(tmp_path, (new, f"{new}\n      meu cpf vai aqui: {{cpf}}")))
    asked = [said(row).lower() for row in rows_of(tmp_path / "eval.jsonl") if row["kind"] == "half"]
    assert len(asked) == 6 and not any("vai aqui" in text for text in asked)


@pytest.mark.parametrize("name", ["conversations.jsonl", "rows/train.jsonl"])
def test_own_rows_are_trained_and_make_the_data_stale(tmp_path, name):
    build(small(tmp_path))
    own = tmp_path / name
    own.parent.mkdir(exist_ok=True)
    own.write_text('{"messages": [{"role": "user", "content": "Posso?"}, {"role": "assistant", "content": "Pode."}]}\n')
    assert not lock.is_current(tmp_path)
    build(tmp_path)
    assert lock.is_current(tmp_path)
    assert rows_of(own)[0] in rows_of(tmp_path / "train.jsonl")


def test_indicators_of_the_sample_database_are_stale_where_its_parts_changed(tmp_path, monkeypatch):
    parts = tmp_path / "operadora.yml"
    parts.write_text("planos: []")
    monkeypatch.setattr(lock.sampledb, "PARTS", parts)
    before = {name: lock.recipe_hash(DATASETS / name) for name in ("kpi", "unimed-attendant")}
    parts.write_text("planos: [Ouro]")
    after = {name: lock.recipe_hash(DATASETS / name) for name in before}
    assert before["kpi"] != after["kpi"] and before["unimed-attendant"] == after["unimed-attendant"]


@pytest.mark.parametrize("name", ["tools.json", "allow.txt", "base.sql", "kinds/more.yml"])
def test_what_rows_are_made_of_makes_them_stale(tmp_path, name):
    before = lock.recipe_hash(small(tmp_path))
    for made in ("train.jsonl", "eval.jsonl", "card.yml", "CARD.md", "sample.db", ".rejected/train.jsonl"):
        (tmp_path / made).parent.mkdir(exist_ok=True)
        (tmp_path / made).write_text("made")
    assert lock.recipe_hash(tmp_path) == before
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("new")
    assert lock.recipe_hash(tmp_path) != before


def test_training_rows_never_ask_what_held_out_rows_by_hand_ask(tmp_path):
    folder = small(tmp_path / "data")
    build(folder)
    asked = rows_of(folder / "train.jsonl")[0]["messages"]
    assert lock.is_current(folder)
    (folder / "eval-hand.jsonl").write_text('{"messages": null}', encoding="utf-8")
    with pytest.raises(UserError, match=r"eval-hand\.jsonl:1"):
        build(folder)
    held = {"messages": asked[:-1], "expect": {"no_call": True}}
    (folder / "eval-hand.jsonl").write_text(json.dumps(held), encoding="utf-8")
    assert not lock.is_current(folder)
    build(folder)
    questions = [said(row) for row in rows_of(folder / "train.jsonl")]
    assert len(questions) > 10 and not any(map(similarity.nearness([said({"messages": asked})]), questions))


def test_own_rows_are_used_as_they_are(tmp_path):
    folder = small(tmp_path)
    turn = [{"role": "user", "content": "Vocês abrem no Natal?"}, {"role": "assistant", "content": "Não, dia 25 não."}]
    (folder / "mine.jsonl").write_text(json.dumps({"messages": turn}) + "\n", encoding="utf-8")
    (folder / "rows").mkdir()
    (folder / "rows" / "more.jsonl").write_text(json.dumps({"messages": turn}) + "\n", encoding="utf-8")
    made = build(folder)
    assert made["train"]["kinds"]["own"] == 2
    assert [row["messages"] for row in rows_of(folder / "train.jsonl")[-2:]] == [turn, turn]


def test_a_bad_own_row_is_reported_where_it_stands(tmp_path):
    folder = small(tmp_path)
    (folder / "mine.jsonl").write_text('{"messages": []}\n{"messages"\n', encoding="utf-8")
    with pytest.raises(UserError, match=r"mine\.jsonl:2"):
        build(folder)


def test_mask_hides_numbers_in_every_form():
    texts = ["meu cpf é 123.456.789-01 e nasci 15/06/1985", "Meu CPF e 98765432100 e nasci vinte de março de 1990"]
    assert {mask(text) for text in texts} == {("meu", "cpf", "e", "#", "e", "nasci", "#")}


def test_variety_tells_repetition():
    def row(text: str) -> dict:
        return {"kind": "a", "messages": [{"role": "user", "content": text}]}

    varied = measure([row(t) for t in ("quero ver meu plano", "cadê a fatura", "me ajuda com o boleto aí")])
    same = measure([row(f"meu cpf é {n} e só") for n in range(100, 110)])
    assert varied["distinct_phrasings"] == {"a": 3} and same["distinct_phrasings"] == {"a": 1}
    assert varied["mean_nearest_distance"] > 0.9 > same["mean_nearest_distance"]


@pytest.fixture(scope="module")
def attendant(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "unimed-attendant"
    shutil.copytree(
        DATASETS / "unimed-attendant", folder, ignore=shutil.ignore_patterns("train.jsonl", "eval.jsonl", "rows")
    )
    build(folder)
    return folder


def test_the_attendant_has_the_size_that_the_guide_asks_for(attendant):
    train, evaluation = rows_of(attendant / "train.jsonl"), rows_of(attendant / "eval.jsonl")
    called = sum(lock.calls(row) > 0 for row in train)
    assert len(train) >= 10_000 and 0.3 <= called / len(train) <= 0.5
    assert min(Counter(row["kind"] for row in train).values()) >= 500
    expects = Counter(key for row in evaluation for key in row["expect"])
    assert expects["tool_call"] >= 260 and expects["asks"] >= 140 and expects["no_call"] >= 150
    asked = Counter(tuple(row["expect"].get("asks", ())) for row in evaluation)
    assert min(asked[("cpf",)], asked[("data_nascimento",)], asked[("cpf", "data_nascimento")]) >= 40
    turns = {len(utterances(row)) for row in train}
    assert {1, 2, 3, 8} <= turns and max(turns) == 8


def test_the_committed_lock_is_of_this_recipe(attendant):
    locked = json.loads((DATASETS / "unimed-attendant" / lock.NAME).read_text(encoding="utf-8"))
    built = json.loads((attendant / lock.NAME).read_text(encoding="utf-8"))
    for part in ("train", "eval"):
        locked[part].pop("tokens", 0), built[part].pop("tokens", 0)
    assert built == locked, "make dataset ADAPTER=unimed, and commit data.lock.json"


def trigrams(words: tuple[str, ...]) -> set[tuple[str, ...]]:
    return set(zip(words, words[1:], words[2:], strict=False))


def test_no_evaluation_utterance_is_a_training_one(attendant):
    train = {mask(text) for row in rows_of(attendant / "train.jsonl") for text in utterances(row)}
    evaluation = {mask(text) for row in rows_of(attendant / "eval.jsonl") for text in utterances(row)}
    assert not train & evaluation
    holders: dict[tuple, list[set]] = {}
    for grams in map(trigrams, train):
        for gram in grams:
            holders.setdefault(gram, []).append(grams)
    for words in (words for words in evaluation if len(words) > 5):
        grams = trigrams(words)
        # whoever shares 80 % of these trigrams has one of the rarest 20 % and one more
        rare = sorted(grams, key=lambda gram: len(holders.get(gram, ())))[: len(grams) // 5 + 1]
        near = max((similarity.jaccard(grams, other) for gram in rare for other in holders.get(gram, ())), default=0)
        assert near < 0.8, " ".join(words)


FIGURES = re.compile(r"(?<![\d./-])(\d\d?)[/.-](\d\d?)[/.-](\d{4})(?!\d)")
NAMED = re.compile(rf"(\d\d?) de ({'|'.join(spoken.MONTHS)}) de (\d{{4}})", re.IGNORECASE)


def dates(text: str) -> list[str]:
    """The dates of two plain forms as YYYYMMDD, in order."""
    found = [(m.start(), f"{m[3]}{int(m[2]):02}{int(m[1]):02}") for m in FIGURES.finditer(text)]
    for m in NAMED.finditer(text):
        found.append((m.start(), f"{m[3]}{spoken.MONTHS.index(m[2].lower()) + 1:02}{int(m[1]):02}"))
    return [date for _, date in sorted(found)]


def test_calls_are_made_of_what_the_client_said(attendant):
    checked = Counter()
    for row in rows_of(attendant / "train.jsonl"):
        said = ""
        for message in row["messages"]:
            said += "\n" + message["content"] if message["role"] == "user" else ""
            for call in message.get("tool_calls", ()) if message.get("train", True) else ():
                arguments = json.loads(call["function"]["arguments"])
                if not re.search(r"(zero|dois|tr[eêÊ]s|quatro|cinco|meia|sete|oito|nove) ", said.lower()):
                    assert arguments["cpf"] in re.sub(r"\D", "", said), said
                    checked["cpf"] += 1
                if dates(said) and row["kind"] not in ("correction", "wrong_birth", "whole_conversation"):
                    assert arguments["data_nascimento"] == dates(said)[-1], said
                    checked["date"] += 1
    assert checked["cpf"] > 5000 and checked["date"] > 2000


def test_refused_calls_are_refused_in_the_words_of_the_rows(attendant):
    judge = Judge([attendant])
    same = Counter()
    for row in rows_of(attendant / "train.jsonl"):
        if row["kind"] == "refused_call":
            *before, call, result, _ = row["messages"]
            assert call["train"] is False and not judge.choices(text_of(call), before), before
            told, written = (
                json.loads(judge.refused(text_of(call), before)[1]["content"]),
                json.loads(result["content"]),
            )
            theirs = {"cpf_of_somebody_else", "birth_date_of_somebody_else"}
            same[told == written or bool(theirs & {*told.values()} and theirs & {*written.values()})] += 1
    assert same[False] < 0.05 * same.total() and same.total() > 1000, same


def test_answers_are_few_and_wrong_data_never_call(attendant):
    last = {kind: Counter() for kind in ("wrong_cpf", "wrong_birth", "cpf_only", "birth_only", "third_party")}
    for row in rows_of(attendant / "train.jsonl"):
        if row["kind"] in last:
            last[row["kind"]][row["messages"][-1]["content"]] += 1
    assert [len(last[kind]) for kind in ("cpf_only", "birth_only", "third_party")] == [1, 1, 1]
    for kind in ("wrong_cpf", "wrong_birth"):
        assert last[kind][None] < 0.2 * last[kind].total()


def test_the_fixed_sentences_of_the_guide(attendant):
    answers = {m["content"] for row in rows_of(attendant / "train.jsonl") for m in row["messages"]}
    for sentence in (
        "Olá! Bem-vindo ao atendimento Unimed Natal. Como posso ajudá-lo hoje?",
        "Claro! Me forneça seu CPF e data de nascimento para acessar suas informações.",
        "Obrigado pelo CPF. Agora preciso também da sua data de nascimento para prosseguir com a consulta.",
        "Obrigado pela data. Agora preciso do seu CPF para consultar.",
        "O telefone da Unimed Natal é (84) 4020-8900.",
    ):
        assert sentence in answers


def test_the_first_word_of_a_first_answer_says_which_it_is(attendant):
    answers: dict[str, set[str]] = {}
    for row in rows_of(attendant / "train.jsonl"):
        turns = [turn for turn in row["messages"] if turn["role"] != "system"]
        if turns[1]["content"]:
            answers.setdefault(turns[1]["content"].split()[0], set()).add(turns[1]["content"])
    # "Obrigado pelo CPF" and "pela data" are the guide's words; "Esse CPF" is one matter, so is "Boa tarde" or "noite".
    assert {first for first, several in answers.items() if len(several) > 1} == {"Obrigado", "Esse", "Boa"}
    assert len(answers) > 15
