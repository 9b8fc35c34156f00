"""The same rows trained three ways: by the cpu profile, by stock Axolotl settings, by the guide's plain script."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from scripts.benchmarks import heldout, memory, work
from scripts.config import adapter, profile
from scripts.errors import UserError
from scripts.files import write
from scripts.model import base
from scripts.paths import CODE, OUTPUTS, ROOT, shown
from scripts.run import launch, manifest
from scripts.run.progress_file import merged
from scripts.run.training import prove

#: Of the profile, what stock settings do without; Axolotl's defaults come in their place.
OURS = (
    "plugins",
    "batch_tokens",
    "repeated_answers",
    "answer_start_weight",
    "pad_to_multiple_of",
    "attn_implementation",
    "group_by_length",
)


def measure(name: str, rows: int, peaks: dict[str, float]) -> dict:
    """Seconds and tokens of each way, and how our profile compares."""
    folder = OUTPUTS / "bench" / "work"
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "rows.jsonl"
    # Without tool calls: the base's own template, which the stock way uses, can't render those.
    held = heldout.aside([line for line in lines(name) if '"tool' not in line], data, rows)
    config = ours(name, data)
    base_model, own, plain = ROOT / config["base_model"], ROOT / config["chat_template_jinja"], folder / "stock.jinja"
    ways = {"ours": axolotl("ours", config), "stock Axolotl": axolotl("stock", stock(config, name, folder))}
    ways["guide's script"] = guide(base_model, data, folder)
    made = zip(ways, ((folder / "ours", own), (folder / "stock", plain), (folder / "guide", plain)), strict=True)
    for label, loss in heldout.losses(base_model, dict(made), held).items():
        ways[label]["held_out_loss"] = loss
    metrics = manifest.read(profile.run_folder(name, "cpu")).get("metrics", {})
    wrapper = metrics.get("wrapper", f"make train ADAPTER={name} measures it")
    return compared(ways, config, peaks) | {"adapter": name, "wrapper": wrapper}


def lines(name: str) -> list[str]:
    """The adapter's own training rows; UserError where they are not built."""
    source = ROOT / adapter.load(name)["datasets"][0]["path"]
    if not source.exists():
        raise UserError(f"{shown(source)}: no such file", next=f"make dataset ADAPTER={name}")
    with open(source, encoding="utf-8") as stream:
        return list(stream)


def ours(name: str, data: Path) -> dict:
    """The resolved config of the adapter under the cpu profile, for one pass over these rows."""
    config = profile.resolve(name, "cpu")
    config["datasets"] = [{**config["datasets"][0], "path": shown(data)}]
    return config | {"num_epochs": 1, "max_steps": None, "save_strategy": "no", "save_steps": None}


def stock(config: dict, name: str, folder: Path) -> dict:
    """Axolotl's defaults on the same base, rows and adapter: its padding, its attention, the base's own template."""
    template = folder / "stock.jinja"
    write(template, own_template(ROOT / config["base_model"]))
    plain = {key: value for key, value in config.items() if key not in OURS}
    meter = {"plugins": [profile.PROGRESS], "chat_template_jinja": shown(template)}
    return plain | meter | {"lora_dropout": adapter.load(name)["lora_dropout"], "attn_implementation": "sdpa"}


def own_template(folder: Path) -> str:
    """The chat template that the embedded base was published with: it injects a system prompt."""
    from gguf import GGUFReader

    field = GGUFReader(folder / "base.gguf").fields["tokenizer.chat_template"]
    return bytes(field.parts[field.data[0]]).decode("utf-8")


def folder_of(name: str) -> Path:
    """Where a way is trained, by its label."""
    return OUTPUTS / "bench" / "work" / name.replace(" ", "-").replace(",", "")


def axolotl(name: str, config: dict, skipped: int = 0) -> dict:
    """Trains in a folder of its own under outputs/bench/ and reads what its progress file counted.

    Tokens, slots and seconds are without the first `skipped` steps. UserError where it fails or nothing was learned.
    """
    folder = folder_of(name)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    config = config | {"output_dir": shown(folder), "dataset_prepared_path": shown(folder / "prepared")}
    file = folder / "config.yml"
    write(file, yaml.safe_dump({key: value for key, value in config.items() if value is not None}, sort_keys=False))
    print(f"training: {name}", flush=True)
    command = launch.command(file, cpu=not profile.cuda())
    with memory.Watch() as watch:
        launch.follow(command, True, folder / "train.log", folder / "progress.jsonl")
    steps = merged(folder / "progress.jsonl")
    prove(folder, steps)
    last, before = steps[-1], steps[skipped - 1] if skipped else {}
    found = {key: round(last[key] - before.get(key, 0), 2) for key in ("tokens", "trained", "slots", "seconds")}
    found |= {"steps": last["step"], "loss": last["loss"], "padding": round(1 - found["tokens"] / found["slots"], 4)}
    found["learned"] = all(step.get("grad_norm", 0) > 0 for step in steps)
    return found | {"memory_gb": watch.most}


def guide(base_model: Path, data: Path, folder: Path) -> dict:
    """The guide's section 3.2 in a process of its own."""
    print("training: the guide's script", flush=True)
    template, out = folder / "stock.jinja", folder / "guide.json"
    arguments = [str(base_model), str(data), str(template), str(out), str(folder / "guide")]
    done = subprocess.run(
        [sys.executable, "-m", "scripts.benchmarks.guide_trainer", *arguments],
        cwd=CODE,
        env=launch.environment(offline=True),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise UserError(f"the guide's script ended early: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
    return json.loads(out.read_text(encoding="utf-8"))


def compared(ways: dict[str, dict], config: dict, peaks: dict[str, float]) -> dict:
    """Tokens that have a label in our rows, a second, whatever else a way computes; and the share of the peak.

    Our speed counts where our adapter finds held-out answers at least as likely as the stock one does, within APART.
    """
    architecture = json.loads((ROOT / config["base_model"] / "config.json").read_text(encoding="utf-8"))
    own = ways["ours"]
    needed = work.flops(work.size(architecture, config["lora_r"]), own["tokens"], own["trained"])
    for way in ways.values():
        way["trained_tokens_per_second"] = round(own["trained"] / way["seconds"], 1)
        way["row_tokens_per_second"] = round(own["tokens"] / way["seconds"], 1)
        way["times_slower"] = round(way["seconds"] / own["seconds"], 2)
    share = {f"share_of_{name}_peak": round(needed / own["seconds"] / (peak * 1e9), 3) for name, peak in peaks.items()}
    rate = {"gflops_needed_per_second": round(needed / own["seconds"] / 1e9, 1)}
    own["loss_apart"] = round(own["held_out_loss"] / ways["stock Axolotl"]["held_out_loss"] - 1, 4)
    own["counts"] = own["learned"] and own["loss_apart"] <= heldout.APART
    return {"ways": ways, "base": base.identity(ROOT / config["base_model"])["name"], **rate, **share}
