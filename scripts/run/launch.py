"""Starts `accelerate launch -m axolotl.cli.train` on a resolved config and follows it to its end."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from scripts.config import profile
from scripts.errors import UserError
from scripts.paths import CODE, ROOT, shown

#: Seconds between two looks at the progress file: nothing that the training would notice.
LOOK = 0.5
#: Seconds between two lines where the output is no terminal.
QUIET = 30
#: How accelerate's launchers, for one process and for several, say that SIGKILL ended one.
KILLED = re.compile(r"died with <Signals\.SIGKILL|exitcode\s*: -9\b|Signal 9 \(SIGKILL\)")


#: Processes of one training: no cluster is larger.
MOST = 1024


@dataclass(frozen=True)
class Machines:
    """Who trains together: processes over all machines, machines, which one this is, where the first one listens."""

    processes: int = 1
    count: int = 1
    rank: int = 0
    host: str = "127.0.0.1"
    port: int = 29500

    @property
    def here(self) -> int:
        """Processes on this machine."""
        return max(1, self.processes // self.count)


def command(config: Path, machines: Machines = Machines(), cpu: bool = True) -> list[str]:
    """The command line; everything else that Axolotl obeys is in the config."""
    # accelerate's `--cpu` starts one process whatever --num_processes says; its GPU launcher starts as many as it is
    # told, and ACCELERATE_USE_CPU (see environment) keeps them on the CPU.
    where = ["--multi_gpu"] if machines.processes > 1 else ["--cpu"] if cpu else []
    many = ["--num_processes", str(machines.processes), "--num_machines", str(machines.count)]
    if machines.count > 1:
        many += ["--machine_rank", str(machines.rank), "--main_process_ip", machines.host]
    if machines.processes > 1:
        many += ["--main_process_port", str(machines.port)]
    start = [sys.executable, "-m", "accelerate.commands.launch", *where, *many]
    return [*start, "--mixed_precision", "no", "--dynamo_backend", "no", "-m", "axolotl.cli.train", shown(config)]


def environment(offline: bool, processes: int = 1) -> dict[str, str]:
    """Telemetry off (Axolotl sends the config by default), no hub where the base is local, all cores shared out.

    One process sees one GPU: of several transformers makes a DataParallel, its steps as many times as large as the
    config says.
    """
    ours = {"AXOLOTL_DO_NOT_TRACK": "1", "DO_NOT_TRACK": "1", "WANDB_MODE": "disabled", "ADAPTERS_WRAPPED": "1"}
    ours |= {"PYTHONPATH": str(CODE), "TOKENIZERS_PARALLELISM": "false", "PYTHONUNBUFFERED": "1"}
    ours |= {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS") or str(max(1, (os.cpu_count() or 1) // processes))}
    ours |= {} if profile.cuda() else {"ACCELERATE_USE_CPU": "true"}
    if profile.cuda() and processes == 1:
        ours["CUDA_VISIBLE_DEVICES"] = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    ours |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"} if offline else {}
    return {**os.environ, **ours}


def follow(arguments: list[str], offline: bool, log: Path, progress: Path, processes: int = 1) -> None:
    """Runs to the end with a live line; UserError where it fails, with the log's reason and the next command.

    The child reads our stdin's other end: when this process dies, however, the child ends too.
    """
    before = log.stat().st_size if log.exists() else 0  # what an earlier attempt wrote
    with open(log, "ab") as stream:
        child = subprocess.Popen(
            arguments,
            cwd=ROOT,
            env=environment(offline, processes),
            stdin=subprocess.PIPE,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
        try:
            watch(child, progress)
        finally:
            stop(child)
    if child.returncode:
        raise UserError(
            f"training ended early: {reason(log, before, child.returncode)}\nlog: {shown(log)}",
            next="mend that, then the same command again: it resumes from the last complete checkpoint",
        )


def watch(child: subprocess.Popen, progress: Path) -> None:
    """Prints the live line until the child ends."""
    terminal, told, seen = sys.stdout.isatty(), 0.0, progress.stat().st_size if progress.exists() else 0
    began, size = time.monotonic(), seen
    print("starting Axolotl, about half a minute", end="" if terminal else "\n", flush=True)
    while child.poll() is None:
        time.sleep(LOOK)
        now = progress.stat().st_size if progress.exists() else 0
        if now == size and not (terminal and size == seen):
            continue
        if not terminal and time.monotonic() - told < QUIET:
            continue
        size, told = now, time.monotonic()
        text = line(last(progress)) if now > seen else f"starting Axolotl: {time.monotonic() - began:.0f} s"
        print(f"\r\x1b[K{text}" if terminal else text, end="" if terminal else "\n", flush=True)
    if size > seen:
        print(f"\r\x1b[K{line(last(progress))}" if terminal else line(last(progress)), flush=True)


def stop(child: subprocess.Popen) -> None:
    """Ends the child's whole process group, gently and then not."""
    for strength, patience in ((signal.SIGTERM, 10), (signal.SIGKILL, 10)):
        if child.poll() is not None:
            return
        os.killpg(child.pid, strength)
        try:
            child.wait(patience)
        except subprocess.TimeoutExpired:
            continue


def last(progress: Path) -> dict:
    """The last whole line of a progress file; its file end may be half written."""
    with open(progress, "rb") as stream:
        stream.seek(max(0, progress.stat().st_size - 4096))
        lines = stream.read().split(b"\n")
    return json.loads(lines[-2])


def line(step: dict) -> str:
    """`step 120/380  loss 0.412  231 tokens/s  7:45 left`; tokens are real ones, without padding."""
    done, of = step["step"] - step.get("resumed", 0), step["max_steps"] - step.get("resumed", 0)
    # The clock starts with the first batch, so all `done` steps are in `seconds`.
    left = step["seconds"] / max(done, 1) * (of - done)
    speed = step["tokens"] / max(step["seconds"], 1e-9)
    clock = f"{int(left) // 60}:{int(left) % 60:02d}"
    return f"step {step['step']}/{step['max_steps']}  loss {step['loss']:.3f}  {speed:.0f} tokens/s  {clock} left"


def reason(log: Path, start: int = 0, code: int = 1) -> str:
    """The line of the log, from that byte on, that says why: the last error, or the last line."""
    text = log.read_bytes()[start:].decode("utf-8", errors="replace").replace("\r", "\n")
    lines = [each for each in text.splitlines() if each]
    if any("No space left on device" in each for each in lines[-200:]):
        return "the disk is full"
    if code == -signal.SIGKILL or KILLED.search(text):
        return "the process was killed, as the kernel does where memory runs out"
    errors = [each for each in lines if each.startswith(("ValueError", "RuntimeError", "OSError", "torch."))]
    wrappers = ("ChildFailedError", "CalledProcess")
    known = [each for each in lines if "Error:" in each and not any(word in each for word in wrappers)]
    rest = [each for each in lines if not any(word in each for word in wrappers)]
    return (errors or known or rest or ["no output"])[-1].strip()[:300]
