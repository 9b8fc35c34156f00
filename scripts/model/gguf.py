"""A PEFT LoRA folder as a llama.cpp adapter, and a base GGUF with a LoRA added to its weights.

llama.cpp's LoRA file: `general.type=adapter`, `adapter.type=lora`, `adapter.lora.alpha`, and for each target
`<name>.lora_a` (rank × in) and `.lora_b` (out × rank); it applies scale · alpha / rank · B A. For the Llama
architecture it stores the rows of q and k in another order (halves of each head interleaved), so B follows.
float16 factors: a quarter faster than float32 on a CPU, and far finer than the quantised base beneath.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np
import safetensors

from scripts.errors import UserError
from scripts.paths import shown

_NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_KEY = re.compile(r"base_model\.model\.model\.layers\.(\d+)\.(\w+\.\w+)\.lora_([AB])\.weight")
#: What PEFT can train and a GGUF adapter can't carry: key of adapter_config.json -> what it is.
_UNSUPPORTED = {
    "use_dora": "DoRA",
    "lora_bias": "a LoRA bias",
    "modules_to_save": "whole modules",
    "use_qalora": "QALoRA",
}
Pair = tuple[np.ndarray, np.ndarray]


def write_adapter(adapter: Path, config: dict, target: Path) -> None:
    """Writes the adapter folder as one GGUF file; `config` is the base's config.json. Whole or not at all."""
    settings, pairs = _read(adapter, config)
    writer = gguf.GGUFWriter(target.with_suffix(".part"), _architecture(config))
    writer.add_string("general.type", "adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(settings["lora_alpha"]))
    for name, (a, b) in pairs.items():
        writer.add_tensor(f"{name}.lora_a", a.astype(np.float16))
        writer.add_tensor(f"{name}.lora_b", b.astype(np.float16))
    _finish(writer, target)


def write_merged(adapter: Path, config: dict, base: Path, target: Path, template: str) -> None:
    """Writes the base GGUF with the adapter added to its weights; changed tensors become float16, others stay.

    `template` replaces the base's chat template.
    """
    settings, pairs = _read(adapter, config)
    reader = gguf.GGUFReader(base)
    writer = gguf.GGUFWriter(target.with_suffix(".part"), _architecture(config))
    for field in reader.fields.values():
        if not field.name.startswith("GGUF.") and field.name not in ("general.architecture", "tokenizer.chat_template"):
            kind = field.types[0]
            inner = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(field.name, field.contents(), kind, sub_type=inner)
    writer.add_chat_template(template)
    missing = pairs.keys() - {tensor.name for tensor in reader.tensors}
    if missing:
        raise UserError(f"{shown(base)} has no {sorted(missing)[0]}: it is not this adapter's base")
    for tensor in reader.tensors:
        if tensor.name not in pairs:
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
            continue
        a, b = pairs[tensor.name]
        weight = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        scale = settings["lora_alpha"] / a.shape[0]
        writer.add_tensor(
            tensor.name, (weight + scale * (b.astype(np.float32) @ a.astype(np.float32))).astype(np.float16)
        )
    _finish(writer, target)


def _read(adapter: Path, config: dict) -> tuple[dict, dict[str, Pair]]:
    """The adapter's settings and its pairs by GGUF name; UserError where GGUF can't say what PEFT would compute."""
    settings = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    found = [what for key, what in _UNSUPPORTED.items() if settings.get(key)]
    found += ["a bias"] if settings.get("bias", "none") != "none" else []
    if found:
        raise UserError(
            f"{shown(adapter)}: a GGUF adapter can't carry {' or '.join(found)}", next="make merge ADAPTER=…"
        )
    halves: dict[str, dict[str, np.ndarray]] = {}
    for key, value in _tensors(adapter / "adapter_model.safetensors"):
        match = _KEY.fullmatch(key)
        if not match or match[2] not in _NAMES:
            raise UserError(f"{shown(adapter)}: {key} has no place in a GGUF adapter")
        halves.setdefault(f"blk.{match[1]}.{_NAMES[match[2]]}.weight", {})[match[3]] = value
    pairs = {}
    for name, half in sorted(halves.items()):
        a, b = half["A"], half["B"] * half["B"].dtype.type(_correction(settings, len(half["A"])))
        pairs[name] = a, _permuted(b, name, config)
    return settings, pairs


def _correction(settings: dict, rank: int) -> float:
    """What B is multiplied by so that alpha / rank gives PEFT's scale: 1, and √rank for rsLoRA."""
    if settings.get("alpha_pattern") or settings.get("rank_pattern"):
        raise UserError("a GGUF adapter has one alpha and one rank for all its layers")
    return rank**0.5 if settings.get("use_rslora") else 1.0


def _permuted(b: np.ndarray, name: str, config: dict) -> np.ndarray:
    heads = {"attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"]}
    count = heads.get(name.split(".")[2])
    if config["model_type"] != "llama" or not count:
        return b
    out, rank = b.shape
    return np.ascontiguousarray(b.reshape(count, 2, out // count // 2, rank).swapaxes(1, 2).reshape(out, rank))


def _tensors(file: Path) -> Iterator[tuple[str, np.ndarray]]:
    for name, tensor in safetensors.deserialize(file.read_bytes()):
        data, kind = tensor["data"], tensor["dtype"]
        if kind == "BF16":  # float32 without its lower half
            value = (np.frombuffer(data, np.uint16).astype(np.uint32) << 16).view(np.float32)
        else:
            value = np.frombuffer(data, {"F32": np.float32, "F16": np.float16}[kind])
        yield name, value.reshape(tensor["shape"])


def _architecture(config: dict) -> str:
    known = {"llama": "llama", "qwen2": "qwen2"}
    if config.get("model_type") not in known:
        raise UserError(f"no GGUF names for a base of type {config.get('model_type')!r}; there are: {', '.join(known)}")
    return known[config["model_type"]]


def _finish(writer: gguf.GGUFWriter, target: Path) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    target.with_suffix(".part").replace(target)
