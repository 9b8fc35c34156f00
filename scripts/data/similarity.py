"""Near-duplicate questions: exact Jaccard similarity over a small side that is indexed and a side that streams.

A text is folded first (lower case, no accents, numbers and months masked, punctuation gone), so two that
differ in a CPF, a date or an accent are the same. Longer texts are compared as sets of words and as sets
of 4 letters in a row, the higher Jaccard counts; short ones only when they are equal.

The search counts shared words with one indexed text per bit of an integer, then compares what is left
exactly. Texts that share under SHARED of their words are not compared: Jaccard >= 0.8 over 4 letters
leaves at most 11 % of either side's fours different, an edit costs about 4 of them, a word has 5 to 7.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from functools import reduce
from math import ceil
from operator import or_
from unicodedata import normalize

THRESHOLD = 0.8
SHARED = 0.75  # of the longer text's words
_TOKEN = re.compile(r"[a-z]+|\d[^a-z]*")
_DATE_IN_WORDS = re.compile(
    r"# (?:de )?(?:janeiro|fevereiro|marco|abril|maio|junho|julho"
    r"|agosto|setembro|outubro|novembro|dezembro)( (?:de )?#)?\b"
)


def folded(text: str) -> str:
    """Lower-case words without accents, one space apart; each number or date is `#`."""
    plain = normalize("NFKD", text.lower()).encode("ascii", "ignore").decode()
    found = " ".join([token if token > ":" else "#" for token in _TOKEN.findall(plain)])
    return _DATE_IN_WORDS.sub("#", found) if "#" in found else found


def is_short(text: str) -> bool:
    """Too little in a folded text for a similarity to mean anything."""
    return len(text) < 24 or text.count(" ") < 4


def jaccard(one: AbstractSet, other: AbstractSet) -> float:
    """Size of the intersection over size of the union."""
    both = len(one & other)
    return both / (len(one) + len(other) - both) if both else 0.0


def words(text: str) -> set[str]:
    """The words of a folded text."""
    return set(text.split(" "))


def grams(text: str) -> set[str]:
    """Every 4 characters in a row of a folded text."""
    return {text[i : i + 4] for i in range(len(text) - 3)}


def similarity(one: str, other: str) -> float:
    """0 to 1, of two texts as written; the brute-force meaning of what Index finds."""
    one, other = _key(one), _key(other)
    if one == other or is_short(one) or is_short(other):
        return float(one == other)
    return max(jaccard(words(one), words(other)), jaccard(grams(one), grams(other)))


class Index:
    """Texts to be found again; `matches` gives the positions of those that a text is too near to."""

    def __init__(self, texts: Iterable[str], threshold: float = THRESHOLD):
        self.threshold = threshold
        self.equal: dict[str, list[int]] = defaultdict(list)
        for position, text in enumerate(texts):
            self.equal[_key(text)].append(position)
        self.long = [key for key in self.equal if not is_short(key)]
        self.words = [words(key) for key in self.long]
        self.grams = [grams(key) for key in self.long]
        self.with_word: dict[str, int] = defaultdict(int)
        self.with_size: dict[int, int] = defaultdict(int)
        self.with_sizes: dict[tuple[int, int], int] = {}
        for position, each in enumerate(self.words):
            self.with_size[len(each)] |= 1 << position
            for word in each:
                self.with_word[word] |= 1 << position
        self.seen: set[str] = set()

    def matches(self, text: str) -> Iterator[tuple[int, float]]:
        """(position, similarity) of each indexed text at or over the threshold; nothing for a text seen before."""
        key = _key(text)
        if key in self.seen:
            return
        if len(self.seen) < 200_000:
            self.seen.add(key)
        best = {key: 1.0} if key in self.equal else {}
        if not is_short(key):
            best.update((other, value) for other, value in self._near(key) if other != key)
        for other, value in best.items():
            yield from ((position, value) for position in self.equal[other])

    def _near(self, key: str) -> Iterator[tuple[str, float]]:
        mine, my_grams = words(key), None
        candidates = self._sharing(mine)
        while candidates:
            lowest = candidates & -candidates
            candidates ^= lowest
            position = lowest.bit_length() - 1
            my_grams = my_grams or grams(key)
            value = jaccard(mine, self.words[position])
            if self.threshold * len(my_grams) <= len(self.grams[position]) <= len(my_grams) / self.threshold:
                value = max(value, jaccard(my_grams, self.grams[position]))
            if value >= self.threshold:
                yield self.long[position], value

    def _sharing(self, mine: set[str]) -> int:
        """Bit set of the texts that share at least SHARED of the words, counted for all of them at once.

        counts[i] holds bit i of every text's number of shared words; adding a word is adding one with carry.
        """
        counts = [0] * len(mine).bit_length()
        for word in mine:
            carry, bit = self.with_word.get(word, 0), 0
            while carry:
                counts[bit], carry = counts[bit] ^ carry, counts[bit] & carry
                bit += 1
        enough = ceil(SHARED * len(mine))
        equal, more = -1, 0
        for bit in reversed(range(len(counts))):
            if enough >> bit & 1:
                equal &= counts[bit]
            else:
                more, equal = more | (equal & counts[bit]), equal & ~counts[bit]
        return (more | equal) & self._sized(enough, int(len(mine) / SHARED))

    def _sized(self, least: int, most: int) -> int:
        """Bit set of the texts with that many words."""
        if (least, most) not in self.with_sizes:
            fitting = [bits for size, bits in self.with_size.items() if least <= size <= most]
            self.with_sizes[least, most] = reduce(or_, fitting, 0)
        return self.with_sizes[least, most]


def nearness(questions: Iterable[str]) -> Callable[[str], bool]:
    """Tells of a text, however often it comes, whether it is nearly one of these questions."""
    index, known = Index(questions), {}

    def near(text: str) -> bool:
        key = _key(text)
        if key not in known:
            known[key] = any(index.matches(text))
        return known[key]

    return near


def _key(text: str) -> str:
    """The folded text; a text without a word (a bare CPF) counts as written."""
    return folded(text) if any(map(str.isalpha, text)) else text.strip()
