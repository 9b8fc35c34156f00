"""The sizes of a base, from its config.json: its own folder's, else configs/architectures/<base>/."""

import json
from dataclasses import dataclass
from pathlib import Path

from scripts.config import profile
from scripts.errors import UserError
from scripts.paths import CONFIGS, shown

FOLDER = CONFIGS / "architectures"


@dataclass(frozen=True)
class Architecture:
    """A decoder of the Llama or Qwen2 kind; sizes in elements."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head: int
    intermediate: int
    vocabulary: int
    tied: bool
    bias: bool

    @property
    def linears(self) -> dict[str, tuple[int, int]]:
        """(in, out) of each linear layer of a block, by its full name inside the block."""
        query, value = self.heads * self.head, self.kv_heads * self.head
        return {
            "self_attn.q_proj": (self.hidden, query),
            "self_attn.k_proj": (self.hidden, value),
            "self_attn.v_proj": (self.hidden, value),
            "self_attn.o_proj": (query, self.hidden),
            "mlp.gate_proj": (self.hidden, self.intermediate),
            "mlp.up_proj": (self.hidden, self.intermediate),
            "mlp.down_proj": (self.intermediate, self.hidden),
        }

    @property
    def linear(self) -> int:
        """Weights of all blocks' linear layers: what 4 bits quantise, and what a token is multiplied with."""
        return self.layers * sum(before * after for before, after in self.linears.values())

    @property
    def embedding(self) -> int:
        """Weights of the embedding and, where it is not tied, of the output layer."""
        return self.vocabulary * self.hidden * (1 if self.tied else 2)

    @property
    def parameters(self) -> int:
        """All weights, norms and biases included."""
        biases = (self.heads + 2 * self.kv_heads) * self.head if self.bias else 0
        return self.linear + self.embedding + self.layers * (2 * self.hidden + biases) + self.hidden


def of(config: dict) -> Architecture:
    """The architecture of a resolved config's base; UserError where no file describes it."""
    file = file_of(config)
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
        return parse(value)
    except FileNotFoundError:
        described = ", ".join(sorted(each.name for each in FOLDER.glob("*"))) or "none"
        local = profile.base_folder(config) is not None
        raise UserError(
            f"{shown(file)}: no such file, so {config['base_model']} can't be planned; described are: {described}",
            next="make base" if local else f"put the base's config.json into {shown(file.parent)}/",
        ) from None
    except (ValueError, LookupError, TypeError) as error:
        raise UserError(f"{shown(file)}: not the config.json of a Llama or Qwen2 model: {error}") from None


def file_of(config: dict) -> Path:
    """The config.json that describes the base, whether it is there or not."""
    local = profile.base_folder(config)
    kept = FOLDER / profile.base_name(config) / "config.json"
    return local / "config.json" if local and (local / "config.json").exists() else kept


def parse(value: dict) -> Architecture:
    """A transformers config.json; ValueError or KeyError where it is of another kind."""
    if value["model_type"] not in ("llama", "qwen2"):
        raise ValueError(f"model_type {value['model_type']!r}")
    heads = value["num_attention_heads"]
    return Architecture(
        hidden=value["hidden_size"],
        layers=value["num_hidden_layers"],
        heads=heads,
        kv_heads=value.get("num_key_value_heads") or heads,
        head=value.get("head_dim") or value["hidden_size"] // heads,
        intermediate=value["intermediate_size"],
        vocabulary=value["vocab_size"],
        tied=bool(value.get("tie_word_embeddings")),
        bias=value["model_type"] == "qwen2" or bool(value.get("attention_bias")),
    )
