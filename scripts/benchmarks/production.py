"""The production sizes on a GPU without their weights: each line of the gpu profile, on and off, through Axolotl.

Every variant trains the same rows from the same seed. It counts only where gradients are not zero and its loss is
within half a per cent of the profile's own after as many tokens.
"""

import importlib.util
import json
from pathlib import Path

from scripts.benchmarks import machine, randombase, training, work
from scripts.config import adapter, profile, yamlfile
from scripts.errors import UserError
from scripts.paths import CONFIGS, OUTPUTS, PROFILES, ROOT, shown
from scripts.run import ready

#: What is changed of the profile; None removes a key. Packing is compared at rows enough for the steps.
UNPACKED = {"sample_packing": None, "sdpa_varlen": None, "micro_batch_size": 2, "gradient_accumulation_steps": 1}
VARIANTS: dict[str, dict] = {
    "profile": {},
    "unpacked, 2 rows": UNPACKED,
    "no LoRA kernels": {"lora_mlp_kernel": False, "lora_qkv_kernel": False, "lora_o_kernel": False},
    "no chunked loss": {"chunked_cross_entropy": None},
    "32-bit optimizer": {"optimizer": "adamw_torch_fused"},
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
    base = build(name, numbers, bits)
    data = rows(name)
    config |= {"base_model": shown(base), "max_steps": steps, "save_strategy": "no", "save_steps": None}
    config["datasets"] = [{**config["datasets"][0], "path": shown(data)}]
    found = {label: ran(label, config | change) for label, change in VARIANTS.items() if possible(change)}
    size = work.size(numbers, config["lora_r"])
    return {"adapter": name, "bits": bits, "steps": steps, "variants": judged(found, size, config)}


def whole(name: str) -> dict:
    """The adapter under the gpu profile, on the tokenizer that is here."""
    overlay = yamlfile.load(PROFILES / "gpu.yml").value
    config = profile.overlay(adapter.load(name), overlay) | TOKENS
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


def rows(name: str) -> Path:
    """The adapter's own training rows."""
    file = ROOT / adapter.load(name)["datasets"][0]["path"]
    if not file.exists():
        raise UserError(f"{shown(file)}: no such file", next=f"make dataset ADAPTER={name}")
    return file


def possible(change: dict) -> bool:
    """Whether what the variant needs is installed."""
    return "flash" not in str(change.get("attn_implementation")) or importlib.util.find_spec("flash_attn") is not None


def ran(label: str, config: dict) -> dict:
    """One variant; one that fails says why and does not stop the others."""
    try:
        return training.axolotl(label.replace(" ", "-").replace(",", ""), config)
    except UserError as error:
        return {"failed": str(error).splitlines()[0]}


def judged(found: dict[str, dict], size: work.Size, config: dict) -> dict[str, dict]:
    """Speeds, the ratio to the unpacked one, and whether each variant learned what the profile learned."""
    own = found["profile"]
    for label, each in found.items():
        if "failed" in each:
            continue
        each["tokens_per_second"] = round(each["tokens"] / each["seconds"], 1)
        each["tflops_per_second"] = round(
            work.flops(size, each["tokens"], each["trained"], bool(config.get("gradient_checkpointing")))
            / each["seconds"]
            / 1e12,
            2,
        )
        comparable = label != "unpacked, 2 rows" and "loss" in own
        each["loss_apart"] = round(abs(each["loss"] / own["loss"] - 1), 4) if comparable else None
        each["counts"] = each["learned"] and (each["loss_apart"] is None or each["loss_apart"] <= 0.005)
    return found
