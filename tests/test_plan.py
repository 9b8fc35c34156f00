"""What make plan says: on toy configs and rows where the numbers can be worked out, and on the repository's own."""

import json
import math
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

from scripts import plan
from scripts.config import adapter, profile
from scripts.cost import (
    architecture,
    before,
    calibration,
    defaults,
    difference,
    estimate,
    figures,
    gpus,
    measured,
    page,
    steps,
    tokens,
)
from scripts.cost.page import Section
from scripts.cost.tokens import Rows
from scripts.errors import UserError
from scripts.files import sha256
from scripts.paths import CODE, ROOT
from scripts.run.batches import batches

PLAIN = {
    "base_model": "meta-llama/Meta-Llama-3-8B-Instruct",
    "adapter": "lora",
    "lora_r": 32,
    "lora_alpha": 64,
    "lora_target_modules": ["q_proj", "v_proj"],
    "datasets": [{"path": "datasets/kpi/train.jsonl"}],
    "sequence_len": 100,
    "micro_batch_size": 2,
    "gradient_accumulation_steps": 4,
    "num_epochs": 2,
    "optimizer": "adamw_torch",
    "learning_rate": 0.0002,
    "attn_implementation": "sdpa",
    "bf16": True,
    "seed": 42,
}


def rows(*lengths: int) -> Rows:
    return Rows(lengths, [length // 2 for length in lengths], "counted", True)


def test_steps_of_plain_batches_round_up_twice():
    # 21 rows are 11 batches of 2, 3 steps of 4 batches; two epochs of that
    found = steps.plan(PLAIN, rows(*[40] * 21))
    assert (found.steps, found.epochs, found.rows, found.tokens) == (6, 2.0, 42, 42 * 40)
    assert found.slots == 42 * 64, "Axolotl pads each batch to a multiple of 64"
    assert not found.exact


@pytest.mark.parametrize(("config", "processes"), [({}, 2), ({"use_ray": True, "ray_num_workers": 2}, 1)])
def test_processes_share_a_step(config: dict, processes: int):
    # 21 rows are 11 batches of 2, 6 for each of two processes, 2 steps of 4 of them; two epochs of that
    found = steps.plan(PLAIN | config, rows(*[40] * 21), processes)
    assert (found.steps, found.rows) == (4, 42)
    assert found.how == "2 x 4 conversations a step on each of 2 processes, in random order"


def test_rows_that_do_not_fit_are_dropped_and_said():
    found = steps.plan(PLAIN | {"num_epochs": 1}, rows(1, 2, 100, 101))
    assert (found.dropped, found.tokens) == (2, 102)


def test_token_batches_are_the_sampler_s_own_over_axolotl_s_order():
    lengths = [10 + (7 * each) % 83 for each in range(500)]
    config = PLAIN | {"batch_tokens": 1000, "pad_to_multiple_of": 1, "gradient_accumulation_steps": 1}
    found = steps.plan(config, rows(*lengths))
    order, _, _ = steps.taken(config, rows(*lengths))
    assert sorted(order) == sorted(lengths) and order != lengths
    epochs = [batches(order, 1000, 42), batches(order, 1000, 43)]
    assert found.exact and found.tokens == 2 * sum(lengths)
    assert found.slots == sum(len(b) * max(order[row] for row in b) for epoch in epochs for b in epoch)


def test_a_short_run_counts_the_rows_that_the_sampler_draws():
    lengths = [10 + (7 * each) % 83 for each in range(500)]
    config = PLAIN | {"batch_tokens": 200, "gradient_accumulation_steps": 2, "max_steps": 9}
    order, _, _ = steps.taken(config, rows(*lengths))
    used = batches(order, 200, 42, 18)[:18]
    assert steps.plan(config, rows(*lengths)).tokens == sum(order[row] for batch in used for row in batch)
    assert used != batches(order, 200, 42)[:18]


def test_the_order_is_that_of_datasets():
    from datasets import Dataset

    lengths = list(range(2, 90))
    shuffled = Dataset.from_dict({"length": lengths}).shuffle(seed=42)["length"]
    assert steps.taken(PLAIN, rows(*lengths))[0] == list(shuffled)


def test_max_steps_go_on_into_another_epoch():
    config = PLAIN | {"batch_tokens": 80, "gradient_accumulation_steps": 1, "max_steps": 7, "pad_to_multiple_of": 1}
    found = steps.plan(config | {"num_epochs": 1}, rows(*[40] * 8))  # an epoch is 4 steps of 2 rows
    assert (found.steps, found.tokens, found.trained) == (7, 7 * 80, 7 * 40)


def test_max_steps_ends_early_and_cuts_the_tokens():
    config = PLAIN | {"batch_tokens": 80, "gradient_accumulation_steps": 1, "max_steps": 5, "pad_to_multiple_of": 1}
    found = steps.plan(config, rows(*[40] * 80))
    assert (found.steps, found.tokens, found.padding, found.epochs) == (5, 400, 0.0, 0.125)


def test_packing_fills_bins_first_fit_and_pads_them_whole():
    assert steps.packed([0, 1, 2, 3], [60, 50, 40, 50], 100, 200) == [[0, 2], [1, 3]]
    assert steps.packed([0, 1, 2], [10, 10, 10], 100, 2) == [[0, 1], [2]]
    found = steps.plan(PLAIN | {"sample_packing": True, "num_epochs": 1}, rows(60, 50, 40, 50))
    assert (found.slots, found.padding) == (200, 0.0)


def test_nothing_to_train_is_no_crash():
    assert steps.plan(PLAIN, rows(1, 1)).steps == 0


@pytest.mark.parametrize("name", adapter.names())
@pytest.mark.parametrize("chosen", profile.names())
def test_every_adapter_is_planned_under_every_profile(name, chosen):
    title, sections = plan.planned(name, chosen)
    assert name in title and chosen in title
    for form in page.FORMATS.values():
        text = form(title, sections)
        assert "trainable parameters" in text and "adapter" in text and "steps" in text


def test_plan_is_light():
    code = (
        "import sys; from scripts import plan; plan.planned('unimed-attendant', 'gpu', 'HEAD');"
        "heavy = {'torch', 'transformers', 'axolotl', 'peft', 'datasets', 'pandas', 'pyarrow'} & set(sys.modules);"
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("chosen", ["cpu", "gpu"])
def test_a_checkout_with_neither_base_nor_rows_is_planned(chosen, tmp_path):
    for folder in ("configs", "schemas", "datasets"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("*.jsonl"))
    command = [sys.executable, "-m", "scripts.plan", "--adapter", "unimed", "--profile", chosen, "--format", "markdown"]
    place = {**os.environ, "ADAPTERS_ROOT": str(tmp_path), "PYTHONPATH": str(CODE)}
    done = subprocess.run(command, cwd=tmp_path, env=place, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "estimated from data.lock.json" in done.stdout and "trainable parameters" in done.stdout


def test_the_embedded_base_is_described_as_it_is():
    made = profile.base_folder(profile.resolve("kpi", "cpu")) / "config.json"
    if not made.exists():
        pytest.skip("the embedded base is not made here (make base)")
    kept = architecture.FOLDER / "smollm2-135m-instruct" / "config.json"
    assert architecture.parse(json.loads(kept.read_text())) == architecture.parse(json.loads(made.read_text()))


@pytest.mark.parametrize(
    "ref", ["--output=x", "-x", "a..b", "HEAD:configs", "x; touch p", "$(touch p)", "a\nb", "", "a b"]
)
def test_a_ref_that_is_none_reaches_no_git(ref, monkeypatch):
    monkeypatch.setattr(before.subprocess, "run", lambda *_, **__: pytest.fail("git was called"))
    with pytest.raises(UserError, match="is not a branch, tag or commit"):
        before.commit_of(ref)


def test_an_unknown_ref_names_the_next_command():
    with pytest.raises(
        UserError, match="git knows no such branch, tag or commit here\nnext: git fetch origin no-such-ref"
    ):
        before.commit_of("no-such-ref")


def test_a_file_that_was_not_there_is_empty():
    assert before.show(before.commit_of("HEAD"), ROOT / "configs" / "no-such.yml") == ""
    assert (
        before.document(before.commit_of("HEAD"), ROOT / "configs" / "kpi.yml")["lora_r"]
        == adapter.load("kpi")["lora_r"]
    )


def test_against_the_same_commit_only_data_and_edits_differ():
    there = before.at("HEAD", "kpi", "gpu")
    assert difference.configs(there.config, there.config) == [] and list(difference.data(there.lock, there.lock)) == []


@pytest.mark.parametrize(
    "old, new, said",
    [
        ({"learning_rate": 0.0002}, {"learning_rate": 0.0001},
         "learning_rate 0.0002 → 0.0001 (half; the size of each step)"),
        ({"micro_batch_size": 4}, {"micro_batch_size": 6}, "micro_batch_size 4 → 6 (+50%)"),
        ({"bf16": True}, {"bf16": False}, "bf16 true → false"),
        ({}, {"torch_compile": True}, "torch_compile (not set) → true"),
        ({"lora_target_modules": ["q_proj", "k_proj"]}, {"lora_target_modules": ["q_proj", "o_proj"]},
         "lora_target_modules: without k_proj, with o_proj"),
        ({"lora_r": 32, "lora_alpha": 64}, {"lora_r": 16, "lora_alpha": 64},
         "lora_r 32 → 16 (half; alpha / rank 2 → 4)"),
    ],
)  # fmt: skip
def test_a_change_is_said_by_its_meaning(old, new, said):
    assert difference.configs(old, new) == [said]


def test_where_a_run_is_made_is_no_change():
    assert difference.configs({"output_dir": "a", "dataset_prepared_path": "b"}, {"output_dir": "c"}) == []


def test_half_the_rank_halves_the_parameters():
    table = gpus.table()
    old, new = (estimate.estimate(PLAIN | {"lora_r": rank}, rows(*[40] * 20), table) for rank in (32, 16))
    told = list(difference.effects(old, new))
    assert "trainable parameters 13.6 M → 6.82 M (half)" in told
    assert not any(each.startswith("steps") for each in told)


def test_data_is_compared_by_kind():
    old = {"train": {"sha256": "a", "rows": 10, "tokens": 100, "kinds": {"greeting": 4, "facts": 6}}}
    new = {"train": {"sha256": "b", "rows": 12, "tokens": 130, "kinds": {"greeting": 7, "facts": 5}}}
    assert list(difference.data(old, new)) == ["train.jsonl: rows 10 → 12, tokens 100 → 130, greeting +3, facts -1"]
    assert list(difference.data(old, {"train": old["train"] | {"sha256": "c"}})) == [
        "train.jsonl: other rows, as many of each kind"
    ]


def test_without_rows_the_lock_stands_and_says_so():
    found = tokens.from_lock("unimed-attendant")
    counted = tokens.lock("unimed-attendant")["train"]
    assert len(found.lengths) == counted["rows"] and not found.exact
    assert "make dataset ADAPTER=unimed-attendant" in found.how


def test_without_rows_and_lock_the_next_command_is_said(monkeypatch):
    monkeypatch.setattr(tokens, "lock", lambda _: {})
    with pytest.raises(UserError, match=r"neither rows nor data.lock.json\nnext: make dataset ADAPTER=kpi"):
        tokens.from_lock("kpi")


def test_an_unknown_base_says_where_its_config_goes():
    described = "described are: meta-llama-3-8b-instruct, qwen2.5-32b-instruct, smollm2-135m-instruct\nnext: put"
    with pytest.raises(UserError, match=rf"Mistral-7B can't be planned; {described}"):
        architecture.of({"base_model": "mistralai/Mistral-7B"})


def test_a_base_of_another_kind_is_refused():
    with pytest.raises(ValueError, match="model_type 'mamba'"):
        architecture.parse({"model_type": "mamba"})


def test_less_memory_with_four_bits_eight_bit_optimizer_and_checkpoints():
    def total(**keys):
        return estimate.estimate(PLAIN | keys, rows(*[90] * 64), gpus.table()).total

    assert total(load_in_4bit=True) < total(load_in_8bit=True) < total()
    assert total(optimizer="adamw_8bit") < total()
    assert total(gradient_checkpointing=True) < total()
    assert total(chunked_cross_entropy=True) < total()
    assert total() < total(lora_dropout=0.1)


def test_the_guide_s_32b_fits_80_gb_and_no_24_gb():
    config = profile.resolve("unimed-attendant", "gpu")
    found = estimate.estimate(config, rows(*[110] * 1000), gpus.table())
    fits = {place.name: place.fits for place in found.places}
    assert fits["H100"] and not fits["L4"]


@pytest.mark.parametrize(
    ("chosen", "processes", "sharded"), [("zero3", 8, True), ("fsdp", 8, True), ("gpu", 8, False), ("ray", 2, False)]
)
def test_processes_share_the_hours_and_where_they_shard_the_weights(chosen, processes, sharded):
    config, table = profile.resolve("kpi", chosen), gpus.table()
    alone = estimate.estimate(config | {"ray_num_workers": 1}, rows(*[110] * 1024), table)
    many = estimate.estimate(config, rows(*[110] * 1024), table, (), 1 if chosen == "ray" else processes)
    assert many.steps.processes == processes
    assert many.steps.steps == 3 * math.ceil(alone.steps.steps / 3 / processes), "each epoch ends in a step of its own"
    assert many.memory["base weights"] * (processes if sharded else 1) == alone.memory["base weights"]
    assert ("two blocks, gathered" in many.memory) == sharded
    for one, all_of_it in zip(alone.places, many.places, strict=True):
        assert all_of_it.hours * processes == pytest.approx(one.hours, rel=0.02)  # packed a little otherwise
        assert all_of_it.dollars == pytest.approx(one.dollars, rel=0.02)


H100 = "NVIDIA H100 80GB HBM3"


@pytest.mark.parametrize(
    ("short", "full", "same"),
    [
        ("H100", H100, True),
        ("H100", "NVIDIA H200", False),
        ("A100 40 GB", "NVIDIA A100-SXM4-40GB", True),
        ("A100 80 GB", "NVIDIA A100-SXM4-40GB", False),
        ("RTX 4090", "NVIDIA GeForce RTX 4090", True),
        ("L4", "NVIDIA L40S", False),
        ("L4", "", False),
    ],
)
def test_a_gpu_of_the_table_is_found_by_what_it_calls_itself(short, full, same):
    assert measured.named(short, full) is same


def benched(folder, **changes):
    """bench.json of an H100 that trained kpi's production size: 20,000 slots/s in 25 GB."""
    config = profile.resolve("kpi", "gpu")
    own = {"tokens": 39_500, "slots": 40_000, "seconds": 2.0, "memory_gb": 25.0, "counts": True}
    part = {"adapter": "kpi", "base": "meta-llama-3-8b-instruct", "machine": {"gpu": H100}}
    part |= {"settings": {key: config.get(key) for key in measured.DECIDE}, "variants": {"profile": own}}
    for key, value in changes.items():
        next(each for each in (own, part["settings"], part) if key in each)[key] = value
    (folder / "bench").mkdir()
    (folder / "bench" / "bench.json").write_text(json.dumps({"check": {"seconds": 1}, "gpu kpi": part}))


def run_of(folder, base, name, **changes):
    """A finished run's manifest."""
    figures = {"tokens": 900, "slots": 1000, "seconds": 10.0, "peak_memory": 2_000_000_000}
    written = {"adapter": name, "made": "2026-01-01", "data": {"files": []}, "metrics": figures} | changes
    (folder / base / name).mkdir(parents=True)
    (folder / base / name / "manifest.json").write_text(json.dumps(written))


def told(title, name, chosen):
    """A section of a plan, as text."""
    return page.text("", [each for each in plan.planned(name, chosen)[1] if each.title == title])


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, r"H100 +80 GB +fits +20,000 .* measured: make bench, gpu kpi"),
        ({"memory_gb": 79.0}, r"H100 +80 GB +too small +20,000 .* measured"),
        ({"counts": False}, r"H100 +80 GB +fits .* assumed"),
        ({"gradient_checkpointing": False}, r"H100 +80 GB +fits .* assumed"),
        ({"base": "another"}, r"H100 +80 GB +fits .* assumed"),
    ],
)
def test_what_make_bench_measured_on_a_gpu_replaces_the_assumption(changes, line, tmp_path, monkeypatch):
    monkeypatch.setattr(measured, "OUTPUTS", tmp_path)
    benched(tmp_path, **changes)
    text = told("Time and cost", "schema", "gpu")  # the same base under the same settings
    assert re.search(line, text) and re.search(r"H200 +141 GB +fits .* assumed", text)
    note = f"measured on {H100} (make bench, gpu kpi): 25.0 GB, planned "
    assert (note in told("Memory of the GPU", "schema", "gpu")) is (not changes)


def test_without_make_bench_a_finished_run_on_such_a_gpu_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(measured, "OUTPUTS", tmp_path)
    config = profile.resolve("kpi", "gpu")
    run_of(tmp_path, "meta-llama-3-8b-instruct", "kpi", config=config, gpu=H100)
    text = told("Time and cost", "kpi", "gpu")
    assert re.search(r"H100 +80 GB +fits +100 .* measured: .*meta-llama-3-8b-instruct/kpi", text)
    assert "3.2 GB, planned" in told("Memory of the GPU", "kpi", "gpu"), "with the context that torch does not count"


def test_every_finished_run_is_held_against_its_plan(tmp_path, monkeypatch):
    """Runs over 900 tokens, each planned from the newest other; one was twice as fast, one read rows that are gone."""
    monkeypatch.setattr(measured, "OUTPUTS", tmp_path)
    monkeypatch.setattr(calibration, "ROOT", tmp_path)
    monkeypatch.setattr(calibration.tokens, "measure", lambda *_: rows(*[45] * 20))
    (tmp_path / "rows.jsonl").write_text("{}")
    data = {"files": [{"path": "rows.jsonl", "sha256": sha256(tmp_path / "rows.jsonl")}]}
    config = profile.resolve("kpi", "cpu") | {"max_steps": None, "batch_tokens": 450}
    slow = {"tokens": 900, "slots": 1000, "seconds": 7200.0, "peak_memory": 2_000_000_000}
    run_of(tmp_path, "smollm2-135m-instruct", "kpi", config=config, data=data, metrics=slow)
    fast = slow | {"seconds": 3600.0}
    run_of(tmp_path, "smollm2-135m-instruct", "schema", config=config, data=data, metrics=fast, made="2027")
    gone = {"files": [{"path": "rows.jsonl", "sha256": "other"}]}
    run_of(tmp_path, "smollm2-135m-instruct", "unimed-attendant", config=config, data=gone, metrics=slow, made="2025")
    found = {name: rest for name, *rest in calibration.table(measured.runs(config))}
    assert {name: line[3:] for name, line in found.items()} == {
        "kpi": ["1.0 h", "2.0 h", "-50%"],
        "schema": ["2.0 h", "1.0 h", "+100%"],
        "unimed-attendant, whose rows were others": ["1.0 h", "2.0 h", "-50%"],
    }
    monkeypatch.setattr(calibration.tokens, "measure", lambda *_: (tmp_path / "template.jinja").read_text())
    assert list(calibration.table(measured.runs(config))) == [], "a template that is gone ends no plan"
    monkeypatch.setattr(calibration.tokens, "measure", lambda *_: rows(*[45] * 20))
    assert found["kpi"][1] == "2.0 GB" and re.fullmatch(r"[+-]\d+%", found["kpi"][2])
    assert "Planned against measured" in page.text(*plan.planned("kpi", "cpu"))


def test_a_mistake_in_the_table_of_gpus_has_its_place(tmp_path, monkeypatch):
    file = tmp_path / "gpus.yml"
    file.write_text("utilisation: 0.4\nceiling: 0.8\ngpus:\n  - {name: X, memory: 0, tflops: 1, dolars: 2}\n")
    monkeypatch.setattr(gpus, "FILE", file)
    with pytest.raises(UserError) as error:
        gpus.table()
    assert "gpus.yml:4:15: $.gpus[0].memory: 0 is not more than 0" in str(error.value)
    assert "did you mean 'dollars'?" in str(error.value)


def test_markdown_from_a_config_can_not_become_markup():
    made = page.markdown("a|b", [Section("t", ["@team <img src=x> [x](http://y) #1"], code="```\n# not a heading")])
    assert "@team" not in made and " <img" not in made and "http://" not in made and "\\#1" in made
    assert "````yaml\n```" in made


def test_numbers_as_people_read_them():
    assert (figures.count(9_768_960), figures.size(39_131_224), figures.hours(0.22)) == ("9.77 M", "39.1 MB", "13 min")
    assert [figures.change(*each) for each in ((2, 1), (1, 1.5), (1, 7), (0, 3))] == ["half", "+50%", "7 times", ""]


def test_what_axolotl_adds_depends_on_the_config():
    said = {key for key, *_ in defaults.switched_on(PLAIN | {"gradient_checkpointing": True})}
    assert said == {"lora_*_kernel", "gradient_checkpointing_kwargs", "peft_autocast_adapter_dtype"}
    assert not list(defaults.switched_on(profile.resolve("kpi", "cpu")))


@pytest.mark.parametrize(
    "broken",
    [
        '{"rows": 1}',
        '{"messages": []}',
        '{"messages": ["oi"]}',
        '{"messages": [{"role": "assistant", "tool_calls": [{"id": "a"}]}]}',
        pytest.param("[" * 100_000, id="deep"),
    ],
)
def test_a_broken_row_has_its_line(tmp_path, broken):
    file = tmp_path / "train.jsonl"
    file.write_text('{"messages": [{"role": "user", "content": "oi"}]}\n' + broken + "\n")
    with pytest.raises(UserError, match=r"train.jsonl:2: not a training row"):
        tokens.messages([file.read_bytes()], [file])


def test_lengths_are_kept_until_the_rows_change(tmp_path, monkeypatch):
    config = profile.resolve("kpi", "cpu")
    tokenizer = tokens.tokenizer_file(config)
    if tokenizer is None:
        pytest.skip("the embedded base is not made here (make base)")
    file, counted = tmp_path / "train.jsonl", []
    monkeypatch.setattr(tokens, "OUTPUTS", tmp_path)
    count = tokens.count
    monkeypatch.setattr(tokens, "count", lambda *each: counted.append(1) or count(*each))
    row = {"messages": [{"role": "user", "content": "Oi"}, {"role": "assistant", "content": "Olá!"}]}
    for lines in (1, 1, 2):
        file.write_text((json.dumps(row) + "\n") * lines)
        lengths, trained = tokens.kept("kpi", config, [file], tokenizer)
        assert len(lengths) == lines and 0 < trained[0] < lengths[0]
    assert len(counted) == 2


def test_the_plan_reads_a_run_that_is_not_complete(tmp_path):
    said, written = before.state(tmp_path, {}, [])
    assert "not trained yet" in said and written == {}


def test_estimates_are_marked():
    assert replace(rows(1), exact=False).exact is False
    found = tokens.measure("kpi", profile.resolve("kpi", "gpu"))
    assert not found.exact and "estimated" in found.how
