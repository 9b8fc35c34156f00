"""A real training of a few steps through Axolotl on the embedded base: killed, resumed, complete, up to date."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import pytest
import yaml
from toybase import write_adapter, write_base

from scripts import train
from scripts.config import profile
from scripts.errors import UserError
from scripts.model import base
from scripts.paths import CODE, ROOT
from scripts.run import launch, lock, manifest, training
from scripts.run.progress_file import COMPLETE, merged

pytestmark = pytest.mark.timeout(600) if "pytest_timeout" in sys.modules else []


def start(checkout: Path, **variables: str) -> subprocess.Popen:
    environment = os.environ | {"ADAPTERS_ROOT": str(checkout), "PYTHONPATH": str(CODE)} | variables
    command = [sys.executable, "-m", "scripts.train", "--adapter", "toy", "--profile", "cpu"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_for(condition, seconds: float, child: subprocess.Popen) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert child.poll() is None, child.stdout.read()
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.1)


def trainers(checkout: Path) -> list[str]:
    """Command lines of processes that train on this checkout."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if "axolotl.cli.train" in command and (entry / "cwd").resolve() == checkout:
                found.append(command)
        except OSError:
            continue
    return found


def test_a_killed_training_resumes_and_ends_complete(checkout: Path, verb, base_folder: Path):
    before = base.measured(base_folder)
    run = checkout / "outputs" / base_folder.parent.name / "toy"
    work = run.parent / ".toy.work"
    first = start(checkout)
    wait_for(lambda: (work / "checkpoint-2" / COMPLETE).exists(), 300, first)
    second = verb("train", "--adapter", "toy", "--profile", "cpu")
    assert second.returncode == 1 and "is being trained already, by process" in second.stderr
    first.send_signal(signal.SIGKILL)  # nothing of ours can react to this one
    first.wait()
    until = time.monotonic() + 20
    while trainers(checkout) and time.monotonic() < until:
        time.sleep(0.2)
    assert trainers(checkout) == [], "an orphan goes on training"
    assert not run.exists()

    done = verb("train", "--adapter", "toy", "--profile", "cpu")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "resuming from checkpoint-" in done.stdout and "before and after" in done.stdout
    complete(run)
    assert base.measured(base_folder) == before, "the base was written to"
    began = time.monotonic()
    again = verb("train", "--adapter", "toy", "--profile", "cpu")
    assert "is up to date" in again.stdout and time.monotonic() - began < 5  # 2 s on a machine that is not shared

    answered = checkout / "answers.jsonl"
    (checkout / "asked.jsonl").write_text('{"messages": [{"role": "user", "content": "oi"}], "mine": 1}\n', "utf-8")
    told = verb("predict", ADAPTER="toy", IN=str(checkout / "asked.jsonl"), OUT=str(answered), PROFILE="cpu")
    assert told.returncode == 0, told.stderr
    line = json.loads(answered.read_text(encoding="utf-8"))
    assert line["mine"] == 1 and line["answer"]["role"] == "assistant" and line["answer"]["content"]


