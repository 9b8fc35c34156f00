"""Memory of a training by part, in bytes, at its peak: the backward pass of the widest batch.

Sources: bitsandbytes' NF4 with nested statistics (QLoRA, arXiv 2305.14314, section 3: one int8 constant per 64
weights, one fp32 constant per 256 of those); AdamW's two moments, in 8 bits with an fp32 constant per 256 (arXiv
2110.02861); what autograd keeps of a block is read off transformers' modeling_llama.py and PEFT's lora/layer.py
(the method of arXiv 2205.05198, section 4, for frozen weights: a frozen linear layer keeps no input, LoRA's A does).
"""

import math
import re
from functools import cache
from pathlib import Path

from scripts.cost import adapterfile
from scripts.cost.architecture import Architecture
from scripts.cost.steps import Steps

GB = 1e9
NF4_BLOCK, CONSTANTS_BLOCK, MOMENTS_BLOCK = 64, 256, 256
#: Below this many elements bitsandbytes keeps a moment in fp32.
SMALLEST_8BIT = 4096
#: Python, torch and Axolotl before a model is loaded, on a CPU: measured, with the rows tokenised.
PROCESS_CPU = 0.93 * GB
#: Of what comes and goes in a step, glibc holds on to this share besides, because every batch has another shape.
#: Fitted to a training of the embedded base in fp32 (peak 3.2 GB, planned 8 % above); one with CpuStep's own layers
#: peaked at 4.53 GB (unimed-attendant, 950 steps) and was planned 3 % below.
LEFTOVERS_CPU = 0.7
#: oneDNN compiles a bf16 kernel for each shape it meets and keeps 1,024 of them: measured, 0.9 MB each.
KERNELS_CPU = 0.9 * GB
#: CUDA's context, cuBLAS workspaces and the allocator's leftovers: an assumption until a GPU is measured.
PROCESS_CUDA = 1.2 * GB


def parts(architecture: Architecture, config: dict, steps: Steps, cuda: bool) -> dict[str, float]:
    """Part -> bytes of each process; `cuda` where a GPU holds it."""
    trainable = adapterfile.trainable(architecture, config)
    found = {"base weights": weights(architecture, config)}
    if config.get("load_in_4bit"):
        found["quantisation constants"] = constants(architecture.linear)
    found["adapter"] = trainable * float(adapterfile.width(config))
    found["gradients"] = trainable * float(adapterfile.width(config))
    found["optimizer state"] = optimizer(architecture, config)
    if steps.processes > 1 and sharded(config):
        gathered = 2 * found["base weights"] / architecture.layers
        found = {part: size / steps.processes for part, size in found.items()} | {"two blocks, gathered": gathered}
    if config.get("load_in_4bit"):
        found["dequantised layer"] = max(before * after for before, after in architecture.linears.values()) * 2.0
    found["activations"] = activations(architecture, config, steps, cuda)
    found["logits and their loss"] = logits(architecture, config, steps)
    if cuda:
        found["CUDA context, libraries"] = PROCESS_CUDA
    else:
        found["left over by the allocator"] = LEFTOVERS_CPU * (found["activations"] + found["logits and their loss"])
        if size(config) < element(config):
            found["compiled kernels"] = KERNELS_CPU
        found["Python, torch, Axolotl"] = PROCESS_CPU
    return found


def sharded(config: dict) -> bool:
    """Whether each process holds its share of weights, gradients and moments alone, and a block where it computes.

    ZeRO stage 3 (arXiv 1910.02054, section 5) and FSDP; the next block is fetched while one is computed.
    """
    return bool(config.get("deepspeed") or config.get("fsdp_config"))


def element(config: dict) -> int:
    """Bytes of an element of the base's weights."""
    return 2 if config.get("bf16") or config.get("fp16") else 4


def size(config: dict) -> int:
    """Bytes of an element of an activation: 2 as well where our plugin casts an fp32 base's products on this CPU."""
    return 2 if plugin(config, "CpuStep") and cpu_has_bf16() else element(config)


def own_layers(config: dict) -> bool:
    """Whether cpu_layer.py's decoder layers run."""
    return plugin(config, "CpuStep") and not config.get("lora_dropout") and not config.get("gradient_checkpointing")


@cache
def cpu_has_bf16() -> bool:
    """Whether this CPU multiplies in bfloat16, as the plugin finds out by torch."""
    try:
        return bool(re.search(r"\b(avx512_bf16|amx_tile)\b", Path("/proc/cpuinfo").read_text(encoding="utf-8")))
    except OSError:
        return False


def plugin(config: dict, *names: str) -> bool:
    """Whether one of these plugins of ours is on."""
    return any(each.endswith(names) for each in config.get("plugins", ()))


