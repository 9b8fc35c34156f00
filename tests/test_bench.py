"""make bench: the arithmetic of shares, what may be asked for, the report; and the GPU part on a small size."""

import json
import time
from pathlib import Path

import pytest
import small_bases
import yaml

from scripts import bench
from scripts.benchmarks import table, work
from scripts.config import profile
from scripts.cost import measured
from scripts.errors import UserError
from scripts.paths import CONFIGS, TEMPLATES

SMALL = {
    "architectures": ["Qwen2ForCausalLM"],
    "model_type": "qwen2",
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 49_152,
    "max_position_embeddings": 4096,
    "tie_word_embeddings": False,
}


@pytest.mark.parametrize(
    ("base", "rank", "body", "lora"),
    # By hand; published without embeddings: 31.0 and 7.0 billion, norms and biases included.
    [
        ("qwen2.5-32b-instruct", 32, 31_205_621_760, 268_435_456),
        ("meta-llama-3-8b-instruct", 32, 6_979_321_856, 83_886_080),
    ],
)
def test_sizes_are_the_architectures(base: str, rank: int, body: int, lora: int):
    numbers = json.loads((CONFIGS / "architectures" / base / "config.json").read_text(encoding="utf-8"))
    size = work.size(numbers, rank)
    assert (size.body, size.lora, size.head) == (body, lora, numbers["hidden_size"] * numbers["vocab_size"])


def test_checkpointing_costs_one_more_forward_pass():
    size = work.Size(body=100, head=10, lora=1)
    assert work.flops(size, 7, 3) == 7 * (400 + 6) + 3 * 40
    assert work.flops(size, 7, 3, again=True) - work.flops(size, 7, 3) == 7 * (200 + 2)


def test_what_fits_the_machine_is_measured(monkeypatch, tmp_path):
    monkeypatch.setattr(bench, "OUTPUTS", tmp_path)
    monkeypatch.setattr(bench.profile, "cuda", lambda: False)
    assert bench.asked("") == ["train", "eval", "check"], "nothing is trained that could be served"
    (tmp_path / "base" / "kpi").mkdir(parents=True)
    (tmp_path / "base" / "kpi" / "adapter_config.json").write_text("{}")
    assert bench.asked("") == ["train", "eval", "serve", "check"]
    monkeypatch.setattr(bench.profile, "cuda", lambda: True)
    monkeypatch.setattr(bench.shutil, "which", lambda program: None)
    assert bench.asked("") == ["train", "eval", "check", "gpu"], "a GPU serves with vLLM, which is not here"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (
            ["--part", "trian"],
            r"there is no part 'trian'; there are: train, eval, serve, check, gpu \(did you mean 'train'\?\)",
        ),
        (["--part", "gpu"], "PART=gpu needs a CUDA device, and there is none here\nnext: make bench PART=train"),
        (["--part", "check", "--rows", "many"], "ROWS=many is not a number from 20 to"),
    ],
)
def test_what_can_not_be_measured_is_said(arguments, reason, monkeypatch):
    monkeypatch.setattr(bench.profile, "cuda", lambda: False)
    with pytest.raises(UserError, match=reason):
        bench.main(arguments)


MACHINE = {"cpu": "A CPU", "cores": 2, "torch": "2.13.0"}
WAYS = {"ours": {"trained_tokens_per_second": 200.0}, "stock Axolotl": {"trained_tokens_per_second": 50.0}}


def test_the_report_names_the_machine_and_keeps_other_parts(tmp_path: Path):
    peaks = {"gflops": {"float32": 150.0}}
    table.publish(tmp_path, "train", {"machine": MACHINE | peaks, "ways": WAYS, "base": "toy"})
    later = MACHINE | {"torch": "2.14.0"}
    text = table.publish(tmp_path, "check", {"machine": later, "seconds": 1.5}).read_text(encoding="utf-8")
    assert "A CPU, 2 cores" in text and "| seconds | 1.5 |" in text and "| stock Axolotl | 50.0 |" in text
    assert "| peak float32, GFLOP/s | 150.0 |" in text, "what the shares of training refer to"
    assert (tmp_path / "bench.png").stat().st_size > 5_000


