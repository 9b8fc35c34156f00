"""Picks the adapter for a question, or the base for a question that is nobody's: no forward pass, a millisecond.

A conversation is the set of its words, word pairs and letter sequences (3 to 5), hashed; one linear layer over
them, trained on the adapters' own training questions, separates the adapters. A conversation of which too
little was ever seen in training goes to the base; how little, is measured on kinds of question left out.
Measured against it on the same held-out questions: ridge regression on the base's hidden states sent 90 to
96 % to the right adapter and told strangers apart badly; this one about 98 %, strangers nearly all.
"""

import json
import random
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch

from scripts.files import lines
from scripts.score.portuguese import plain

BASE = "base"
#: Hash buckets, training rows per adapter, passes over them, and the share of own questions given up to the base.
BUCKETS, ROWS, PASSES, LOST = 1 << 17, 4000, 2, 0.003
Question = tuple[str, list[dict]]  # kind, messages


@dataclass(frozen=True)
class Router:
    """`weights` (buckets, adapters); `known` are the buckets that training filled."""

    names: tuple[str, ...]
    weights: torch.nn.EmbeddingBag
    known: frozenset[int]
    least: float

    def choose(self, chats: Sequence[list[dict]]) -> list[str]:
        """The adapter, or `base`, of each conversation."""
        found = [buckets(chat) for chat in chats]
        best = _scores(self.weights, found).argmax(1).tolist() if found else []
        shares = [sum(each in self.known for each in one) / len(one) for one in found]
        return [self.names[one] if share >= self.least else BASE for one, share in zip(best, shares, strict=True)]


def fit(questions: dict[str, list[Question]], seed: int = 0) -> Router:
    """A router from each adapter's training questions."""
    names = tuple(sorted(questions))
    rows = [(buckets(chat), index, kind) for index, name in enumerate(names) for kind, chat in questions[name]]
    weights = _train(rows, len(names), seed)
    return Router(names, weights, frozenset(bucket for found, *_ in rows for bucket in found), _least(rows))


def _train(rows: list[tuple[list[int], int, str]], classes: int, seed: int) -> torch.nn.EmbeddingBag:
    """Logistic regression by sparse Adam; adapters with fewer rows count as much as the others."""
    sizes = Counter(index for _, index, _ in rows)
    balance = torch.tensor([len(rows) / classes / sizes[index] for index in range(classes)])
    weights = torch.nn.EmbeddingBag(BUCKETS, classes, mode="mean", sparse=True)
    torch.nn.init.zeros_(weights.weight)
    optimizer, order = torch.optim.SparseAdam(weights.parameters(), lr=0.05), random.Random(seed)
    for _ in range(PASSES):
        shuffled = order.sample(rows, len(rows))
        for start in range(0, len(rows), 64):
            batch = shuffled[start : start + 64]
            wanted = torch.tensor([index for _, index, _ in batch])
            # Means over hundreds of features are small: eight times the mean gives the usual range of logits.
            logits = 8 * _scores(weights, [found for found, *_ in batch])
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(logits, wanted, weight=balance).backward()
            optimizer.step()
    return weights.requires_grad_(False)


def _scores(weights: torch.nn.EmbeddingBag, found: list[list[int]]) -> torch.Tensor:
    starts = torch.tensor([0, *(len(each) for each in found)])[:-1].cumsum(0)
    return weights(torch.tensor([bucket for each in found for bucket in each]), starts)


def _least(rows: list[tuple[list[int], int, str]]) -> float:
    """The share of known buckets that all but LOST of the questions reach when their own kind was never seen."""
    kinds: dict[tuple[int, str], set[int]] = {}
    for found, index, kind in rows:
        kinds.setdefault((index, kind), set()).update(found)
    elsewhere = Counter(bucket for each in kinds.values() for bucket in each)
    shares = sorted(sum(elsewhere[bucket] > 1 for bucket in found) / len(found) for found, *_ in rows)
    return shares[int(LOST * len(shares))]


def buckets(chat: list[dict]) -> list[int]:
    """The hashed features of a conversation; digits are all alike, accents and case don't count."""
    text = re.sub(r"\d", "0", plain(" ".join((message.get("content") or "")[:1000] for message in chat)))
    words = re.findall(r"\w+", text)
    spaced = f" {' '.join(words)} "
    features = {*words, *(f"{one} {other}" for one, other in pairwise(words))}
    features |= {spaced[start : start + size] for size in (3, 4, 5) for start in range(len(spaced) - size + 1)}
    return sorted({zlib.crc32(feature.encode()) % BUCKETS for feature in features}) or [0]


def questions(file: Path, most: int = ROWS, seed: int = 0) -> list[Question]:
    """Conversations up to an assistant's last turn, at random out of an adapter's training rows."""
    rows = lines(file)
    chosen = [json.loads(row) for row in random.Random(seed).sample(rows, min(most, len(rows)))]
    return [(row.get("kind", ""), _before_answer(row["messages"])) for row in chosen]


def _before_answer(messages: list[dict]) -> list[dict]:
    return messages[: max(index for index, each in enumerate(messages) if each["role"] == "assistant")]
