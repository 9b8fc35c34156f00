"""Profiles past one CPU: Axolotl's own model takes them, and a step means what the adapter's YAML says."""

import json
import re

import pytest
import yaml

from scripts.config import adapter, profile, schema
from scripts.cost import tokens
from scripts.paths import CODE, ROOT

ADAPTERS = adapter.names()
#: Each profile with the processes that its head names.
PROCESSES = {"gpu": 1, "zero3": 8, "fsdp": 8, "ray": 2}
RENAMED = {"model_type": "type_of_model"}  # by Axolotl, while it validates
SAME = (
    "lora_r",
    "lora_alpha",
    "lora_dropout",
    "lora_target_modules",
    "learning_rate",
    "num_epochs",
    "warmup_ratio",
    "adapter",
    "seed",
)
#: zero_optimization of deepspeed 0.18.9 (runtime/zero/config.py, names and aliases), as far as stage 3 uses it.
ZERO = {
    "stage", "contiguous_gradients", "reduce_scatter", "reduce_bucket_size", "overlap_comm", "offload_param",
    "offload_optimizer", "sub_group_size", "stage3_max_live_parameters", "stage3_max_reuse_distance",
    "stage3_prefetch_bucket_size", "stage3_param_persistence_threshold", "stage3_gather_16bit_weights_on_model_save",
    "zero_hpz_partition_size",
}  # fmt: skip
TOP = {
    "zero_optimization",
    "bf16",
    "gradient_accumulation_steps",
    "gradient_clipping",
    "train_batch_size",
    "train_micro_batch_size_per_gpu",
}


def resolved(name: str, chosen: str) -> dict:
    text = (CODE / f"configs/profiles/{chosen}.yml").read_text(encoding="utf-8")
    return profile.overlay(adapter.load(name), yaml.safe_load(text))


def test_every_profile_is_known_here():
    assert set(profile.names()) == {"cpu", *PROCESSES}, "a new profile needs a row in this test"


@pytest.mark.parametrize("chosen", PROCESSES)
@pytest.mark.parametrize("name", ADAPTERS)
def test_axolotl_takes_it_on_a_gpu_and_keeps_every_key(name: str, chosen: str, monkeypatch):
    pytest.importorskip("axolotl")
    from axolotl.utils.config import validate_config
    from axolotl.utils.dict import DictDefault

    monkeypatch.chdir(ROOT)
    config = resolved(name, chosen)
    gpu = {"bf16": True, "fp8": True, "tf32": True, "n_gpu": PROCESSES[chosen], "compute_capability": "sm_90"}
    taken = validate_config(
        DictDefault(config), capabilities=gpu, env_capabilities={"torch_version": "2.13.0"}
    ).to_dict()
    for key, value in config.items():
        key = RENAMED.get(key, key)
        if key == "datasets":
            continue
        assert key in taken, f"Axolotl ignores {key}"
        assert within(value, taken[key]), f"{key}: {value!r} became {taken[key]!r}"
    kernels = [taken.get(f"lora_{part}_kernel") for part in ("mlp", "qkv", "o")]
    assert all(kernels) == (chosen != "zero3"), "ZeRO-3 and no other goes without Axolotl's kernels"


def within(value: object, taken: object) -> bool:
    """Whether what was written is still there; Axolotl fills mappings up with more."""
    if isinstance(value, dict):
        return all(within(each, taken.get(key)) for key, each in value.items())
    return value == taken


@pytest.mark.parametrize("chosen", PROCESSES)
@pytest.mark.parametrize("name", ADAPTERS)
def test_rank_rate_and_batch_mean_the_same(name: str, chosen: str):
    own, config = adapter.load(name), resolved(name, chosen)
    assert {key: config.get(key) for key in SAME} == {key: own.get(key) for key in SAME}
    wanted = own["micro_batch_size"] * own["gradient_accumulation_steps"]
    units = config["micro_batch_size"] * config["gradient_accumulation_steps"] * PROCESSES[chosen]
    if not config.get("sample_packing"):
        assert units == wanted, "conversations a step"
        return
    mean = tokens.from_lock(name).lengths[0]  # the template's own tokens counted
    held = units * config["sequence_len"] / mean
    assert 0.75 * wanted <= held <= 1.5 * wanted, f"a pack holds {held:.0f} conversations, not about {wanted}"


@pytest.mark.parametrize("name", ADAPTERS)
def test_packed_rows_are_hardly_padded(name: str):
    """Axolotl's own packing of as many conversations as the guide asks for, of the lengths that the rows have."""
    pytest.importorskip("axolotl")
    import numpy
    from axolotl.utils.samplers.multipack import MultipackBatchSampler
    from torch.utils.data import RandomSampler

    config = resolved(name, "gpu")
    counts = json.loads((adapter.data_of(name) / "data.lock.json").read_text(encoding="utf-8"))["train"]
    mean = counts["tokens"] / counts["rows"]
    lengths = numpy.random.default_rng(0).gamma(3, mean / 3, size=10_000).clip(8, 1000).astype(int)
    sampler = RandomSampler(range(len(lengths)))
    packs = MultipackBatchSampler(sampler, 1, config["sequence_len"], lengths, bin_size=200, num_processes=1)
    batches = packs.generate_batches()
    packed = sum(lengths[row] for batch in batches for pack in batch for row in pack)
    assert packed >= 0.99 * len(batches) * config["sequence_len"], "more than 1 % padding"
    assert packed >= 0.98 * lengths.sum(), "rows were left out"


