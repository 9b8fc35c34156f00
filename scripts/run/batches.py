"""Which rows share a step: batches of about equal tokens, of rows of like length, in random order.

Equal tokens keep the step time steady whatever the data set; like lengths leave next to no padding; the random
order of batches matters, because a sorted one (transformers' group_by_length) ends on short rows only and
forgets the long ones. Pure Python: `make plan` counts steps and padding with the very same function.

A run that sees less than half of its rows takes more of the short ones: where each kind of conversation has as many
rows, the long ones would have most of the time.
"""

import random
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

#: Rows are drawn in pools of so many tokens' worth of batches before they are sorted by length.
POOL = 48
#: What a run draws with: a row's chance goes with its length to this power.
CHANCE = -0.5


def batches(lengths: Sequence[int], budget: int, seed: int, count: int = 0) -> list[list[int]]:
    """One epoch: lists of row numbers, each list of at most `budget` slots (longest row x rows), every row once.

    The run uses the first `count` of them; 0 stands for all.
    """
    order = list(range(len(lengths)))
    chance = random.Random(seed)
    chance.shuffle(order)
    if count and 2 * count * budget < sum(lengths):
        order = drawn(order, lengths, count * budget, chance)
    made: list[list[int]] = []
    for pool in pools(order, lengths, POOL * budget):
        grouped = cut(sorted(pool, key=lambda row: lengths[row]), lengths, budget)
        chance.shuffle(grouped)
        made += grouped
    return made


def drawn(order: Sequence[int], lengths: Sequence[int], tokens: int, chance: random.Random) -> list[int]:
    """`order`, but first the rows of a run of so many tokens, each drawn by its length.

    Weighted sampling without replacement by exponential keys: Efraimidis and Spirakis, 2006.
    """
    keyed = sorted(order, key=lambda row: chance.expovariate(lengths[row] ** CHANCE))
    end = bisect_left(list(accumulate(lengths[row] for row in keyed)), tokens) + 1
    first, rest = keyed[:end], keyed[end:]
    chance.shuffle(first)
    chance.shuffle(rest)
    return first + rest


def pools(order: Sequence[int], lengths: Sequence[int], tokens: int) -> list[list[int]]:
    """Consecutive runs of `order` of about so many tokens each; a short last one joins the one before it."""
    found: list[list[int]] = [[]]
    held = 0
    for row in order:
        if held >= tokens:
            found.append([])
            held = 0
        found[-1].append(row)
        held += lengths[row]
    if len(found) > 1 and held < tokens // 2:
        rest = found.pop()
        found[-1] += rest
    return found


def cut(rows: Sequence[int], lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Rows in ascending length, cut into lists of at most `budget` slots; a longer row stands alone."""
    found: list[list[int]] = []
    for row in rows:
        if found and lengths[row] * (len(found[-1]) + 1) <= budget:
            found[-1].append(row)
        else:
            found.append([row])
    return found
