"""How varied a data set is, and whether two utterances are the same but for their numbers.

`mask` makes every number, month and number word one sign, so that what is left is the phrasing.
Near means a Jaccard index of word trigrams of 0.8 or more, for utterances of more than five words.
"""

import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from scripts.data import spoken
from scripts.data.noise import plain

NEAR, SHORT = 0.8, 5
_NUMBERS = {plain(w) for w in spoken.DIGITS + spoken.TEENS + spoken.TENS + spoken.MONTHS + "meia mil primeiro".split() if w}
_NUMBERS |= {month[:3] for month in spoken.MONTHS} - {"mar", "set", "out"} - {"um"}
_NUMBERS -= {"um"}
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


def jaccard(left: frozenset, right: frozenset) -> float:
    """Size of the intersection over size of the union; 0 where both are empty."""
    return len(left & right) / len(left | right) if left or right else 0.0


def utterances(row: dict) -> list[str]:
    """What the user says in a row."""
    return [m["content"] for m in row["messages"] if m["role"] == "user"]


class Seen:
    """The user utterances of rows; tells those of another row that are the same or nearly."""

    def __init__(self, rows: Iterable[dict]):
        self.masks = {mask(text) for row in rows for text in utterances(row)}
        self.grams = [grams(words) for words in sorted(self.masks) if len(words) > SHORT]
        self.holders: dict[tuple, list[int]] = defaultdict(list)
        for n, found in enumerate(self.grams):
            for gram in found:
                self.holders[gram].append(n)

    def is_new(self, row: dict) -> bool:
        """Whether no utterance of the row is there already."""
        return not any(self.near(mask(text)) for text in utterances(row))

    def near(self, words: tuple[str, ...]) -> bool:
        """Whether these words are an utterance that was seen, exactly or with Jaccard >= 0.8."""
        if words in self.masks or len(words) <= SHORT:
            return words in self.masks
        found = grams(words)
        shared = Counter(n for gram in found for n in self.holders.get(gram, ()))
        return any(jaccard(found, self.grams[n]) >= NEAR for n, c in shared.items() if c >= NEAR * len(found))


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
    nearest = (max(jaccard(a, b) for j, b in enumerate(sets) if j != i) for i, a in enumerate(sets))
    return sum(1 - value for value in nearest) / len(sets)
