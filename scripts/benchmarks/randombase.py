"""A base of a real architecture with random weights, written layer by layer: speed and memory need no trained ones.

In 4 bits it is stored as bitsandbytes stores it (NF4, double quantisation), so that 32 billion parameters are 18 GB on
disk and never more than one layer in memory.
"""

import json
import shutil
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import torch
from safetensors.torch import save_file

from scripts.files import write_json

DONE = "complete.json"
NF4 = {
    "quant_method": "bitsandbytes",
    "load_in_4bit": True,
    "bnb_4bit_quant_type": "nf4",
    "bnb_4bit_use_double_quant": True,
    "bnb_4bit_quant_storage": "bfloat16",
}
TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "special_tokens_map.json")


def make(architecture: dict, tokenizer: Path, target: Path, bits: int, device: str, dtype: torch.dtype) -> Path:
    """The base's folder, made unless it is there whole; the tokenizer is another base's, its words are ids enough."""
    made_of = {"architecture": architecture, "bits": bits, "dtype": str(dtype)}
    if (target / DONE).exists() and json.loads((target / DONE).read_text(encoding="utf-8")) == made_of:
        return target
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    places = shards(architecture, target, bits, device, dtype)
    total = sum(file.stat().st_size for file in target.glob("*.safetensors"))
    write_json(target / "model.safetensors.index.json", {"metadata": {"total_size": total}, "weight_map": places})
    name = str(dtype).removeprefix("torch.")
    quantised = {"quantization_config": NF4 | {"bnb_4bit_compute_dtype": name}} if bits == 4 else {}
    write_json(target / "config.json", architecture | {"dtype": name} | quantised)
    for file in TOKENIZER:
        if (tokenizer / file).exists():
            shutil.copyfile(tokenizer / file, target / file)
    write_json(target / DONE, made_of)
    return target


def shards(architecture: dict, target: Path, bits: int, device: str, dtype: torch.dtype) -> dict[str, str]:
    """Writes one file a layer; tensor name -> file."""
    places: dict[str, str] = {}
    torch.manual_seed(0)
    for layer, names in groupby(
        sorted(shapes(architecture).items(), key=lambda each: layer_of(each[0])), lambda each: layer_of(each[0])
    ):
        tensors: dict[str, torch.Tensor] = {}
        for name, shape in names:
            tensors.update(stored(name, shape, bits, device, dtype))
        file = f"model-{layer + 1:05d}.safetensors"
        save_file(
            {name: each.contiguous().cpu() for name, each in tensors.items()}, target / file, metadata={"format": "pt"}
        )
        places |= dict.fromkeys(tensors, file)
    return places


def shapes(architecture: dict) -> dict[str, tuple[int, ...]]:
    """Every weight of the architecture, from the meta device."""
    from transformers import AutoConfig, AutoModelForCausalLM

    numbers = {key: value for key, value in architecture.items() if key != "model_type"}
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(architecture["model_type"], **numbers))
    return {name: tuple(each.shape) for name, each in model.state_dict().items()}


def layer_of(name: str) -> int:
    """The number of a weight's layer; -1 for what is outside of them."""
    parts = name.split(".")
    return int(parts[2]) if parts[1] == "layers" else -1


def stored(
    name: str, shape: tuple[int, ...], bits: int, device: str, dtype: torch.dtype
) -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors that a checkpoint has for one weight: itself, or its 4 bits with their constants."""
    if len(shape) == 1:
        yield name, (torch.zeros if name.endswith("bias") else torch.ones)(shape, dtype=dtype)
        return
    weight = torch.randn(shape, device=device, dtype=dtype) * 0.02
    if bits != 4 or layer_of(name) < 0:
        yield name, weight
        return
    from bitsandbytes.functional import quantize_4bit

    packed, state = quantize_4bit(weight, quant_type="nf4", compress_statistics=True, quant_storage=torch.bfloat16)
    yield name, packed
    yield from ((f"{name}.{key}", value) for key, value in state.as_dict(packed=True).items())
