"""make bench: the arithmetic of shares, what may be asked for, the report; and the GPU part on a small size."""

import json
from pathlib import Path

import pytest
import small_bases
import yaml

from scripts import bench
from scripts.benchmarks import table, work
from scripts.errors import UserError
from scripts.paths import CONFIGS

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


def test_the_report_names_the_machine_and_keeps_other_parts(tmp_path: Path):
    machine = {"cpu": "A CPU", "cores": 2, "torch": "2.13.0"}
    ways = {"ours": {"trained_tokens_per_second": 200.0}, "stock Axolotl": {"trained_tokens_per_second": 50.0}}
    table.publish(tmp_path, {"machine": machine, "train": {"ways": ways, "base": "toy"}})
    text = table.publish(tmp_path, {"check": {"seconds": 1.5}}).read_text(encoding="utf-8")
    assert "A CPU, 2 cores" in text and "| seconds | 1.5 |" in text and "| stock Axolotl | 50.0 |" in text
    assert (tmp_path / "bench.png").stat().st_size > 5_000


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


@pytest.mark.slow
def test_the_gpu_part_runs_on_a_small_size_without_a_gpu(tmp_path: Path, monkeypatch, base_folder: Path):
    """The same code: random base, gpu profile, variants; without what a CPU lacks, and with fewer variants."""
    from scripts.benchmarks import production

    name = "unimed-attendant"
    data = tmp_path / "rows.jsonl"
    data.write_text("".join(small_bases.rows(name)), encoding="utf-8")
    monkeypatch.setattr(production, "rows", lambda _: data)
    monkeypatch.setattr(production, "OUTPUTS", tmp_path)
    monkeypatch.setattr(production.training, "OUTPUTS", tmp_path)
    monkeypatch.setattr(
        production, "VARIANTS", {key: production.VARIANTS[key] for key in ("profile", "unpacked, 2 rows")}
    )
    lacking = {**small_bases.CPU, "optimizer": "adamw_torch", "chunked_cross_entropy": None, "sequence_len": 512}
    found = production.measure(name, 3, lacking, SMALL)["variants"]
    assert found["profile"]["counts"] and found["profile"]["steps"] == 3
    assert found["profile"]["padding"] < found["unpacked, 2 rows"]["padding"]
    assert found["profile"]["tokens"] > 4 * found["unpacked, 2 rows"]["tokens"]
    config = yaml.safe_load((tmp_path / "bench/work/profile/config.yml").read_text(encoding="utf-8"))
    assert config["sample_packing"] is True and config["sdpa_varlen"] is True and config["lora_r"] == 32
