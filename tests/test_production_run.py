"""The production configs as they are, on small bases of their classes, through accelerate and Axolotl on a CPU.

Changed are the base's size, the steps and what a CPU lacks (small_bases.CPU): the base is one of the Hub by its name,
so nothing lies in outputs/<base>/ but runs. One 4-bit run is in the normal tests; the rest takes minutes.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import small_bases
import yaml

from scripts.paths import CODE
from scripts.run.progress_file import merged


def verb(root: Path, name: str, *arguments: str) -> str:
    """The output of `python -m scripts.<name> …` on that checkout; fails with it."""
    environment = os.environ | {"ADAPTERS_ROOT": str(root), "PYTHONPATH": str(CODE), "PROFILE": "small"}
    command = [sys.executable, "-m", f"scripts.{name}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=root, timeout=1500)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run_of(root: Path, name: str) -> Path:
    return next(root.glob(f"outputs/*/{name}"))


def trained_as_written(root: Path, name: str) -> dict:
    """The run's resolved config, after looking that it is the production one but for what a CPU lacks."""
    run = run_of(root, name)
    used = yaml.safe_load((run / "config.yml").read_text(encoding="utf-8"))
    own = yaml.safe_load((CODE / "configs" / f"{name}.yml").read_text(encoding="utf-8"))
    allowed = {"output_dir", "max_steps", "save_steps", "save_total_limit", *small_bases.CPU}
    assert {key for key, value in own.items() if used.get(key) != value} <= allowed
    steps = merged(run / "progress.jsonl")
    assert [each["step"] for each in steps] == [1, 2, 3] and all(each["grad_norm"] > 0 for each in steps)
    return used


