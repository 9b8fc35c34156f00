"""Which rows share a step: batches of about equal tokens, of rows of like length, in random order.

Equal tokens keep the step time steady whatever the data set; like lengths leave next to no padding; the random
order of batches matters, because a sorted one (transformers' group_by_length) ends on short rows only and
forgets the long ones. Pure Python: `make plan` counts steps and padding with the very same function.
"""

import random
from collections.abc import Sequence

#: Rows are drawn in pools of so many tokens' worth of batches before they are sorted by length.
POOL = 48


def batches(lengths: Sequence[int], budget: int, seed: int) -> list[list[int]]:
    """One epoch: lists of row numbers, each list of at most `budget` slots (longest row x rows), every row once."""
    order = list(range(len(lengths)))
    chance = random.Random(seed)
    chance.shuffle(order)
    made: list[list[int]] = []
    for pool in pools(order, lengths, POOL * budget):
        grouped = cut(sorted(pool, key=lambda row: lengths[row]), lengths, budget)
        chance.shuffle(grouped)
        made += grouped
    return made


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
