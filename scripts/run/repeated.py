"""Answers that many rows end with: most of those rows stop soon after their answer differs from all others.

What a thousand rows say word for word is known by heart early; when to say it is what is left to learn, and that is
decided by the first tokens. The rest costs as much time as another question. One row of four stays whole, by its
length, so that the end is not forgotten. Pure Python: `make plan` counts with the very same functions.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

#: Tokens kept after the one that decides; and of how many rows one stays whole.
MORE, WHOLE = 4, 4
Answer = tuple[int, ...]


def decided(answers: Mapping[Answer, int], often: int) -> dict[Answer, int]:
    """Tokens to keep of each answer that at least `often` rows end with; `answers` has the rows of each."""
    known = sorted(answer for answer, rows in answers.items() if rows >= often)
    shared = [same(*pair) for pair in pairwise(known)]
    nearest = [max(pair) for pair in zip([0, *shared], [*shared, 0], strict=False)]
    return {answer: min(len(answer), like + 1 + MORE) for answer, like in zip(known, nearest, strict=False)}


def same(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two answers begin with alike."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (left, right) in pairs if left != right), min(len(one), len(other)))


def used(length: int, answer: Answer, after: int, keep: Mapping[Answer, int]) -> int:
    """Tokens used of a row of `length` that ends with an answer and `after` untrained tokens."""
    if answer not in keep or length % WHOLE == 0:
        return length
    return length - after - len(answer) + keep[answer]


def ending(labels: Sequence[int]) -> tuple[Answer, int]:
    """The last trained tokens of a row, and how many untrained ones (-100) follow them."""
    end = len(labels)
    while end and labels[end - 1] == -100:
        end -= 1
    start = end
    while start and labels[start - 1] != -100:
        start -= 1
    return tuple(labels[start:end]), len(labels) - end
