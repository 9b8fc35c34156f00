"""How varied a data set is, and whether two utterances are the same but for their numbers.

`mask` makes every number, month and number word one sign, so that what is left is the phrasing.
What counts as nearly the same is said in scripts/data/similarity.py, as for the gates.
"""

import random
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from scripts.data import similarity, spoken
from scripts.data.noise import plain

_NUMBERS = {
    plain(word)
    for word in [
        *spoken.DIGITS,
        *spoken.TEENS,
        *spoken.TENS,
        *spoken.MONTHS,
        *spoken.HUNDREDS,
        "meia",
        "mil",
        "primeiro",
    ]
}
_NUMBERS |= {month[:3] for month in spoken.MONTHS}
_NUMBERS -= {"", "um"}  # `um` is an article far more often
_WORD = re.compile(r"#|\w+")
_DIGITS = re.compile(r"\d+(?:\s*[./º-]+\s*\d+|\s+\d+)*")


def mask(text: str) -> tuple[str, ...]:
    """The words of an utterance in lower case without accents; runs of numbers are one `#`."""
    words: list[str] = []
    for word in _WORD.findall(_DIGITS.sub(" # ", plain(text).lower())):
        word = "#" if word in _NUMBERS else word
        if word == "#" and words[-1:] == ["#"]:
            continue
        if word == "#" and words[-2:-1] == ["#"] and words[-1] in ("de", "do", "e"):
            words.pop()
            continue
        words.append(word)
    return tuple(words)


def grams(words: Sequence[str], n: int = 3) -> frozenset[tuple[str, ...]]:
    """The set of word n-grams."""
    return frozenset(zip(*(words[i:] for i in range(n)), strict=False))


def utterances(row: dict) -> list[str]:
    """What the user says in a row."""
    return [m["content"] for m in row["messages"] if m["role"] == "user"]


class Seen:
    """What users say in some rows; tells the rows that say nothing of it again, nor nearly."""

    def __init__(self, rows: Iterable[dict]):
        self.index = similarity.Index({_key(text) for row in rows for text in _said(row)})

    def is_new(self, row: dict) -> bool:
        """Whether neither an utterance of the row nor all of them together were seen, numbers aside."""
        self.index.seen.clear()
        return not any(True for text in _said(row) for _ in self.index.matches(_key(text)))


def _said(row: dict) -> list[str]:
    turns = utterances(row)
    return [*turns, "\n".join(turns)] if len(turns) > 1 else turns


def _key(text: str) -> str:
    return " ".join(mask(text)).replace("#", "0")


def measure(rows: Sequence[dict], sample: int = 400) -> dict:
    """Distinct masked phrasings per kind, distinct 2- and 3-grams, and the mean distance to the nearest."""
    phrasings: dict[str, set] = defaultdict(set)
    for row in rows:
        phrasings[row.get("kind", "own")] |= {mask(text) for text in utterances(row)}
    masks = sorted(set().union(*phrasings.values()))
    counts = {f"distinct_{n}grams": len(set().union(*(grams(words, n) for words in masks))) for n in (2, 3)}
    return {
        "distinct_phrasings": {kind: len(found) for kind, found in sorted(phrasings.items())},
        **counts,
        "mean_nearest_distance": round(_nearest(masks, sample), 3),
    }


def _nearest(masks: Sequence[tuple[str, ...]], sample: int) -> float:
    """Mean over a sample of one minus the highest bigram Jaccard with another of the sample."""
    chosen = random.Random(0).sample(masks, min(sample, len(masks)))
    sets = [grams(("<", *words, ">"), 2) for words in chosen]
    if len(sets) < 2:
        return 0.0
    nearest = (max(similarity.jaccard(a, b) for j, b in enumerate(sets) if j != i) for i, a in enumerate(sets))
    return sum(1 - value for value in nearest) / len(sets)