def used_as_trained(root: Path, base: str, name: str) -> None:
    """Evaluates and exports the run, and looks that both are about its base as the YAML names it."""
    assert "quiet" in verb(root, "evaluate", "--adapter", name)
    records = (run_of(root, name) / "eval/records.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(records) == len(small_bases.ASKED)
    own = yaml.safe_load((CODE / "configs" / f"{name}.yml").read_text(encoding="utf-8"))
    said = verb(root, "export", "--adapter", name, "--base", base, "--format", "vllm")
    assert f"vllm serve {own['base_model']} --config vllm.yml" in said
    values = yaml.safe_load((run_of(root, name) / "export/vllm/vllm.yml").read_text(encoding="utf-8"))
    assert values["revision"] == own["revision_of_model"] and values["lora-modules"] == [f"{name}=."]


def adapter_config(run: Path) -> dict:
    return json.loads((run / "adapter_config.json").read_text(encoding="utf-8"))


def test_the_attendant_trains_in_4_bits_and_answers(tmp_path: Path):
    root = small_bases.checkout(tmp_path, ("unimed-attendant",))
    verb(root, "train", "--adapter", "unimed")
    used = trained_as_written(root, "unimed-attendant")
    assert used["adapter"] == "qlora" and used["load_in_4bit"] is True
    run = run_of(root, "unimed-attendant")
    assert adapter_config(run)["r"] == 32 and len(adapter_config(run)["target_modules"]) == 7
    asked = root / "asked.jsonl"
    asked.write_text('{"messages": [{"role": "user", "content": "oi"}]}\n', encoding="utf-8")
    verb(root, "predict", "--adapter", "unimed", "--in", str(asked), "--out", str(root / "answered.jsonl"))
    assert json.loads((root / "answered.jsonl").read_text(encoding="utf-8"))["answer"]["role"] == "assistant"
    used_as_trained(root, "qwen2.5-32b-instruct", "unimed-attendant")
    assert "every hash is right" in verb(root, "verify", "--adapter", "unimed")


@pytest.mark.slow
def test_both_llama_adapters_train_stack_and_merge(tmp_path: Path):
    root = small_bases.checkout(tmp_path, ("schema", "kpi"))
    for name in ("schema", "kpi"):
        verb(root, "train", "--adapter", name)
        assert trained_as_written(root, name)["eot_tokens"] == ["<|eot_id|>"]
        used_as_trained(root, "meta-llama-3-8b-instruct", name)
    stack = "members:\n  - adapter: schema\n  - adapter: kpi\n"
    (root / "configs/stacks").mkdir(exist_ok=True)
    (root / "configs/stacks/pair.yml").write_text(stack, encoding="utf-8")
    assert "error against the exact sum 0" in verb(root, "stack", "--stack", "pair")
    assert adapter_config(run_of(root, "pair"))["r"] == 64
    assert "pair-merged, in float32: logits differ" in verb(root, "merge", "--stack", "pair")
    verb(root, "verify", "--adapter", "pair-merged")


@pytest.mark.slow
def test_a_4_bit_adapter_merges_and_the_difference_is_stated(tmp_path: Path):
    root = small_bases.checkout(tmp_path, ("unimed-attendant",))
    verb(root, "train", "--adapter", "unimed")
    assert "attendant-merged, in 4-bit NF4: logits differ" in verb(root, "merge", "--adapter", "unimed")


@pytest.mark.slow
def test_a_resumed_4_bit_training_goes_on_as_if_never_stopped(tmp_path: Path):
    root = small_bases.checkout(tmp_path, ("unimed-attendant",))
    whole = losses(root, "whole", 1)
    resumed = losses(root, "resumed", 1, resume=root / "outputs/bench/whole/checkpoint-2")
    assert resumed == pytest.approx(whole[2:], abs=1e-4) and len(whole) == 3


@pytest.mark.slow
@pytest.mark.parametrize("name", ["unimed-attendant", "kpi"])
def test_two_processes_train_to_the_loss_of_one(tmp_path: Path, name: str):
    """Same conversations a step: two processes accumulate half as often. Dropout's masks differ, so it is off."""
    root = small_bases.checkout(tmp_path, (name,))
    own = yaml.safe_load((root / "configs" / f"{name}.yml").read_text(encoding="utf-8"))
    half = own["gradient_accumulation_steps"] // 2
    one = losses(root, "one", 1, lora_dropout=0.0)
    two = losses(root, "two", 2, lora_dropout=0.0, gradient_accumulation_steps=half)
    assert two == pytest.approx(one, rel=0.01) and len(one) == 3


def losses(root: Path, name: str, processes: int, resume: Path | None = None, **changes: object) -> list[float]:
    """The loss of each step of the checkout's one adapter, straight through accelerate and Axolotl."""
    config = yaml.safe_load(next((root / "configs").glob("*.yml")).read_text(encoding="utf-8"))
    config |= yaml.safe_load((root / "configs/profiles/small.yml").read_text(encoding="utf-8")) | changes
    work = root / "outputs/bench" / name
    work.mkdir(parents=True)
    config |= {
        "output_dir": str(work),
        "dataset_prepared_path": str(work / "prepared"),
        "plugins": ["scripts.run.progress.Progress"],
    }
    config |= {"resume_from_checkpoint": str(resume)} if resume else {}
    file = work / "config.yml"
    file.write_text(
        yaml.safe_dump({key: value for key, value in config.items() if value is not None}), encoding="utf-8"
    )
    program = "from scripts.run import launch; import sys, pathlib; p = pathlib.Path(sys.argv[1]); "
    program += "n = int(sys.argv[2]); "
    program += (
        "launch.follow(launch.command(p, launch.Machines(n)), True, p.parent / 'log', p.parent / 'progress.jsonl', n)"
    )
    environment = os.environ | {"ADAPTERS_ROOT": str(root), "PYTHONPATH": str(CODE)}
    command = [sys.executable, "-c", program, str(file), str(processes)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=1500)
    assert done.returncode == 0, done.stderr
    return [each["loss"] for each in merged(work / "progress.jsonl")]
