"""vLLM's configuration for the same catalog: worked out from the runs, written as its own YAML, started by exec.

vLLM applies one LoRA a request, so a stack is served as the adapter that `make stack` made of it; per-request
weights are the CPU engine's. Its default for the greatest rank is 16, and it takes only certain ranks.
"""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import yaml

from scripts.errors import UserError
from scripts.files import write
from scripts.paths import ROOT, shown
from scripts.run import ready
from scripts.serve.catalog import BASE, Catalog
from scripts.serve.front import Settings

#: What vLLM takes for --max-lora-rank (its LoRAConfig).
RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)


def configuration(catalog: Catalog, settings: Settings) -> dict:
    """The YAML of `vllm serve --config`: its command-line names as keys."""
    modules = catalog.adapters | {name: catalog.runs / name for name in catalog.stacks if _made(catalog.runs / name)}
    if not modules:
        raise UserError(f"{shown(catalog.runs)}: no adapter to serve", next="make train ADAPTER=…")
    base = ready.base_of(catalog.runs)
    ranks = {name: rank_of(folder) for name, folder in modules.items()}
    values = {
        "model": str(base.source),
        "revision": base.revision,
        "served-model-name": BASE,
        "host": settings.host,
        "port": settings.port,
        "enable-lora": True,
        "max-lora-rank": next((rank for rank in RANKS if rank >= max(ranks.values())), 0),
        "max-loras": len(modules),
        "lora-modules": [f"{name}={folder}" for name, folder in sorted(modules.items())],
        "chat-template": str(template_of(modules)),
        "generation-config": "vllm",  # the base's own sampling defaults would change the answers
        "enable-auto-tool-choice": True,
        "tool-call-parser": "hermes",
        "enable-prefix-caching": True,  # vLLM's key of a cached block holds the LoRA's id
    }
    if not values["max-lora-rank"]:
        raise UserError(f"vLLM serves ranks up to {RANKS[-1]}; {max(ranks, key=ranks.get)} has {max(ranks.values())}")
    return {key: value for key, value in values.items() if value is not None}


def command(catalog: Catalog, settings: Settings, sizes: Mapping[str, int] | None = None) -> list[str]:
    """Writes outputs/<base>/vllm.yml and returns the command that reads it. The key goes by VLLM_API_KEY.

    `sizes` adds vLLM's own names with numbers, but for those that are 0.
    """
    values = configuration(catalog, settings) | {name: size for name, size in (sizes or {}).items() if size}
    file = catalog.runs / "vllm.yml"
    write(file, yaml.safe_dump(values, sort_keys=False))
    return ["vllm", "serve", values["model"], "--config", str(file)]


def launch(line: list[str], key: str, show: bool = False) -> None:
    """Becomes vLLM, or prints the command."""
    print(" ".join(line), flush=True)
    if show:
        return
    program = shutil.which(line[0])
    if not program:
        raise UserError("vLLM is not installed here", next="pip install 'vllm>=0.22.0', or ENGINE=llamacpp")
    os.chdir(ROOT)
    os.execve(program, line, {**os.environ, **({"VLLM_API_KEY": key} if key else {}), "DO_NOT_TRACK": "1"})


def rank_of(folder: Path) -> int:
    """The greatest rank of any of its layers."""
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    return max([config["r"], *(config.get("rank_pattern") or {}).values()])


def template_of(modules: dict[str, Path]) -> Path:
    """The chat template that every module was trained with; UserError where they differ."""
    texts = {name: (folder / "chat_template.jinja").read_bytes() for name, folder in modules.items()}
    if len(set(texts.values())) > 1:
        raise UserError(f"different chat templates: {', '.join(texts)}", next="serve them apart")
    return next(iter(modules.values())) / "chat_template.jinja"


def _made(folder: Path) -> bool:
    return (folder / "adapter_config.json").exists()