def test_figures_of_another_machine_leave_the_report(tmp_path: Path, capsys):
    table.publish(tmp_path, "train", {"machine": MACHINE, "ways": WAYS})
    table.publish(tmp_path, "check", {"machine": MACHINE | {"gpu": "A GPU"}, "seconds": 1.5})
    assert [*json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))] == ["check"]
    assert "measured on another machine, and left out now: train" in capsys.readouterr().out


def test_a_part_that_fails_is_named_and_nothing_is_lost(tmp_path: Path, monkeypatch, capsys):
    pytest.importorskip("torch")
    from scripts.benchmarks import machine

    def fails():
        assert "seconds" in (tmp_path / "bench/bench.md").read_text(encoding="utf-8"), "published before this one"
        raise RuntimeError("CUDA out of memory\nand more")

    def refused():
        raise UserError("no weights")

    parts = {"check": lambda: {"seconds": 1.5}, "eval": fails, "serve": refused, "train": lambda: {"ways": WAYS}}
    monkeypatch.setattr(bench, "OUTPUTS", tmp_path)
    monkeypatch.setattr(bench, "runs", lambda *_: iter(parts.items()))
    table.publish(tmp_path / "bench", "eval", {"machine": machine.described(), "times_faster": 13.0})
    with pytest.raises(UserError, match=r"eval: CUDA out of memory\nserve: no weights\nnext: .* make bench PART=eval"):
        bench.main(["--part", "check"])
    told = json.loads((tmp_path / "bench/bench.json").read_text(encoding="utf-8"))
    assert told["eval"]["failed"] == "CUDA out of memory" and told["eval"]["times_faster"] == 13.0
    assert told["serve"]["failed"] == "no weights" and told["train"]["ways"] == WAYS
    assert "| failed | no weights |" in (tmp_path / "bench/bench.md").read_text(encoding="utf-8")
    assert "Traceback" in capsys.readouterr().err, "what is no user's mistake keeps its traceback"


def test_answers_are_measured_on_a_gpu_without_weights(monkeypatch, base_folder: Path):
    """The device is pretended: only which base is taken is looked at."""
    pytest.importorskip("torch")
    from scripts.benchmarks import evaluation

    monkeypatch.setattr(profile, "cuda", lambda: True)
    monkeypatch.setattr(evaluation, "Generator", lambda folder: folder)
    assert evaluation.model_of("kpi") == (base_folder, "base")


def test_a_random_base_in_4_bits_loads_as_bitsandbytes_stores_one(tmp_path: Path, base_folder: Path):
    torch = pytest.importorskip("torch")
    from transformers import AutoModelForCausalLM

    from scripts.benchmarks import randombase

    made = randombase.make(SMALL, base_folder, tmp_path / "base", 4, "cpu", torch.float32)
    before = (made / "config.json").stat().st_mtime_ns
    assert randombase.make(SMALL, base_folder, made, 4, "cpu", torch.float32) == made
    assert (made / "config.json").stat().st_mtime_ns == before, "made twice"
    model = AutoModelForCausalLM.from_pretrained(made)
    kinds = [type(each).__name__ for each in model.modules()]
    assert kinds.count("Linear4bit") == 14 and kinds.count("Linear") == 1, "all but the output layer"
    assert model(torch.tensor([[1, 2, 3]])).logits.isfinite().all()
    assert randombase.make(SMALL, base_folder, made, 16, "cpu", torch.float32) == made
    assert "quantization_config" not in json.loads((made / "config.json").read_text(encoding="utf-8"))