@pytest.mark.parametrize(
    "said",
    [
        {"warmup_ratio": None, "warmup_steps": 20},
        {"save_strategy": "epoch", "save_steps": None},
        {"save_steps": None, "saves_per_epoch": 2},
        {"adapter": "lora", "load_in_4bit": None, "load_in_8bit": True},
        {"sample_packing": True, "sample_packing_bin_size": 100, "sdpa_varlen": True, "eval_sample_packing": False},
        {"batch_flattening": True, "attn_implementation": "flash_attention_2"},
        {"activation_offloading": True, "gradient_checkpointing": True},
        {"lora_mlp_kernel": True, "lora_embedding_kernel": True},
        {"deepspeed": "configs/deepspeed/zero3.json"},
        {"fsdp_version": 2, "fsdp_config": {"reshard_after_forward": True}},
    ],
)
def test_what_an_adapter_says_for_gpus_does_not_stop_it_on_a_cpu(said: dict):
    config = profile.overlay(adapter.load("kpi"), said)
    assert not schema.findings(config, "adapter")
    on_cpu = resolved("kpi", "cpu")
    assert profile.overlay(config, profile.load("cpu").value) == on_cpu and not schema.findings(on_cpu, "run")


@pytest.mark.parametrize(
    ("device", "chosen"),
    [("nvidia0", "gpu"), ("nvidia3", "gpu"), ("dxg", "gpu"), ("nvidiactl", "cpu"), ("null", "cpu")],
)
def test_a_gpu_of_any_number_is_seen(tmp_path, monkeypatch, device: str, chosen: str):
    (tmp_path / device).touch()
    monkeypatch.setattr(profile, "DEVICES", tmp_path)
    assert profile.choose() == chosen


def test_deepspeed_file_has_documented_keys_only():
    text = (CODE / "configs/deepspeed/zero3.json").read_text(encoding="utf-8")
    config = json.loads(text)
    assert set(config) <= TOP and set(config["zero_optimization"]) <= ZERO
    assert config["zero_optimization"]["stage"] == 3 and config["bf16"] == {"enabled": True}
    # Without it the adapter of a sharded model is saved empty.
    assert config["zero_optimization"]["stage3_gather_16bit_weights_on_model_save"] is True
    # The sizes of a step come from Axolotl's keys, never from a second place.
    assert all(config[key] == "auto" for key in TOP if key.startswith(("train_", "gradient_")))


def test_deepspeed_takes_its_own_file():
    zero = pytest.importorskip("deepspeed.runtime.zero.config", reason="deepspeed is an extra: requirements/gpu.txt")
    config = json.loads((CODE / "configs/deepspeed/zero3.json").read_text(encoding="utf-8"))["zero_optimization"]
    zero.DeepSpeedZeroConfig(**{key: value for key, value in config.items() if value != "auto"})


def test_every_speed_key_of_the_gpu_profile_says_what_it_does():
    lines = (CODE / "configs/profiles/gpu.yml").read_text(encoding="utf-8").splitlines()
    keys = [line for line in lines if re.match(r"[a-z]\w*:", line)]
    silent = [line for line in keys if "#" not in line and not line.startswith("gradient_accumulation_steps")]
    assert len(keys) > 8 and not silent


def test_no_profile_needs_an_extra_that_it_does_not_name():
    for file in (CODE / "configs/profiles").glob("*.yml"):
        text, config = file.read_text(encoding="utf-8"), yaml.safe_load(file.read_text(encoding="utf-8"))
        needs = config.get("deepspeed") or config.get("use_ray")
        assert not needs or ".venv/bin/pip install -r requirements/gpu.txt" in text, file.name
        assert "flash" not in str(config.get("attn_implementation")) or "requirements/flash.txt" in text, file.name


def test_what_is_built_against_torch_is_installed_by_itself():
    """pip builds in an environment without torch unless told otherwise, and then installs nothing of the whole file."""
    flash, gpu = ((CODE / f"requirements/{name}.txt").read_text(encoding="utf-8") for name in ("flash", "gpu"))
    assert "\nflash-attn==" in flash and ".venv/bin/pip install --no-build-isolation -r" in flash
    assert "flash" not in gpu and "--no-build-isolation" not in gpu


@pytest.mark.parametrize("file", ["gpu", "flash"])
def test_extras_are_pinned_to_what_axolotl_asks_for(file: str):
    from importlib.metadata import requires

    from packaging.requirements import Requirement

    lines = (CODE / f"requirements/{file}.txt").read_text(encoding="utf-8").splitlines()
    pins = {Requirement(line).name: str(Requirement(line).specifier) for line in lines if line and line[0] != "#"}
    asked = [Requirement(each) for each in requires("axolotl") or []]
    for name, pin in pins.items():
        ranges = [each.specifier for each in asked if each.name == name and "extra" in str(each.marker)]
        assert ranges and all(pin.removeprefix("==") in each for each in ranges), name
