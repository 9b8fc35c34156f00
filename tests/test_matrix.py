"""The matrix and the search for weights on tiny random models: who is asked what, kept, cached, written."""

import json
import shutil
import sqlite3

import numpy as np
import pytest
import yaml
from test_merge import adapter, base

from scripts import matrix as verb
from scripts import stack as stack_verb
from scripts import tune_stack
from scripts.files import sha256
from scripts.model import router, stackfile
from scripts.model.generate import Generator
from scripts.score import answers, asked, grid, heat, suite
from scripts.score.grid import Target

WORDS = {"a": "abc", "b": "xyz"}  # the letters that each toy adapter's questions are made of


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """outputs/toy with a base, adapters a and b, their stack, a merged model, and a suite for each adapter."""
    monkeypatch.setattr(stackfile, "OUTPUTS", tmp_path)
    monkeypatch.setattr(stackfile, "STACKS", tmp_path / "stacks")
    monkeypatch.setattr(tune_stack, "STACKS", tmp_path / "stacks")
    monkeypatch.setattr(suite, "SUITES", tmp_path / "suites")
    monkeypatch.setattr(suite, "ROOT", tmp_path)
    runs = tmp_path / "toy"
    monkeypatch.setattr(verb.ready, "runs_of", lambda base, profile: runs)
    monkeypatch.setattr(verb.adapter, "data_of", lambda name: tmp_path / "datasets" / name)
    base(runs / "base", "10GB")
    adapter(runs, "a", 4, 1)
    adapter(runs, "b", 8, 2)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copyfile(runs / "a" / name, runs / "base" / name)
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks/pair.yml").write_text("# Both.\nmembers: [{adapter: a}, {adapter: b}]\nbase: toy\n")
    stack_verb.main(["--stack", "pair"])
    merged = runs / "a-merged"
    shutil.copytree(runs / "base", merged)
    (merged / "manifest.json").write_text(json.dumps({"kind": "merged", "weights": {"model.safetensors": "w"}}))
    (tmp_path / "suites").mkdir()
    for name, letters in WORDS.items():
        write_rows(tmp_path, name, letters)
    facing = "metrics: [{name: seen, metric: likelihood}]\nrows: suites/all.jsonl\n"
    (tmp_path / "suites/all.yml").write_text(facing)
    (tmp_path / "suites/all.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in ("abc", "zyx")))
    return runs


def write_rows(root, name, letters):
    chats = ["".join(np.random.default_rng(n).choice(list(letters), 6)) for n in range(12)]
    rows = [
        {"messages": [{"role": "user", "content": chat}], "kind": "k", "expect": {"no_call": True}} for chat in chats
    ]
    (root / "suites" / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    metrics = "metrics: [{name: quiet, metric: no_call}]\n"
    (root / "suites" / f"{name}.yml").write_text(f"adapter: {name}\nrows: suites/{name}.jsonl\n{metrics}")
    folder = root / "datasets" / name
    folder.mkdir(parents=True)
    answered = [[*row["messages"], {"role": "assistant", "content": "x"}] for row in rows]
    (folder / "train.jsonl").write_text("".join(json.dumps({"messages": each}) + "\n" for each in answered))


def test_the_matrix_asks_everybody_everything(runs, capsys):
    verb.main(["--rows", "6"])
    matrix = json.loads((runs / "matrix/matrix.json").read_text())
    assert [target["name"] for target in matrix["targets"]] == ["base", "a", "b", "pair", "a-merged", "router"]
    assert {line["suite"]: line["n"] for line in matrix["lines"]} == {"a": 6, "b": 6, "all": 2}
    assert set(matrix["kept"]) == {"pair", "router"} and matrix["kept"]["pair"]["shares"] == {"a": 1.0, "b": 1.0}
    assert matrix["signals"][0]["pair"] == ["a", "b"] and -1 <= matrix["signals"][0]["cosine"] <= 1
    liked = next(line for line in matrix["lines"] if line["suite"] == "all")["values"]
    assert liked["a"] != liked["base"] and liked["a-merged"] == pytest.approx(liked["base"], abs=1e-6)
    for name in ("matrix.md", "matrix.html", "matrix.png"):
        assert (runs / "matrix" / name).stat().st_size > 500
    assert "# Interference matrix" in capsys.readouterr().out


def test_what_was_asked_is_not_asked_again_and_new_weights_are(runs, monkeypatch):
    asked = []
    honest = Generator.answers
    monkeypatch.setattr(
        Generator, "answers", lambda self, chats, *rest: asked.append(len(chats)) or honest(self, chats, *rest)
    )
    verb.main(["--rows", "6"])
    first = sum(asked)
    verb.main(["--rows", "6"])
    assert first == 5 * 12 and sum(asked) == first
    manifest = json.loads((runs / "a/manifest.json").read_text())
    (runs / "a/manifest.json").write_text(json.dumps(manifest | {"weights": "f" * 64}))
    verb.main(["--rows", "6"])
    assert sum(asked) == first + 12


def test_a_base_alone_is_told_what_to_do(runs):
    for name in ("a", "b", "pair", "a-merged"):
        shutil.rmtree(runs / name)
    with pytest.raises(verb.UserError, match="has no finished run\nnext: make train"):
        verb.main([])


def test_sample_is_stable_and_gives_every_kind_its_share():
    rows = [
        {"messages": [{"role": "user", "content": str(n)}], "kind": "rare" if n < 10 else "common"} for n in range(100)
    ]
    chosen = grid.sample(rows, 20)
    assert sum(row["kind"] == "rare" for row in chosen) == 2 and len(chosen) == 20
    assert grid.sample(list(reversed(rows)), 20) == list(reversed(chosen))
    assert grid.sample(rows, 0) is rows


def test_kept_is_the_share_of_each_members_own_score(tmp_path):
    suites = [suite.Suite(name, name, tmp_path, ()) for name in ("a", "b")]
    table = {"a": {"a": 0.8, "b": 0.1}, "b": {"a": 0.0, "b": 0.5}, "pair": {"a": 0.6, "b": 0.5}}
    shares = grid.kept(Target("pair", "stack", tmp_path, "", ("a", "b")), table, suites)
    assert shares == pytest.approx({"a": 0.75, "b": 1.0})
    assert grid.worst_and_mean(shares) == pytest.approx((0.75, 0.875))
    suites.append(suite.Suite("a-more", "a", tmp_path, ()))
    table = {"a": {"a": 0.8, "a-more": 0.2}, "pair": {"a": 0.4, "a-more": 0.2}}
    assert grid.kept(Target("pair", "stack", tmp_path, "", ("a", "b")), table, suites) == pytest.approx({"a": 0.6})


def chats(random, words, count):
    return [[{"role": "user", "content": " ".join(random.choice(words, 6))}] for _ in range(count)]


def test_the_router_learns_from_what_each_adapter_is_trained_on(tmp_path, monkeypatch):
    monkeypatch.setattr(verb.adapter, "data_of", lambda name: tmp_path / name)
    assert verb.rows_of("kpi") == verb.ROOT / "datasets/kpi/train.jsonl", "as its config says, where none are built"
    (tmp_path / "kpi").mkdir()
    (tmp_path / "kpi/train.jsonl").touch()
    assert verb.rows_of("kpi") == tmp_path / "kpi/train.jsonl"


def test_the_router_tells_adapters_apart_and_leaves_strangers_to_the_base():
    random = np.random.default_rng(0)
    words = {
        "plan": ["meu", "plano", "carteirinha", "contrato", "boleto", "cpf", "segunda", "via"],
        "sql": ["tabela", "coluna", "chave", "select", "banco", "quantas", "linhas", "contrato"],
        "kpi": ["sinistralidade", "indicador", "percentual", "taxa", "janeiro", "subiu", "quanto", "foi"],
    }
    fitted = router.fit(
        {name: [(str(n % 4), chat) for n, chat in enumerate(chats(random, each, 120))] for name, each in words.items()}
    )
    for name, each in words.items():
        assert fitted.choose(chats(random, each, 50)).count(name) >= 48
    strangers = ["who", "painted", "the", "mona", "lisa", "capital", "of", "france"]
    assert fitted.choose(chats(random, strangers, 50)).count("base") == 50
    assert fitted.choose([]) == []


def test_router_features_ignore_digits_case_and_accents():
    one, other = ([{"role": "user", "content": text}] for text in ("CPF 123, Inadimplência?", "cpf 987 inadimplencia"))
    assert router.buckets(one) == router.buckets(other)
    assert len(router.buckets([{"role": "user", "content": ""}])) >= 1


def test_router_questions_end_before_the_last_answer(tmp_path):
    turns = [
        {"role": role, "content": text}
        for role, text in [("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d")]
    ]
    (tmp_path / "train.jsonl").write_text(json.dumps({"kind": "k", "messages": turns}) + "\n")
    assert router.questions(tmp_path / "train.jsonl") == [("k", turns[:3])]


def test_tuning_takes_the_best_worst_case(capsys):
    start = stackfile.StackFile("pair", {"a": 1.0, "b": 1.0})

    def measure(found):
        a, b = found.weights["a"], found.weights["b"]
        ideal = 0.5 if found.method == "cat" else 0.1
        return {"a": ideal + 0.4 - abs(a - 0.7), "b": ideal + 0.4 - abs(b - 0.8)}

    best, shares = tune_stack.search(start, measure)
    assert best.method == "cat" and 0.65 <= best.weights["a"] <= 0.75 and 0.75 <= best.weights["b"] <= 0.85
    assert min(shares.values()) >= 0.85
    assert "svd of" in capsys.readouterr().out


def test_tune_stack_writes_a_file_that_is_read_again(runs, capsys, monkeypatch):
    monkeypatch.setattr(tune_stack, "TOGETHER", (0.5,))
    monkeypatch.setattr(tune_stack, "ALONE", (1.3,))
    monkeypatch.setattr(tune_stack, "METHODS", ("svd",))
    before = {name: sha256(runs / name / "adapter_model.safetensors") for name in ("a", "b", "pair")}
    tune_stack.main(["--stack", "pair", "--rows", "3"])
    said = capsys.readouterr().out
    assert "on the other half of the rows it keeps a 100.0%, b 100.0%" in said and "next: make stack STACK=pair" in said
    text = (runs.parent / "stacks/pair.yml").read_text()
    assert text.startswith("# Both.\n") and yaml.safe_load(text)["base"] == "toy"
    assert set(stackfile.read("pair").weights) == {"a", "b"}
    assert before == {name: sha256(runs / name / "adapter_model.safetensors") for name in ("a", "b", "pair")}
    assert sorted(path.name for path in runs.iterdir()) == [".answers", "a", "a-merged", "b", "base", "pair"]


def test_sql_is_run_where_db_says(runs, monkeypatch):
    mine = runs.parent / "mine.db"
    sqlite3.connect(mine).execute("CREATE TABLE t (x)")
    file = runs.parent / "suites/a.yml"
    file.write_text(file.read_text() + "database: suites/a.db\n")
    seen, honest = set(), asked.score
    monkeypatch.setattr(asked, "score", lambda row, answer, on: seen.add(on) or honest(row, answer, on))
    verb.main(["--rows", "2", "--db", f"sqlite:///{mine}"])
    assert seen == {mine, None}, "suites without SQL have no database"
    for name in ("TOGETHER", "ALONE", "METHODS"):
        monkeypatch.setattr(tune_stack, name, ())
    seen.clear()
    tune_stack.main(["--stack", "pair", "--rows", "1", "--db", f"sqlite:///{mine}"])
    assert seen == {mine, None}


def test_heat_page_is_self_contained_and_escapes():
    cells = {"base": 0.1, "<a>": 0.9}
    line = {"suite": "s", "metric": "<m>", "n": 5, "values": cells, "intervals": {name: [0.0, 1.0] for name in cells}}
    targets = [{"name": name, "kind": "adapter", "members": []} for name in cells]
    matrix = {"base": "toy", "rows": 0, "targets": targets, "scores": {"s": cells}, "lines": [line]}
    text = heat.page(matrix | {"kept": {}, "signals": [], "router": {}})
    assert "&lt;a&gt;" in text and "<m>" not in text and "http" not in text
    assert '<td style="--v:90%">90' in text


def test_answers_of_a_cut_off_cache_are_asked_again(tmp_path):
    (tmp_path / "x.jsonl").write_text('["one", "1", "1\u2028"]\n["two", "2')
    assert answers.read(tmp_path / "x.jsonl") == {"one": ("1", "1\u2028")}
