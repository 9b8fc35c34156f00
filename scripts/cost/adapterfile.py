"""An adapter's trainable parameters and the exact size of its file, without building it."""

import json

from scripts.cost.architecture import Architecture


def tensors(architecture: Architecture, config: dict) -> dict[str, list[int]]:
    """Name -> shape of every LoRA matrix as PEFT 0.20 saves them: A is (rank, in), B is (out, rank)."""
    rank = config["lora_r"]
    wanted = None if config.get("lora_target_linear") else set(config["lora_target_modules"])
    found = {}
    for layer in range(architecture.layers):
        for name, (before, after) in architecture.linears.items():
            if wanted is None or name.split(".")[-1] in wanted:
                prefix = f"base_model.model.model.layers.{layer}.{name}"
                found[f"{prefix}.lora_A.weight"] = [rank, before]
                found[f"{prefix}.lora_B.weight"] = [after, rank]
    return found


def trainable(architecture: Architecture, config: dict) -> int:
    """Trainable parameters: rank x (in + out) of each target."""
    return sum(rows * columns for rows, columns in tensors(architecture, config).values())


def width(config: dict) -> int:
    """Bytes of a trainable parameter: fp32 unless PEFT is told not to raise it above a 16-bit base."""
    half = config.get("bf16") or config.get("fp16")
    return 2 if half and config.get("peft_autocast_adapter_dtype") is False else 4


def file_bytes(architecture: Architecture, config: dict) -> int:
    """Size of adapter_model.safetensors: 8 bytes, the JSON header padded to 8, the tensors in order of name.

    Format: https://huggingface.co/docs/safetensors, "Format".
    """
    each = width(config)
    kind = "F32" if each == 4 else "F16" if config.get("fp16") else "BF16"
    header: dict[str, dict] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, shape in sorted(tensors(architecture, config).items()):
        end = offset + shape[0] * shape[1] * each
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [offset, end]}
        offset = end
    length = len(json.dumps(header, separators=(",", ":")).encode())
    return 8 + -(-length // 8) * 8 + offset
