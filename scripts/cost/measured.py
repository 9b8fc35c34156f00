"""What was measured over a base: its finished runs, and what `make bench` trained on the same architecture."""

import json
import re
from dataclasses import dataclass

from scripts.config import profile
from scripts.cost.memory import PROCESS_CUDA, sharded
from scripts.paths import OUTPUTS, shown
from scripts.run import manifest

#: What decides a GPU's speed and memory: where one of these differs, a measurement says nothing of a plan.
DECIDE = (
    "sequence_len", "micro_batch_size", "sample_packing", "attn_implementation", "sdpa_varlen", "optimizer", "tf32",
    "chunked_cross_entropy", "lora_mlp_kernel", "lora_qkv_kernel", "lora_o_kernel", "gradient_checkpointing",
    "torch_compile", "load_in_4bit", "lora_r", "lora_target_modules", "deepspeed", "fsdp_version", "use_ray",
)  # fmt: skip


@dataclass(frozen=True)
class Run:
    """One training. `gpu` is the device's own name, empty for a CPU; `memory` in bytes at its peak, 0 where unknown;
    tokens, slots and memory are those of the first of its processes;
    `config` of a finished run is all of it, of `make bench` DECIDE; `data` are the files that it read, as recorded."""

    where: str
    gpu: str
    adapter: str
    config: dict
    tokens: int
    slots: int
    seconds: float
    memory: float
    data: tuple[dict, ...] = ()
    processes: int = 1

    def tells(self, gpu: str, config: dict, processes: int = 1) -> bool:
        """Whether a training under this config on GPUs of that name in gpus.yml would go as this one went."""
        alike = all(self.config.get(key) == config.get(key) for key in DECIDE)
        return named(gpu, self.gpu) and alike and (not sharded(config) or self.processes == processes)


def runs(config: dict) -> list[Run]:
    """Those over a config's base, the most telling first: on a GPU `make bench`, on a CPU the newest finished run."""
    base = profile.base_name(config)
    benched, whole = bench(base), finished(base)
    return [each for each in benched if each.gpu] + whole + [each for each in benched if not each.gpu]


def finished(base: str) -> list[Run]:
    """The adapters trained over a base, the newest first."""
    found = [manifest.read(file.parent) | {"run": file.parent} for file in OUTPUTS.glob(f"{base}/*/{manifest.NAME}")]
    found = [each for each in found if each.get("metrics", {}).get("seconds")]
    return [of(each) for each in sorted(found, key=lambda each: each.get("made", ""), reverse=True)]


def of(written: dict) -> Run:
    """A manifest's figures. Of a GPU's memory it has what torch took; CUDA's own share is the plan's assumption."""
    figures, gpu = written["metrics"], written.get("gpu", "")
    memory = figures.get("peak_memory", 0)
    return Run(
        where=shown(written["run"]),
        gpu=gpu,
        adapter=written["adapter"],
        config=written["config"],
        memory=memory + PROCESS_CUDA if gpu and memory else memory,
        data=tuple(written["data"]["files"]),
        processes=written.get("processes", 1),
        **{key: figures[key] for key in ("tokens", "slots", "seconds")},
    )


def bench(base: str) -> list[Run]:
    """What `make bench` measured: the profile as it is over a production size, or over the embedded base."""
    try:
        parts = json.loads((OUTPUTS / "bench" / "bench.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    found = []
    for name, part in parts.items():
        own = part.get("variants", {}).get("profile") or part.get("ways", {}).get("ours") or {}
        if part.get("base") == base and own.get("counts"):
            where, gpu = f"make bench, {name}", part["machine"].get("gpu", "")
            figures = {key: own[key] for key in ("tokens", "slots", "seconds")}
            memory = own["memory_gb"] * 1e9
            found.append(Run(where, gpu, part["adapter"], part.get("settings", {}), memory=memory, **figures))
    return found


def named(short: str, full: str) -> bool:
    """Whether a GPU of gpus.yml (`A100 40 GB`) is the one that calls itself so (`NVIDIA A100-SXM4-40GB`)."""
    words = re.sub(r"(\d) GB", r"\1GB", short).lower().split()
    return bool(full) and {*words} <= {*re.split(r"[\s-]+", full.lower())}
