"""What Axolotl 0.19.0 does that the config does not say: its defaults that matter, and what it switches on by itself.

Read off its own code: utils/schemas/config.py and validation.py, core/builders/causal.py, loaders/model.py.
"""

from collections.abc import Iterator

FLASH = ("flash_attention_2", "flash_attention_3", "flex_attention")
KERNELS = ("lora_mlp_kernel", "lora_qkv_kernel", "lora_o_kernel", "lora_embedding_kernel")
#: Key -> (default, what it does).
DEFAULTS = {
    "excess_length_strategy": ("drop", "rows longer than sequence_len are left out without a word"),
    "min_sample_len": (2, "shorter rows are left out"),
    "shuffle_merged_datasets": (True, "rows are shuffled once with the seed"),
    "val_set_size": (0.0, "no row is held back"),
    "train_on_inputs": (False, "only the assistant's turns are trained"),
    "max_grad_norm": (1.0, "gradients are clipped"),
    "sample_packing": (False, "every row keeps its own place in a batch"),
    "save_only_model": (False, "checkpoints hold the optimizer too, so a run resumes"),
}


def silent(config: dict) -> list[tuple[str, str, str]]:
    """(key, value, effect) of each default that the config leaves as it is."""
    found = [(key, f"{value}".lower(), effect) for key, (value, effect) in DEFAULTS.items() if config.get(key) is None]
    if not any(config.get(key) for key in ("pad_to_multiple_of", "pad_to_sequence_len", "sample_packing")):
        found.append(("pad_to_multiple_of", "64", "every batch is padded to a multiple of it"))
    return found


def switched_on(config: dict) -> Iterator[tuple[str, str, str]]:
    """(key, value, effect) of each thing that Axolotl turns on by itself under this config."""
    eight = config["adapter"] == "lora" and config.get("load_in_8bit")
    if all(config.get(key) is None for key in KERNELS) and not eight:
        yield "lora_*_kernel", "true", "fused LoRA kernels; they need CUDA, any one set to false keeps them off"
    if config.get("gradient_checkpointing") and config.get("gradient_checkpointing_kwargs") is None:
        yield "gradient_checkpointing_kwargs", "use_reentrant: true", "blocks are computed again in the backward pass"
    if config.get("load_in_4bit"):
        yield "bnb_4bit_*", "nf4, double quantisation", "4.13 bits a weight; embedding and output layer stay 16-bit"
    if config.get("bf16") and config.get("peft_autocast_adapter_dtype") is not False:
        yield "peft_autocast_adapter_dtype", "true", "adapter, gradients and moments are fp32 over a 16-bit base"
    if config.get("sample_packing"):
        yield "pad_to_sequence_len", "true", "every batch has micro_batch_size x sequence_len slots"
        if config.get("attn_implementation") not in FLASH and not config.get("sdpa_varlen"):
            yield "attention mask", "explicit", "packed rows are kept apart by a mask, which costs speed and memory"
