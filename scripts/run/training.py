"""From a resolved config to a complete run: work folder, resume, launch, proof that it learned, manifest."""

import json
import re
import shutil
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import psutil
import yaml

from scripts.config import adapter, profile
from scripts.cost import adapterfile, architecture
from scripts.errors import UserError
from scripts.files import sha256, write
from scripts.model import base, strict
from scripts.paths import shown
from scripts.run import launch, manifest
from scripts.run.launch import Machines
from scripts.run.progress_file import COMPLETE, merged

#: What a run keeps beside its weights and its template, which have hashes of their own in the manifest.
BESIDE = ("adapter_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
#: What Axolotl leaves in the work folder and a run keeps.
KEPT = ("adapter_model.safetensors", "chat_template.jinja", *BESIDE)
#: Bytes that a training needs free at least, for its log, tokenised rows and a small adapter.
ROOM = 1_000_000_000
#: Seconds that the other machines wait for the first.
PATIENCE = 120


def train(run: Path, made_from: dict, mark: str, offline: bool, machines: Machines) -> None:
    """Trains into the work folder, resuming what is there from the same inputs, and moves the run into its place."""
    config = made_from["config"]
    work = profile.work_folder(run)
    prepare(work, mark, room(config))
    start = resumable(work)
    # Axolotl's own file; the checkpoint to start from is no property of the run and stays out of its manifest.
    resolved = work / "config.yml"
    extra = {"resume_from_checkpoint": shown(start)} if start else {}
    write(resolved, yaml.safe_dump(config | extra, sort_keys=False, allow_unicode=True, width=120))
    if start:
        print(f"resuming from {start.name}", flush=True)
    arguments = launch.command(resolved, machines, cpu=not profile.cuda())
    processes = config.get("ray_num_workers", machines.here)  # Ray, and not accelerate, starts them
    began = time.time()
    launch.follow(arguments, offline, work / "train.log", work / "progress.jsonl", processes)
    together = {"processes": config.get("ray_num_workers", machines.processes)}
    finish(run, work, made_from | together, mark, arguments, time.time() - began)


def join(run: Path, mark: str, offline: bool, machines: Machines) -> None:
    """What a machine but the first does: trains on the config that the first one wrote to the shared folder."""
    work = profile.work_folder(run)
    note, until = work / "fingerprint", time.monotonic() + PATIENCE
    while not (work / "config.yml").exists() or note.read_text(encoding="utf-8") != mark:
        if time.monotonic() > until:
            raise UserError(
                f"machine 0 has not begun the same training in {shown(work)}",
                next="start it there first, from the same commit; the machines need this folder in common",
            )
        time.sleep(1)
    arguments = launch.command(work / "config.yml", machines, cpu=not profile.cuda())
    launch.follow(arguments, offline, work / f"train-{machines.rank}.log", work / "progress.jsonl", machines.here)


def room(config: dict) -> int:
    """Bytes that a training writes at most: checkpoints with AdamW's state, one more while it saves, and the run."""
    try:
        found = architecture.of(config)
    except UserError:  # a base that nothing can be planned for may still be trained
        return ROOM
    checkpoint = adapterfile.file_bytes(found, config) + 8 * adapterfile.trainable(found, config)
    return max(ROOM, (config.get("save_total_limit", 2) + 2) * checkpoint)


def prepare(work: Path, mark: str, needed: int = 0) -> None:
    """An empty work folder, or the one that the same inputs left; UserError where less than `needed` bytes are free."""
    note = work / "fingerprint"
    if work.exists() and (not note.exists() or note.read_text(encoding="utf-8") != mark):
        shutil.rmtree(work)
    work.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(work).free
    if free < needed:
        told = f"{free / 1e9:.1f} GB free, and a training writes up to {needed / 1e9:.0f} GB"
        raise UserError(told, next="make room")
    write(note, mark)


def resumable(work: Path) -> Path | None:
    """The last complete checkpoint; what was being written when the process died, tokenised rows as well, goes."""
    found = sorted(work.glob("checkpoint-*"), key=lambda each: int(re.sub(r"\D", "", each.name) or 0))
    for checkpoint in found:
        if not (checkpoint / COMPLETE).exists():
            shutil.rmtree(checkpoint)
    for tokens in work.glob("prepared-*/*/"):
        if not (tokens / "state.json").exists():  # written last, when Axolotl saves the tokenised rows
            shutil.rmtree(tokens)
    whole = [each for each in found if each.exists()]
    return whole[-1] if whole else None


def finish(run: Path, work: Path, made_from: dict, mark: str, arguments: list[str], launched: float) -> None:
    """Proves that something was learned, then puts the run in its place whole; the manifest is written last."""
    from scripts.model import adapterfolder
    from scripts.run import curve

    steps = merged(work / "progress.jsonl")
    prove(work, steps)

    def fill(made: Path) -> None:
        for name in KEPT:
            if (work / name).exists():
                shutil.copyfile(work / name, made / name)
        for name in ("train.log", "progress.jsonl"):
            shutil.copyfile(work / name, made / name)
        tools = adapter.data_of(run.name) / strict.NAME
        if tools.exists():
            shutil.copyfile(tools, made / strict.NAME)
        write(made / "config.yml", yaml.safe_dump(made_from["config"], sort_keys=False, allow_unicode=True, width=120))
        curve.draw(steps, made / "loss.png", run.name)
        if (last := run / "eval" / "records.jsonl").exists():  # the next evaluation compares with it
            (made / "eval").mkdir()
            shutil.copyfile(last, made / "eval" / last.name)
        written = describe(run, made, made_from, mark, steps, arguments) | {"gpu": manifest.gpu()}
        written["metrics"] |= wall(launched)
        write(made / manifest.NAME, json.dumps(written, ensure_ascii=False, indent=2) + "\n")

    adapterfolder.build(run, fill)
    shutil.rmtree(work)


def prove(work: Path, steps: list[dict]) -> None:
    """UserError where the run learned nothing: a zero gradient or an untouched lora_B hide behind a fine exit code."""
    from safetensors import safe_open

    weights = work / "adapter_model.safetensors"
    if not weights.exists() or not steps:
        raise UserError(f"Axolotl ended without an adapter; log: {shown(work / 'train.log')}", next="read its end")
    with safe_open(weights, framework="pt") as tensors:  # numpy knows no bf16
        touched = all(tensors.get_tensor(name).any() for name in tensors.keys() if "lora_B" in name)
    if not touched or not any(step.get("grad_norm", 0) > 0 for step in steps):
        raise UserError(f"the adapter did not learn: lora_B or gradients are zero; log: {shown(work / 'train.log')}")


def describe(run: Path, made: Path, made_from: dict, mark: str, steps: list[dict], arguments: list[str]) -> dict:
    """The manifest of an adapter."""
    # Sums begin anew where a run was resumed; the later step of an attempt has the larger ones.
    parts = list({step.get("resumed", 0): step for step in steps}.values())
    sums = {key: round(sum(part[key] for part in parts), 2) for key in ("tokens", "trained", "slots", "seconds")}
    figures = {"steps": steps[-1]["step"], "loss": steps[-1]["loss"], "first_loss": steps[0]["loss"], **sums}
    figures["peak_memory"] = max(step.get("peak_memory", 0) for step in steps)
    figures["tokens_per_second"] = round(sums["tokens"] / max(sums["seconds"], 1e-9), 1)
    return {
        "kind": "adapter",
        "adapter": run.name,
        "base": made_from["base"],
        "weights": sha256(made / "adapter_model.safetensors"),
        "files": {name: sha256(made / name) for name in (*BESIDE, strict.NAME) if (made / name).exists()},
        "template": made_from["template"],
        "fingerprint": mark,
        "seed": made_from["config"].get("seed"),
        **{key: made_from[key] for key in ("data", "config", "code", "versions", "processes")},
        "git": manifest.commit(),
        "command": ["python", *arguments[1:]],
        "python": sys.version.split()[0],
        "metrics": figures,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def wall(launched: float) -> dict[str, float]:
    """Seconds since this process began (not of what was stopped before), and how many times those of the launch."""
    whole = time.time() - psutil.Process().create_time()
    return {"wall": round(whole, 1), "wrapper": round(whole / launched, 3)}


def base_untouched(config: dict) -> None:
    """UserError where a local base's bytes are no longer those that were recorded when it was made."""
    folder = profile.base_folder(config)
    if folder and base.measured(folder) != base.identity(folder)["sha256"]:
        raise UserError(f"{shown(folder)}: its files are not the ones it was made with", next="make base FORCE=1")
