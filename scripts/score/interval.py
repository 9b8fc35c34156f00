"""How sure a figure is, and whether two figures differ by more than noise.

Every figure comes with its n and a 95 % interval; two models asked the same rows are compared pair by
pair, which is far sharper than comparing two intervals.
"""

import math
from collections.abc import Sequence
from statistics import fmean, stdev

Z = 1.959963984540054  # the 97.5 % quantile of the normal distribution
NOISE = 0.05  # p below which a difference counts as more than noise


def wilson(successes: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % score interval of a share (Wilson 1927); right at 0 % and 100 % too."""
    if n == 0:
        return 0.0, 1.0
    share, z2 = successes / n, Z * Z
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    low = 0.0 if successes == 0 else max(0.0, middle - half)
    return low, 1.0 if successes == n else min(1.0, middle + half)


def interval(values: Sequence[bool | float]) -> tuple[float, float]:
    """Wilson for yes/no; for measurements the mean ± 1.96 standard errors."""
    if all(value in (0, 1) for value in values):
        return wilson(int(sum(values)), len(values))
    half = Z * stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.inf
    return fmean(values) - half, fmean(values) + half


def p_value(one: Sequence[bool | float], other: Sequence[bool | float]) -> float:
    """Two-sided p that paired values differ by chance alone.

    Yes/no: McNemar's exact test on the pairs that disagree. Measurements: the normal test of the mean
    difference, good from about 20 pairs on.
    """
    differences = [float(b) - float(a) for a, b in zip(one, other, strict=True)]
    if all(value in (0, 1) for value in (*one, *other)):
        return _binomial(sum(d > 0 for d in differences), sum(d < 0 for d in differences))
    spread = stdev(differences) if len(differences) > 1 else 0.0
    if spread == 0:
        return 0.0 if len(differences) > 1 and differences[0] else 1.0
    return math.erfc(abs(fmean(differences)) / (spread / math.sqrt(len(differences))) / math.sqrt(2))


def _binomial(gains: int, losses: int) -> float:
    """Two-sided exact p of so uneven a split of gains + losses fair coins."""
    n = gains + losses
    tail = sum(math.comb(n, k) for k in range(min(gains, losses) + 1))
    return min(1.0, 2 * tail / 2**n)
