"""What a run was made of: hashes of config, data, base and weights, versions, commit and figures.

`fingerprint` is one hash over everything that decides the weights. The same fingerprint means up to date.
"""

import contextlib
import hashlib
import importlib.metadata
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from scripts.config import profile
from scripts.files import sha256
from scripts.model import base
from scripts.paths import ROOT

NAME = "manifest.json"
PACKAGES = ("axolotl", "torch", "transformers", "peft", "trl", "accelerate", "bitsandbytes")
SCRIPTS = Path(__file__).parent.parent
#: Our own code that takes part in training, by its place in scripts/.
CODE = ("run/cpu_step.py", "run/cpu_layer.py", "run/token_batches.py", "run/batches.py", "run/repeated.py",
        "model/packed.py")  # fmt: skip


def read(run: Path) -> dict:
    """manifest.json of a run; empty where there is no complete run."""
    try:
        return json.loads((run / NAME).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}


def versions() -> dict[str, str]:
    """The installed versions of what trains; reads metadata and imports nothing."""
    found = {}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def base_of(config: dict) -> dict:
    """The base's identity: hashes where it is local, the pinned revision where it comes from the Hub."""
    folder = profile.base_folder(config)
    if folder:
        return base.identity(folder)
    template = {"chat_template.jinja": sha256(ROOT / config["chat_template_jinja"])}
    return {"name": config["base_model"], "revision": config.get("revision_of_model", ""), "sha256": template}


def inputs(config: dict, data: Sequence[Path]) -> dict:
    """Everything that decides the weights, as hashes and versions."""
    files = [{"path": str(path.relative_to(ROOT)), "sha256": sha256(path)} for path in data]
    code = {name: sha256(SCRIPTS / name) for name in CODE}
    template = sha256(ROOT / config["chat_template_jinja"])
    return {
        "config": config,
        "data": {"files": files},
        "base": base_of(config),
        "template": template,
        "versions": versions(),
        "code": code,
    }


def fingerprint(made_from: dict) -> str:
    """sha256 over the inputs as canonical JSON."""
    return hashlib.sha256(json.dumps(made_from, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def commit() -> dict:
    """The git commit and whether the tree differs from it; empty outside a checkout."""
    try:
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
        changed = subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return {}
    return {"commit": head.stdout.strip(), "dirty": bool(changed.stdout.strip())}


def gpu() -> str:
    """The first GPU's own name; empty where there is none."""
    asked = ["nvidia-smi", "--id=0", "--query-gpu=name", "--format=csv,noheader"]
    try:
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def is_current(run: Path, mark: str) -> bool:
    """Whether the run is complete, was made from exactly these inputs, and its weights are still the same."""
    written = read(run)
    weights = run / "adapter_model.safetensors"
    return written.get("fingerprint") == mark and weights.exists() and sha256(weights) == written.get("weights")
