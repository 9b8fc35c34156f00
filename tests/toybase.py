"""A base of two layers and 260 tokens with random weights, as safetensors and as GGUF, and LoRA adapters for it.

Small enough to load and answer in milliseconds; its answers mean nothing, but any change of a weight changes them.
"""

import json
import shutil
from pathlib import Path

import gguf
import numpy as np
from safetensors.numpy import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from scripts.files import sha256, write_json
from scripts.paths import CODE, TEMPLATES

HIDDEN, LAYERS, HEADS, KV_HEADS, FFN, CONTEXT = 64, 2, 4, 2, 96, 1024
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
SHAPES = {
    "self_attn.q_proj": (HIDDEN, HIDDEN),
    "self_attn.k_proj": (HIDDEN * KV_HEADS // HEADS, HIDDEN),
    "self_attn.v_proj": (HIDDEN * KV_HEADS // HEADS, HIDDEN),
    "self_attn.o_proj": (HIDDEN, HIDDEN),
    "mlp.gate_proj": (FFN, HIDDEN),
    "mlp.up_proj": (FFN, HIDDEN),
    "mlp.down_proj": (HIDDEN, FFN),
}
NAMES = dict(zip(SHAPES, ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"], strict=True))


def write_base(folder: Path, seed: int = 0) -> Path:
    """The base's folder, with the files and the base.json that a real one has."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    tokens = _tokenizer(folder)
    weights = {"model.embed_tokens.weight": _random(rng, len(tokens), HIDDEN) * 4}
    weights["model.norm.weight"] = np.ones(HIDDEN, np.float32)
    for layer in range(LAYERS):
        for name in ("input_layernorm", "post_attention_layernorm"):
            weights[f"model.layers.{layer}.{name}.weight"] = np.ones(HIDDEN, np.float32)
        for name, shape in SHAPES.items():
            weights[f"model.layers.{layer}.{name}.weight"] = _random(rng, *shape) * 3
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    _gguf(folder / "base.gguf", weights, tokens)
    write_json(folder / "config.json", _config(len(tokens)))
    (folder / "chat_template.jinja").write_text((TEMPLATES / "chatml.jinja").read_text(encoding="utf-8"))
    names = ("config.json", "tokenizer.json", "chat_template.jinja", "model.safetensors")
    write_json(folder / "base.json", {"name": "toy", "sha256": {name: sha256(folder / name) for name in names}})
    return folder


def write_adapter(folder: Path, base: Path, seed: int, rank: int = 8, **config) -> Path:
    """A LoRA of all seven projections in PEFT's form, strong enough to change most answers; with its data's tools."""
    folder.mkdir(parents=True)
    tools = CODE / "datasets" / folder.name / "tools.json"
    if tools.exists():
        shutil.copy(tools, folder)
    rng = np.random.default_rng(seed)
    tensors = {}
    for layer in range(LAYERS):
        for name, (out, into) in SHAPES.items():
            key = f"base_model.model.model.layers.{layer}.{name}.lora_"
            tensors[key + "A.weight"] = _random(rng, rank, into)
            tensors[key + "B.weight"] = _random(rng, out, rank) * 2
    save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    targets = [name.split(".")[1] for name in SHAPES]
    settings = {"peft_type": "LORA", "r": rank, "lora_alpha": 2 * rank, "target_modules": targets, "bias": "none"}
    settings |= {"task_type": "CAUSAL_LM", "base_model_name_or_path": str(base), "inference_mode": True} | config
    write_json(folder / "adapter_config.json", settings)
    (folder / "chat_template.jinja").write_text((base / "chat_template.jinja").read_text(encoding="utf-8"))
    identity = json.loads((base / "base.json").read_text(encoding="utf-8"))
    write_json(folder / "manifest.json", {"base": identity, "weights": sha256(folder / "adapter_model.safetensors")})
    return folder


def _random(rng: np.random.Generator, out: int, into: int) -> np.ndarray:
    return (rng.standard_normal((out, into)) / into**0.5).astype(np.float32)


def _tokenizer(folder: Path) -> list[str]:
    """Bytes as tokens and one merge, digits apart, as SmolLM2 has it."""
    tokens = [*SPECIALS, *sorted(pre_tokenizers.ByteLevel.alphabet()), "Ġt"]
    made = Tokenizer(models.BPE(vocab={token: n for n, token in enumerate(tokens)}, merges=[("Ġ", "t")]))
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(token, special=True) for token in SPECIALS])
    made.save(str(folder / "tokenizer.json"))
    ends = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "tokenizer_class": "PreTrainedTokenizerFast"}
    write_json(folder / "tokenizer_config.json", ends)
    return tokens


def _config(vocabulary: int) -> dict:
    sizes = {"hidden_size": HIDDEN, "intermediate_size": FFN, "num_hidden_layers": LAYERS, "vocab_size": vocabulary}
    heads = {"num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS, "max_position_embeddings": CONTEXT}
    ends = {"eos_token_id": 2, "pad_token_id": 0, "bos_token_id": None, "tie_word_embeddings": True}
    kind = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "rms_norm_eps": 1e-5, "rope_theta": 10000.0}
    return kind | sizes | heads | ends


def _gguf(file: Path, weights: dict[str, np.ndarray], tokens: list[str]) -> None:
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_block_count(LAYERS)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(FFN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([3] * len(SPECIALS) + [1] * (len(tokens) - len(SPECIALS)))
    writer.add_token_merges(["Ġ t"])
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(0)
    writer.add_add_bos_token(False)
    writer.add_tensor("token_embd.weight", weights["model.embed_tokens.weight"])
    writer.add_tensor("output_norm.weight", weights["model.norm.weight"])
    for layer in range(LAYERS):
        prefix = f"model.layers.{layer}."
        writer.add_tensor(f"blk.{layer}.attn_norm.weight", weights[prefix + "input_layernorm.weight"])
        writer.add_tensor(f"blk.{layer}.ffn_norm.weight", weights[prefix + "post_attention_layernorm.weight"])
        for name in SHAPES:
            value = weights[f"{prefix}{name}.weight"]
            if name in ("self_attn.q_proj", "self_attn.k_proj"):
                heads = HEADS if "q_proj" in name else KV_HEADS
                value = np.ascontiguousarray(value.reshape(heads, 2, -1, HIDDEN).swapaxes(1, 2).reshape(value.shape))
            writer.add_tensor(f"blk.{layer}.{NAMES[name]}.weight", value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
