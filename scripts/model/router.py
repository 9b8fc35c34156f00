"""Picks the adapter for a question, or the base for a question that is nobody's: no training run, one short forward.

A question is the mean of the base's hidden states (a layer a third of the way up) over its tokens. Ridge
regression on a few hundred training questions of each adapter separates the adapters; a question that is less
like any of them than 99 of 100 of their own questions are goes to the base.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from scripts.model.generate import BASE, Generator

#: Questions per adapter, tokens of each (the last ones), ridge penalty, and the share of own questions given up.
QUESTIONS, TOKENS, RIDGE, LOST = 400, 96, 1.0, 0.01


@dataclass(frozen=True)
class Router:
    """`weights` (features + 1, adapters); a question is standardised by `mean` and `spread` first."""

    names: tuple[str, ...]
    mean: np.ndarray
    spread: np.ndarray
    weights: np.ndarray
    known: np.ndarray
    least: float

    def choose(self, vectors: np.ndarray) -> list[str]:
        """The adapter, or `base`, of each question (n, features)."""
        scaled = (vectors - self.mean) / self.spread
        best = np.argmax(_with_one(scaled) @ self.weights, axis=1)
        near = nearness(scaled, self.known)
        return [self.names[one] if close >= self.least else BASE for one, close in zip(best, near, strict=True)]


def fit(vectors: dict[str, np.ndarray], seed: int = 0) -> Router:
    """A router from the vectors of each adapter's questions; a tenth of them calibrates what is nobody's."""
    names, order = tuple(sorted(vectors)), np.random.default_rng(seed)
    mixed = {name: vectors[name][order.permutation(len(vectors[name]))] for name in names}
    held = {name: max(1, len(each) // 10) for name, each in mixed.items()}
    trained = np.concatenate([mixed[name][held[name] :] for name in names])
    mean, spread = trained.mean(0), trained.std(0) + 1e-6
    scaled = (trained - mean) / spread
    wanted = np.concatenate([np.full(len(mixed[name]) - held[name], index) for index, name in enumerate(names)])
    targets = np.eye(len(names))[wanted] * 2 - 1
    features = _with_one(scaled)
    weights = np.linalg.solve(features.T @ features + RIDGE * np.eye(features.shape[1]), features.T @ targets)
    known = scaled / np.linalg.norm(scaled, axis=1, keepdims=True)
    apart = (np.concatenate([mixed[name][: held[name]] for name in names]) - mean) / spread
    return Router(names, mean, spread, weights, known, float(np.quantile(nearness(apart, known), LOST)))


def nearness(scaled: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Cosine with the nearest known question."""
    return (scaled / (np.linalg.norm(scaled, axis=1, keepdims=True) + 1e-9) @ known.T).max(1)


def _with_one(scaled: np.ndarray) -> np.ndarray:
    """Scaled by √features, so that a penalty means the same for every width; and a constant."""
    return np.concatenate([scaled / np.sqrt(scaled.shape[1]), np.ones((len(scaled), 1))], axis=1)


@torch.inference_mode()
def embed(generator: Generator, chats: Sequence[list[dict]], batch: int = 32) -> np.ndarray:
    """(n, hidden) of what people and tools said in each conversation, by the base without adapters."""
    model, device = generator.model, generator.model.device
    body = model.get_base_model().model if hasattr(model, "get_base_model") else model.model
    layer = max(1, model.config.num_hidden_layers // 3)
    tokens = [generator.tokenizer.encode(said(chat), add_special_tokens=False)[-TOKENS:] or [0] for chat in chats]
    order, found = sorted(range(len(chats)), key=lambda index: len(tokens[index])), {}
    for start in range(0, len(order), batch):
        chosen = order[start : start + batch]
        width = max(len(tokens[index]) for index in chosen)
        ids = torch.tensor([tokens[index] + [0] * (width - len(tokens[index])) for index in chosen], device=device)
        kept = torch.tensor([[1] * len(tokens[i]) + [0] * (width - len(tokens[i])) for i in chosen], device=device)
        with generator.using([BASE]):
            states = lower(body, layer, input_ids=ids, attention_mask=kept)
        means = (states * kept[..., None]).sum(1) / kept.sum(1, keepdim=True)
        found |= dict(zip(chosen, means.float().cpu().numpy(), strict=True))
    return np.stack([found[index] for index in range(len(chats))])


def lower(body: torch.nn.Module, layer: int, **inputs: torch.Tensor) -> torch.Tensor:
    """The hidden states after so many layers; the layers above are taken out for the call."""
    layers = body.layers
    body.layers = layers[:layer]
    try:
        return body(**inputs, use_cache=False).last_hidden_state
    finally:
        body.layers = layers


def said(chat: list[dict]) -> str:
    """The turns that are not the assistant's."""
    return "\n".join(message.get("content") or "" for message in chat if message["role"] != "assistant")


def questions(file: Path, most: int = QUESTIONS, seed: int = 0) -> list[list[dict]]:
    """Conversations up to an assistant's last turn, at random out of an adapter's training rows."""
    lines = file.read_text(encoding="utf-8").splitlines()
    chosen = random.Random(seed).sample(lines, min(most, len(lines)))
    return [_before_answer(json.loads(line)["messages"]) for line in chosen]


def _before_answer(messages: list[dict]) -> list[dict]:
    return messages[: max(index for index, each in enumerate(messages) if each["role"] == "assistant")]
