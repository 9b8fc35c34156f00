"""How much arithmetic a training step is, from an architecture's numbers alone."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """Weights that take part in products: of the layers, of the output layer, and of the adapter."""

    body: int
    head: int
    lora: int


def size(architecture: dict, rank: int) -> Size:
    """Of a Llama or Qwen2 config.json with an adapter of that rank on all seven projections."""
    hidden, middle, layers = (architecture[key] for key in ("hidden_size", "intermediate_size", "num_hidden_layers"))
    width = hidden // architecture["num_attention_heads"]
    keys = architecture["num_key_value_heads"] * width
    shapes = [(hidden, hidden)] * 2 + [(hidden, keys)] * 2 + [(hidden, middle)] * 3
    body = sum(one * other for one, other in shapes)
    lora = rank * sum(one + other for one, other in shapes)
    return Size(layers * body, hidden * architecture["vocab_size"], layers * lora)


def flops(of: Size, tokens: float, answered: float, again: bool = False) -> float:
    """Floating-point operations that training on so many tokens needs, `answered` of them with a label.

    A frozen weight costs two operations forwards and two backwards, an adapter's six; `again` adds the second forward
    pass of gradient checkpointing. Attention's own products are left out: at these lengths about 1 %.
    """
    frozen, own = (6, 8) if again else (4, 6)
    return tokens * (frozen * of.body + own * of.lora) + answered * 4 * of.head