@pytest.mark.slow
def test_two_machines_train_one_adapter(checkout: Path, base_folder: Path):
    """Both on this machine, over one folder: machine 1 joins what machine 0 begins, and leaves the adapter to it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        together = {"PROCESSES": "2", "MACHINES": "2", "MAIN": f"127.0.0.1:{free.getsockname()[1]}"}
    machines = [start(checkout, **together, MACHINE=str(rank)) for rank in (0, 1)]
    said = [machine.communicate(timeout=500)[0] for machine in machines]
    assert [machine.returncode for machine in machines] == [0, 0], said
    assert "before and after" in said[0] and "machine 1 of 2 is done; machine 0 has the adapter" in said[1]
    complete(checkout / "outputs" / base_folder.parent.name / "toy")
    assert trainers(checkout) == []


def test_the_command_says_who_trains_together():
    alone = launch.command(Path("config.yml"), cpu=True)
    assert "--cpu" in alone and "--multi_gpu" not in alone and alone[-2:] == ["axolotl.cli.train", "config.yml"]
    many = launch.command(Path("config.yml"), launch.Machines(16, 2, 1, "10.0.0.1", 29501), cpu=False)
    told = "--multi_gpu --num_processes 16 --num_machines 2 --machine_rank 1 --main_process_ip 10.0.0.1"
    assert told in " ".join(many) and "--main_process_port 29501" in " ".join(many)
    assert launch.Machines(16, 2).here == 8


@pytest.mark.parametrize(
    ("cuda", "processes", "visible", "seen"),
    [
        (True, 1, None, "0"),
        (True, 1, "2,3", "2"),
        (True, 8, "2,3", "2,3"),
        (True, 8, None, None),
        (False, 1, None, None),
    ],
)
def test_one_process_sees_one_gpu(monkeypatch, cuda: bool, processes: int, visible: str | None, seen: str | None):
    monkeypatch.setattr(launch.profile, "cuda", lambda: cuda)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert launch.environment(False, processes).get("CUDA_VISIBLE_DEVICES") == seen


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "the process was killed, as the kernel does"),
        ("raise SystemExit('died with <Signals.SIGKILL: 9>.')", "the process was killed, as the kernel does"),
        ("raise SystemExit('  exitcode  : -9 (pid: 7)')", "the process was killed, as the kernel does"),
        ("raise KeyError('base')", "KeyError: 'base'"),
        ("raise SystemExit(3)", "no output"),
    ],
)
def test_why_a_training_ended_is_this_attempts_reason(tmp_path: Path, monkeypatch, script: str, said: str):
    monkeypatch.setattr(launch, "LOOK", 0.01)
    (tmp_path / "train.log").write_text("ValueError: of the attempt before\n", encoding="utf-8")
    with pytest.raises(UserError, match="training ended early") as ended:
        launch.follow([sys.executable, "-c", script], True, tmp_path / "train.log", tmp_path / "progress.jsonl")
    assert said in str(ended.value) and "the attempt before" not in str(ended.value)


@pytest.mark.parametrize("ray", [True, False])
def test_a_worker_of_ray_reads_the_paths_of_the_checkout(tmp_path: Path, monkeypatch, ray: bool):
    from scripts.run.progress import Progress

    monkeypatch.delenv("ADAPTERS_WRAPPED", raising=False)
    monkeypatch.chdir(tmp_path)
    Progress().register({"use_ray": True} if ray else {})
    assert Path.cwd() == (ROOT if ray else tmp_path)


def complete(run: Path) -> None:
    """A run has everything that it promises, and its manifest says what it was made of."""
    expected = "adapter_config.json adapter_model.safetensors tokenizer.json chat_template.jinja manifest.json loss.png"
    assert set(expected.split()) <= {each.name for each in run.iterdir()}
    written = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    assert written["metrics"]["steps"] == 6 and written["metrics"]["loss"] < written["metrics"]["first_loss"]
    assert written["metrics"]["wrapper"] > 1
    assert written["data"]["files"][0]["path"] == "datasets/toy/rows.jsonl"
    assert [each["step"] for each in merged(run / "progress.jsonl")] == [1, 2, 3, 4, 5, 6]
    config = yaml.safe_load((run / "config.yml").read_text(encoding="utf-8"))
    assert config["lora_r"] == 32 and config["base_model"].endswith("/base") and "resume_from_checkpoint" not in config


def test_a_manifest_says_what_the_verb_took_beside_the_launch(tmp_path: Path, monkeypatch):
    """The launch is pretended: it leaves what Axolotl would."""
    work = tmp_path / "outputs" / ".toy.work"
    step = {"step": 1, "loss": 2.0, "grad_norm": 1.0, "tokens": 9, "trained": 5, "slots": 12, "seconds": 0.1}

    def launched(*_):
        adapter = write_adapter(tmp_path / "made", write_base(tmp_path / "base"), seed=1)
        shutil.copytree(adapter, work, dirs_exist_ok=True)
        (work / "progress.jsonl").write_text(json.dumps(step) + "\n", encoding="utf-8")
        (work / "train.log").touch()
        time.sleep(0.5)

    monkeypatch.setattr(training.launch, "follow", launched)
    monkeypatch.setattr(training, "room", lambda config: 0)
    made_from = {key: {} for key in ("base", "template", "data", "code", "versions")} | {"config": {"seed": 42}}
    training.train(tmp_path / "outputs" / "toy", made_from, "mark", True, launch.Machines())
    written = json.loads((tmp_path / "outputs/toy/manifest.json").read_text(encoding="utf-8"))
    figures = written["metrics"]
    assert figures["wall"] > 0.5 and figures["wrapper"] > 1 and written["gpu"] == manifest.gpu()


def test_only_marked_checkpoints_are_resumed_from(tmp_path: Path):
    for step, marked in ((50, True), (100, True), (150, False)):
        (tmp_path / f"checkpoint-{step}").mkdir()
        if marked:
            (tmp_path / f"checkpoint-{step}" / COMPLETE).touch()
    for name in ("prepared-1/whole", "prepared-1/cut"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "prepared-1" / "whole" / "state.json").touch()
    assert training.resumable(tmp_path).name == "checkpoint-100"
    assert not (tmp_path / "checkpoint-150").exists()
    assert [each.name for each in (tmp_path / "prepared-1").iterdir()] == ["whole"]


def test_what_a_kill_after_the_training_left_undone_is_done_once(tmp_path: Path, monkeypatch):
    run, shown = tmp_path / "toy" / "kpi", []
    (run.parent / ".kpi.work").mkdir(parents=True)
    run.mkdir()
    monkeypatch.setattr(train.profile, "run_folder", lambda *_: run)
    monkeypatch.setattr(train, "data_of", lambda name: [Path(__file__)])
    monkeypatch.setattr(train.manifest, "inputs", lambda *_: {})
    monkeypatch.setattr(train.manifest, "is_current", lambda *_: True)
    monkeypatch.setattr(train, "compare", lambda run: shown.append((run / "before-after.md").touch()))
    for _ in range(2):
        train.main(["--adapter", "kpi", "--profile", "cpu", "--force", "0"])
    assert len(shown) == 1 and not (run.parent / ".kpi.work").exists()


def test_other_inputs_start_from_nothing(tmp_path: Path):
    training.prepare(tmp_path / "work", "one")
    (tmp_path / "work" / "checkpoint-2").mkdir()
    training.prepare(tmp_path / "work", "one")
    assert (tmp_path / "work" / "checkpoint-2").exists()
    training.prepare(tmp_path / "work", "other")
    assert not (tmp_path / "work" / "checkpoint-2").exists()


@pytest.mark.parametrize("learned", [True, False])
def test_an_adapter_of_16_bits_is_proved_like_any_other(tmp_path: Path, learned: bool):
    import torch
    from safetensors.torch import save_file

    tensors = {f"q_proj.lora_{half}.weight": torch.ones(2, 2, dtype=torch.bfloat16) for half in "AB"}
    tensors["q_proj.lora_B.weight"] *= learned
    save_file(tensors, tmp_path / "adapter_model.safetensors")
    with nullcontext() if learned else pytest.raises(training.UserError, match="the adapter did not learn"):
        training.prove(tmp_path, [{"step": 1, "grad_norm": 1.0}])


def test_a_new_run_keeps_the_old_answers_but_not_their_figures(tmp_path: Path):
    """The next evaluation compares with the answers; figures, and a report of them, would be those of other weights."""
    import torch
    from safetensors.torch import save_file

    run, work = tmp_path / "toy" / "kpi", tmp_path / "toy" / ".kpi.work"
    for file in (work / "train.log", run / "eval/metrics.json", run / "eval/records.jsonl", run / "eval/of.json"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("old", encoding="utf-8")
    save_file({"lora_B.weight": torch.ones(2, 2)}, work / "adapter_model.safetensors")
    step = {"step": 1, "loss": 1.0, "grad_norm": 1.0, "tokens": 9, "trained": 9, "slots": 9, "seconds": 1.0}
    (work / "progress.jsonl").write_text(json.dumps(step) + "\n", encoding="utf-8")
    made_from = {"config": {}, "base": {}, "template": "", "data": {}, "code": {}, "versions": {}, "processes": 1}
    (work / "adapter_config.json").write_text("{}", encoding="utf-8")
    training.finish(run, work, made_from, "mark", ["python"], 1.0)
    assert set(json.loads((run / "manifest.json").read_text(encoding="utf-8"))["files"]) >= {"adapter_config.json"}
    assert [each.name for each in (run / "eval").iterdir()] == ["records.jsonl"]
    assert (run / "eval/records.jsonl").read_text(encoding="utf-8") == "old" and not work.exists()


@pytest.mark.parametrize(("chosen", "least", "most"), [("cpu", 1, 1), ("gpu", 12, 14)])
def test_the_room_that_is_needed_grows_with_the_adapter(chosen: str, least: int, most: int):
    """The attendant's: 32 bits of 268 million parameters and AdamW's two moments, three checkpoints and the run."""
    config = profile.resolve("unimed-attendant", chosen)
    assert least * 10**9 <= training.room(config) <= most * 10**9
    assert training.room(config | {"base_model": "nobody/planned-it"}) == training.ROOM


def test_a_full_disk_is_said_before_anything_starts(tmp_path: Path):
    with pytest.raises(training.UserError, match="GB free, and a training writes up to"):
        training.prepare(tmp_path / "work", "one", 10**18)


def test_a_step_that_ran_twice_counts_once(tmp_path: Path):
    lines = [{"step": 1, "loss": 3.0}, {"step": 2, "loss": 2.0}, {"step": 2, "loss": 2.5}]
    text = "\n".join(map(json.dumps, lines)) + '\n{"step": 3, "lo'
    (tmp_path / "progress.jsonl").write_text(text, encoding="utf-8")
    assert [each["loss"] for each in merged(tmp_path / "progress.jsonl")] == [3.0, 2.5]


def test_the_sums_of_a_resumed_run_are_those_of_all_its_parts(tmp_path: Path):
    """The second part is longer than the first: its seconds never fall below those of the first part's last step."""
    (tmp_path / "adapter_model.safetensors").touch()
    step = {"loss": 1.0, "trained": 1, "slots": 1}
    steps = [step | {"step": 1, "tokens": 10, "seconds": 1.0}, step | {"step": 2, "tokens": 30, "seconds": 2.0}]
    steps += [step | {"step": n, "tokens": 50 * n, "seconds": 5.0 * n, "resumed": 2} for n in (3, 4)]
    made_from = {key: {} for key in ("base", "template", "data", "config", "code", "versions", "processes")}
    metrics = training.describe(tmp_path / "kpi", tmp_path, made_from, "mark", steps, ["python"])["metrics"]
    assert (metrics["tokens"], metrics["seconds"], metrics["steps"]) == (230, 22.0, 4)


def test_the_lock_is_free_again_after_its_holder(tmp_path: Path):
    run = tmp_path / "base" / "toy"
    with lock.held(run), pytest.raises(lock.UserError, match="process"), lock.held(run):
        pass
    with lock.held(run):
        assert (run.parent / ".toy.lock").read_text(encoding="utf-8").isdecimal()
