"""Memory of a training by part, in bytes, at its peak: the backward pass of the widest batch.

Sources: bitsandbytes' NF4 with nested statistics (QLoRA, arXiv 2305.14314, section 3: one int8 constant per 64
weights, one fp32 constant per 256 of those); AdamW's two moments, in 8 bits with an fp32 constant per 256 (arXiv
2110.02861); what autograd keeps of a block is read off transformers' modeling_llama.py and PEFT's lora/layer.py
(the method of arXiv 2205.05198, section 4, for frozen weights: a frozen linear layer keeps no input, LoRA's A does).
"""

import math

from scripts.cost import adapterfile
from scripts.cost.architecture import Architecture
from scripts.cost.steps import Steps

GB = 1e9
NF4_BLOCK, CONSTANTS_BLOCK, MOMENTS_BLOCK = 64, 256, 256
#: Below this many elements bitsandbytes keeps a moment in fp32.
SMALLEST_8BIT = 4096
#: Python, torch and Axolotl before a model is loaded, on a CPU: measured as the resident size after the import.
PROCESS_CPU = 0.75 * GB
#: CUDA's context, cuBLAS workspaces and the allocator's leftovers: an assumption until a GPU is measured.
PROCESS_CUDA = 1.2 * GB


def parts(architecture: Architecture, config: dict, steps: Steps, cuda: bool) -> dict[str, float]:
    """Part -> bytes; `cuda` where a GPU holds it."""
    trainable = adapterfile.trainable(architecture, config)
    found = {"base weights": weights(architecture, config)}
    if config.get("load_in_4bit"):
        found["quantisation constants"] = constants(architecture.linear)
        found["dequantised layer"] = max(before * after for before, after in architecture.linears.values()) * 2.0
    found["adapter"] = trainable * float(adapterfile.width(config))
    found["gradients"] = trainable * float(adapterfile.width(config))
    found["optimizer state"] = optimizer(architecture, config)
    found["activations"] = activations(architecture, config, steps.widest, steps.longest)
    found["logits and their loss"] = logits(architecture, config, steps)
    if cuda:
        found["CUDA context, libraries"] = PROCESS_CUDA
    else:
        found["Python, torch, Axolotl"] = PROCESS_CPU
    return found


def element(config: dict) -> int:
    """Bytes of an element of weights and activations."""
    return 2 if config.get("bf16") or config.get("fp16") else 4


def weights(architecture: Architecture, config: dict) -> float:
    """The base: 4 or 8 bits for the blocks' linear layers where the config says so; Axolotl keeps the rest whole."""
    bits = 4 if config.get("load_in_4bit") else 8 if config.get("load_in_8bit") else 8 * element(config)
    whole = architecture.parameters - architecture.linear
    return architecture.linear * bits / 8 + whole * element(config)


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


def activations(architecture: Architecture, config: dict, tokens: int, longest: int) -> float:
    """What autograd keeps of `tokens` slots: every block's insides, or every block's input and one block's insides."""
    block = tokens * block_bytes(architecture, config)
    if config["attn_implementation"] == "eager":
        block += 2 * tokens * min(longest, config["sequence_len"]) * architecture.heads * element(config)
    if config.get("gradient_checkpointing"):
        return architecture.layers * tokens * architecture.hidden * element(config) + block
    return architecture.layers * block


def block_bytes(architecture: Architecture, config: dict) -> float:
    """Bytes a token that one block keeps for its backward pass.

    Both norms keep their input in fp32 and give theirs to LoRA's A; attention keeps q, k, v, its output and the
    same as o_proj takes it; the gated MLP keeps gate, silu(gate), up and their product; each LoRA its middle and,
    with dropout, its own input and a mask.
    """
    size, hidden, inner = element(config), architecture.hidden, architecture.intermediate
    query, value = architecture.heads * architecture.head, architecture.kv_heads * architecture.head
    norms = 2 * hidden * 4 + 2 * hidden * size
    attention = (3 * query + 2 * value) * size
    mlp = 4 * inner * size
    targets = architecture.linears if config.get("lora_target_linear") else config["lora_target_modules"]
    middles = len(targets) * config["lora_r"] * size
    dropped = 0
    if config.get("lora_dropout"):
        wanted = {each.split(".")[-1] for each in targets}
        inputs = [before for name, (before, _) in architecture.linears.items() if name.split(".")[-1] in wanted]
        dropped = sum(inputs) * (size + 1)
    return norms + attention + mlp + middles + dropped


def logits(architecture: Architecture, config: dict, steps: Steps) -> float:
    """Logits, their fp32 copy, log-softmax and two gradients, for trained positions only where our plugin is on."""
    only = any(each.endswith("TrainedLogits") for each in config.get("plugins", ()))
    positions = steps.widest_trained if only else steps.widest
    if config.get("chunked_cross_entropy"):
        chunks = config.get("chunked_cross_entropy_num_chunks", 8)
        return positions * architecture.vocabulary * (2 * element(config) + 12 / chunks)
    copies = 2 + 12 if element(config) == 2 else 16
    return float(positions * architecture.vocabulary * copies)