def test_rows_set_aside_are_the_same_each_time_and_are_not_trained_on(tmp_path: Path):
    pytest.importorskip("torch")
    from scripts.benchmarks import heldout

    lines = small_bases.rows("kpi", 80)
    held = heldout.aside(lines, tmp_path / "rows.jsonl", 20)
    trained = (tmp_path / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(held) == 10 and len(trained) == 20 and held == heldout.aside(lines, tmp_path / "all.jsonl")
    assert not [row for row in held if row in [json.loads(line)["messages"] for line in trained]]


def test_held_out_loss_is_each_adapter_s_over_its_last_answers(tmp_path: Path):
    torch = pytest.importorskip("torch")
    from toybase import write_adapter, write_base
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from scripts.benchmarks import heldout

    base = write_base(tmp_path / "base")
    ways = {name: (write_adapter(tmp_path / name, base, 1), TEMPLATES / "chatml.jinja") for name in ("one", "same")}
    ways["other"] = (write_adapter(tmp_path / "other", base, 2), TEMPLATES / "chatml.jinja")
    rows = [
        [{"role": "user", "content": asked}, {"role": "assistant", "content": told}]
        for asked, told in (("oi", "olá"), ("e agora", "nada"))
    ]
    rows += [json.loads(small_bases.rows("kpi")[1])["messages"][:4]]  # its last answer is a tool call
    found = heldout.losses(base, ways, rows)
    assert found["one"] == found["same"] != found["other"]
    model, tokenizer = AutoModelForCausalLM.from_pretrained(base), AutoTokenizer.from_pretrained(base)
    open_, whole = "<|im_start|>user\noi<|im_end|>\n<|im_start|>assistant\n", "olá<|im_end|>"
    asked, answer = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in (open_, whole))
    labels = torch.tensor([[-100] * len(asked) + answer])
    by_hand = model(input_ids=torch.tensor([asked + answer]), labels=labels).loss
    assert heldout.loss(model, tokenizer, rows[:1]) == pytest.approx(by_hand.item(), rel=1e-5)


def test_every_line_of_the_gpu_profile_has_a_variant_without_it():
    pytest.importorskip("torch")
    from scripts.benchmarks import production

    profile_of = yaml.safe_load((CONFIGS / "profiles/gpu.yml").read_text(encoding="utf-8"))
    changed = {key for change in production.VARIANTS.values() for key in change if change[key] != profile_of[key]}
    assert changed | {"gradient_accumulation_steps"} == set(profile_of)


@pytest.mark.parametrize(
    ("change", "loss", "counts"),
    [({}, 2.009, True), ({}, 2.011, False), ({"trained": 900}, 2.0, False), ({"learned": False}, 2.0, False)],
)
def test_a_variant_counts_where_it_learned_what_the_profile_learned(change, loss, counts):
    pytest.importorskip("torch")
    from scripts.benchmarks import production

    ran = {"tokens": 2000, "trained": 1000, "seconds": 2.0, "learned": True}
    found = {"profile": dict(ran), "no tf32": ran | change, "compiled": {"failed": "why"}}
    size = work.Size(body=100, head=10, lora=1)
    judged = production.judged(found, {"profile": 2.0, "no tf32": loss}, size, {})
    assert judged["profile"]["counts"] and judged["no tf32"]["counts"] is counts
    assert judged["compiled"] == {"failed": "why"} and judged["profile"]["tokens_per_second"] == 1000.0
    alone = production.judged({"profile": {"failed": "why"}, "no tf32": dict(ran)}, {"no tf32": 2.0}, size, {})
    assert alone["no tf32"]["counts"] is False, "there is nothing to hold it against"


@pytest.mark.parametrize(("loss", "counts"), [(1.2, True), (2.01, True), (2.02, False)])
def test_our_speed_on_a_cpu_counts_where_held_out_answers_are_as_likely(loss, counts, base_folder: Path):
    pytest.importorskip("torch")
    from scripts.benchmarks import training

    ran = {"tokens": 2000, "trained": 1000, "seconds": 2.0, "learned": True}
    ways = {"ours": ran | {"held_out_loss": loss}, "stock Axolotl": ran | {"held_out_loss": 2.0}}
    config = {"base_model": str(base_folder), "lora_r": 8}
    assert training.compared(ways, config, {"float32": 100.0})["ways"]["ours"]["counts"] is counts


