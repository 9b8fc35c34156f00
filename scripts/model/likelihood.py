"""How likely a model finds plain sentences: the pre-signal of what an adapter makes it forget."""

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase


@torch.inference_mode()
def likelihoods(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: list[str], batch: int = 16
) -> list[float]:
    """1 / perplexity of each text in (0, 1]: e to the mean log-likelihood of its tokens after the first.

    Sentences start after the token that opens a text in this base's training, or the one that closes one.
    """
    openers = (tokenizer.bos_token_id, tokenizer.pad_token_id, tokenizer.eos_token_id)
    start = next(token for token in openers if token is not None)
    figures: dict[int, float] = {}
    encoded = [[start, *tokenizer.encode(text, add_special_tokens=False)] for text in texts]
    order = sorted(range(len(texts)), key=lambda index: len(encoded[index]))
    for begin in range(0, len(order), batch):
        chosen = order[begin : begin + batch]
        figures |= dict(zip(chosen, _batch(model, [encoded[index] for index in chosen]), strict=True))
    return [figures[index] for index in range(len(texts))]


def _batch(model: PreTrainedModel, encoded: list[list[int]]) -> list[float]:
    """Right-padded: causal attention keeps what follows a sentence from touching it."""
    longest = max(map(len, encoded))
    ids = torch.tensor([each + [each[0]] * (longest - len(each)) for each in encoded], device=model.device)
    kept = torch.tensor([[1] * len(each) + [0] * (longest - len(each)) for each in encoded], device=model.device)
    logits = model(input_ids=ids, attention_mask=kept).logits[:, :-1].float()
    losses = torch.nn.functional.cross_entropy(logits.transpose(1, 2), ids[:, 1:], reduction="none")
    means = (losses * kept[:, 1:]).sum(1) / kept[:, 1:].sum(1)
    return torch.exp(-means).tolist()