def weights(architecture: Architecture, config: dict) -> float:
    """The base: 4 or 8 bits for the blocks' linear layers where the config says so; Axolotl keeps the rest whole.

    CpuStep casts those layers to 16 bits where the CPU has them and packs them for either side of a product, the output
    layer too; where transformers' layers run in its place, autocast's copies are held until the backward pass.
    """
    casts = size(config) < element(config)
    beside = 0 if not casts else 2 * 8 * size(config) if own_layers(config) else 8 * element(config)
    bits = 4 if config.get("load_in_4bit") else 8 if config.get("load_in_8bit") else 8 * size(config) + beside
    whole = architecture.parameters - architecture.linear
    output = 2 * size(config) * architecture.vocabulary * architecture.hidden if casts else 0
    return architecture.linear * bits / 8 + whole * element(config) + output


def constants(quantised: int) -> float:
    """Double-quantised NF4 constants: 1 byte per 64 weights, 4 bytes per 256 of those: 0.127 bits a weight."""
    blocks = quantised / NF4_BLOCK
    return blocks + 4 * blocks / CONSTANTS_BLOCK


def optimizer(architecture: Architecture, config: dict) -> float:
    """AdamW's two moments: 4 bytes each, or 1 byte and a constant per 256 where the optimizer is an 8-bit one."""
    eight = "8bit" in config["optimizer"]
    total = 0.0
    for rows, columns in adapterfile.tensors(architecture, config).values():
        size = rows * columns
        small = not eight or size < SMALLEST_8BIT
        total += 2 * (4 * size if small else size + 4 * math.ceil(size / MOMENTS_BLOCK))
    return total


def activations(architecture: Architecture, config: dict, steps: Steps, cuda: bool) -> float:
    """What autograd keeps of the widest batch: every block's insides, or every block's input and one's insides."""
    worst = max((slots * block_bytes(architecture, config, row, cuda) for slots, row in steps.shapes), default=0.0)
    copies = cast(architecture, config)
    if config.get("gradient_checkpointing"):
        kept = architecture.layers * steps.widest * architecture.hidden * size(config)
        return kept + worst + copies / architecture.layers
    return architecture.layers * worst + copies


def block_bytes(architecture: Architecture, config: dict, row: int, cuda: bool) -> float:
    """Bytes a token of a row that long that one block keeps for its backward pass.

    Both norms keep their input in fp32; the gated MLP keeps gate, silu(gate) and up; attention keeps q, k, v (both
    repeated for each query head where the kernel asks for it), its output, and without a fused kernel the scores;
    LoRA keeps what goes into A (a copy for each layer where autocast casts it), its middle, and the dropout mask.
    The layers of cpu_layer.py keep their product with up, the input of down, instead of the former, and q, k, v once.
    """
    each, query = size(config), architecture.heads * architecture.head
    targets = targeted(architecture, config)
    inputs = sum(architecture.linears[name][0] for name in targets)
    shared = {"k_proj": "q_proj", "v_proj": "q_proj", "up_proj": "gate_proj"}
    if each == 4 or own_layers(config):  # no cast, so layers that read the same keep it once
        inputs = sum(
            {
                shared.get(name.split(".")[-1], name.split(".")[-1]): architecture.linears[name][0] for name in targets
            }.values()
        )
    dropped = (
        sum(architecture.linears[name][0] for name in targets) * (1 if cuda else 4) if config.get("lora_dropout") else 0
    )
    kept = 3 * architecture.intermediate + inputs + len(targets) * config["lora_r"]
    return 8 * architecture.hidden + kept * each + attention(architecture, config, row, each, query) + dropped


def attention(architecture: Architecture, config: dict, row: int, each: int, query: int) -> float:
    """Bytes a token that attention keeps beside what o_proj's LoRA keeps."""
    kind = config.get("attn_implementation")
    if own_layers(config):
        return (query + 2 * architecture.kv_heads * architecture.head + architecture.heads * row) * each
    if kind == "eager":
        return 3 * query * each + architecture.heads * row * (4 + (each if each == 2 else 0))
    if kind == "sdpa" and not config.get("sdpa_varlen"):
        return (3 + (each == 2)) * query * each + row * each
    return (2 * query + 2 * architecture.kv_heads * architecture.head) * each


def targeted(architecture: Architecture, config: dict) -> list[str]:
    """The linear layers of a block that get an adapter."""
    wanted = config.get("lora_target_modules", ())
    return [name for name in architecture.linears if config.get("lora_target_linear") or name.split(".")[-1] in wanted]


def cast(architecture: Architecture, config: dict) -> float:
    """Copies of LoRA's weights that the backward pass needs: 16-bit ones, or joined ones in cpu_layer.py."""
    if size(config) == 4:
        return 4.0 * adapterfile.trainable(architecture, config) if own_layers(config) else 0.0
    return 2.0 * adapterfile.trainable(architecture, config) if adapterfile.width(config) == 4 else 0.0


def logits(architecture: Architecture, config: dict, steps: Steps) -> float:
    """Logits, their fp32 copy, log-softmax and two gradients, for trained positions only where our plugin is on."""
    positions = steps.widest_trained if plugin(config, "CpuStep") else steps.widest
    if config.get("chunked_cross_entropy"):
        chunks = config.get("chunked_cross_entropy_num_chunks", 8)
        return positions * architecture.vocabulary * (2 * size(config) + 12 / chunks)
    copies = 2 + 12 if size(config) == 2 else 16
    return float(positions * architecture.vocabulary * copies)
