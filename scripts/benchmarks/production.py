"""The production sizes on a GPU without their weights: each line of the gpu profile, on and off, through Axolotl.

Every variant trains the same rows from the same seed. It counts only where its gradients and adapter are not zero, a
step trains as many tokens as the profile's, and the loss over held-out rows is within half a per cent of the profile's.
"""

import importlib.util
import json
from contextlib import suppress
from pathlib import Path

from scripts.benchmarks import heldout, machine, randombase, training, work
from scripts.config import adapter, profile
from scripts.cost.measured import DECIDE
from scripts.errors import UserError
from scripts.files import sha256, write_json
from scripts.paths import CONFIGS, OUTPUTS, ROOT, shown
from scripts.run import ready

#: The baseline of packing, whose steps hold less.
UNPACKED = "unpacked, 2 rows"
#: What is changed of the profile; None removes a key.
VARIANTS: dict[str, dict] = {
    "profile": {},
    UNPACKED: {"sample_packing": None, "sdpa_varlen": None, "micro_batch_size": 2, "gradient_accumulation_steps": 1},
    "no sdpa_varlen": {"sdpa_varlen": None},
    "no LoRA kernels": {"lora_mlp_kernel": False, "lora_qkv_kernel": False, "lora_o_kernel": False},
    "no chunked loss": {"chunked_cross_entropy": None},
    "32-bit optimizer": {"optimizer": "adamw_torch_fused"},
    "no tf32": {"tf32": False},
    "no checkpointing": {"gradient_checkpointing": False},
    "compiled": {"torch_compile": True},
    "flash-attn": {"attn_implementation": "flash_attention_2", "sdpa_varlen": None},
}
#: The embedded base's tokenizer has its own template and tokens.
TOKENS = {"revision_of_model": None, "chat_template_jinja": "configs/templates/chatml.jinja", "eot_tokens": None,
          "special_tokens": {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}}  # fmt: skip


def measure(name: str, steps: int, lacking: dict | None = None, architecture: dict | None = None) -> dict:
    """Tokens/s, memory and loss of each variant of an adapter; `lacking` is what the device can't do (tests: a CPU)."""
    config = whole(name) | (lacking or {})
    numbers = architecture or architecture_of(name)
    bits = 4 if config.get("load_in_4bit") else 16
    base, data = build(name, numbers, bits), OUTPUTS / "bench" / "work" / f"{name}.jsonl"
    held = heldout.aside(training.lines(name), data)
    config |= {"base_model": shown(base), "max_steps": steps, "save_strategy": "no", "save_steps": None}
    config["datasets"] = [{**config["datasets"][0], "path": shown(data)}]
    rows = sha256(data)
    ways = {label: f"{name} {label}" for label, change in VARIANTS.items() if possible(change)}
    found = {label: once(way, config | VARIANTS[label], rows) for label, way in ways.items()}
    own = ROOT / config["chat_template_jinja"]
    made = {label: (training.folder_of(ways[label]), own) for label, each in found.items() if "failed" not in each}
    losses = heldout.losses(base, made, held)
    for way in ways.values():
        finished(way).unlink(missing_ok=True)
    size = work.size(numbers, config["lora_r"])
    told = {"base": profile.base_name(adapter.load(name)), "settings": {key: config.get(key) for key in DECIDE}}
    return {"adapter": name, "bits": bits, "steps": steps, **told, "variants": judged(found, losses, size, config)}


def whole(name: str) -> dict:
    """The adapter under the gpu profile, on the tokenizer that is here."""
    config = profile.overlay(adapter.load(name), profile.load("gpu").value) | TOKENS
    return config | {"plugins": [*config.get("plugins", []), profile.PROGRESS], "logging_steps": 1}


def architecture_of(name: str) -> dict:
    """The numbers of the adapter's production base."""
    file = CONFIGS / "architectures" / profile.base_name(adapter.load(name)) / "config.json"
    return json.loads(file.read_text(encoding="utf-8"))


def build(name: str, numbers: dict, bits: int) -> Path:
    """The random base of that adapter."""
    import torch

    target = OUTPUTS / "bench" / f"{profile.base_name(adapter.load(name))}-random" / "base"
    print(f"production: {shown(target)}, random weights in {bits} bits", flush=True)
    where = machine.device()
    dtype = torch.bfloat16 if where == "cuda" else torch.float32
    return randombase.make(numbers, ready.base_folder("cpu"), target, bits, where, dtype)


def possible(change: dict) -> bool:
    """Whether what the variant needs is installed."""
    return "flash" not in str(change.get("attn_implementation")) or importlib.util.find_spec("flash_attn") is not None


def finished(way: str) -> Path:
    """Where a variant's figures wait until the last variant is done."""
    return training.folder_of(way) / "finished.json"


def once(way: str, config: dict, rows: str) -> dict:
    """One variant; if a call that was cut off has finished the same one on the same rows, what it found."""
    asked = {"config": config, "rows": rows}
    with suppress(OSError, ValueError, LookupError):
        before = json.loads(finished(way).read_text(encoding="utf-8"))
        if before["asked"] == asked:
            print(f"training: {way}, finished before", flush=True)
            return before["found"]
    found = ran(way, config)
    if "failed" not in found:
        write_json(finished(way), {"asked": asked, "found": found})
    return found


def ran(way: str, config: dict) -> dict:
    """One variant without its first step, which compiles kernels; one that fails says why and stops no other."""
    try:
        return training.axolotl(way, config, skipped=1)
    except UserError as error:
        return {"failed": str(error).splitlines()[0]}


def judged(found: dict[str, dict], losses: dict[str, float], size: work.Size, config: dict) -> dict[str, dict]:
    """Speeds, and whether each variant learned what the profile learned; `losses` are those over held-out rows."""
    own, wanted = found["profile"], losses.get("profile")
    for label, loss in losses.items():
        each, again = found[label], bool((config | VARIANTS[label]).get("gradient_checkpointing"))
        each["tokens_per_second"] = round(each["tokens"] / each["seconds"], 1)
        flops = work.flops(size, each["tokens"], each["trained"], again)
        each["tflops_per_second"] = round(flops / each["seconds"] / 1e12, 2)
        each["held_out_loss"] = loss
        if label == UNPACKED:
            each["counts"] = each["learned"]
            continue
        each["loss_apart"] = round(abs(loss / wanted - 1), 4) if wanted else None
        alike = wanted and each["trained"] == own["trained"] and each["loss_apart"] <= heldout.APART
        each["counts"] = bool(each["learned"] and alike)
    return found