def test_memory_that_was_held_before_a_training_does_not_count(monkeypatch):
    pytest.importorskip("torch")
    from scripts.benchmarks import memory

    held = iter([3e9, 8e9])
    monkeypatch.setattr(memory, "LOOK", 0.01)
    monkeypatch.setattr(memory, "in_children", lambda: next(held, 5e9))
    monkeypatch.setattr(memory.profile, "cuda", lambda: False)
    with memory.Watch() as watch:
        time.sleep(0.2)
    assert watch.most == 5.0


def test_a_variant_that_a_cut_call_finished_is_not_trained_again(tmp_path: Path, monkeypatch):
    from scripts.benchmarks import production

    trained = []
    monkeypatch.setattr(production.training, "OUTPUTS", tmp_path)
    monkeypatch.setattr(production, "ran", lambda way, config: trained.append(way) or dict(config))
    assert production.once("no tf32", {"lora_r": 8}, "rows") == {"lora_r": 8}
    assert production.once("no tf32", {"lora_r": 8}, "rows") == {"lora_r": 8} and trained == ["no tf32"]
    production.once("no tf32", {"lora_r": 16}, "rows")
    production.once("no tf32", {"lora_r": 16}, "other rows")
    assert trained == ["no tf32"] * 3
    production.once("compiled", {"failed": "why"}, "rows")
    production.once("compiled", {"failed": "why"}, "rows")
    assert trained[3:] == ["compiled"] * 2


@pytest.mark.slow
def test_the_gpu_part_runs_on_a_small_size_without_a_gpu(tmp_path: Path, monkeypatch, base_folder: Path):
    """The same code: random base, gpu profile, variants; without what a CPU lacks, and with fewer variants."""
    from scripts.benchmarks import production

    name = "unimed-attendant"
    short = [line for line in small_bases.rows(name, 256) if '"tool' not in line]
    monkeypatch.setattr(production.training, "lines", lambda _: short)
    monkeypatch.setattr(production, "OUTPUTS", tmp_path)
    monkeypatch.setattr(production.training, "OUTPUTS", tmp_path)
    some = ("profile", "unpacked, 2 rows", "no sdpa_varlen")
    monkeypatch.setattr(production, "VARIANTS", {key: production.VARIANTS[key] for key in some})
    lacking = {**small_bases.CPU, "optimizer": "adamw_torch", "chunked_cross_entropy": None, "sequence_len": 512}
    part = production.measure(name, 3, lacking, SMALL)
    table.publish(tmp_path / "bench", f"gpu {name}", part | {"machine": {"gpu": "NVIDIA H100 80GB HBM3"}})
    found = part["variants"]
    assert found["profile"]["counts"] and found["profile"]["steps"] == 3
    assert found["profile"]["padding"] < found["unpacked, 2 rows"]["padding"]
    assert found["profile"]["tokens"] > 4 * found["unpacked, 2 rows"]["tokens"]
    masked = found["no sdpa_varlen"]
    assert masked["counts"] and masked["trained"] == found["profile"]["trained"] and masked["loss_apart"] <= 0.005
    assert found["unpacked, 2 rows"]["held_out_loss"] != masked["held_out_loss"]
    monkeypatch.setattr(measured, "OUTPUTS", tmp_path)
    config = yaml.safe_load((tmp_path / f"bench/work/{name}-profile/config.yml").read_text(encoding="utf-8"))
    (run,) = measured.bench("qwen2.5-32b-instruct")
    assert run.tells("H100", config) and not run.tells("H100", config | {"lora_r": 16}), "the plan finds it"
    assert config["sample_packing"] is True and config["sdpa_varlen"] is True and config["lora_r"] == 32
