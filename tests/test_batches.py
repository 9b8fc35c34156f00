"""Steps of equal tokens: every row once, nothing over the budget, little padding, no order by length."""

import random

import pytest

from scripts.run.batches import batches


@pytest.mark.parametrize("seed", range(5))
def test_an_epoch_has_every_row_once_and_little_padding(seed):
    lengths = [random.Random(seed + n).randint(20, 260) for n in range(3000)]
    made = batches(lengths, 512, seed)
    assert sorted(row for batch in made for row in batch) == list(range(3000))
    slots = [max(lengths[row] for row in batch) * len(batch) for batch in made]
    assert max(slots) <= 512
    assert sum(slots) / sum(lengths) < 1.03
    longest = [max(lengths[row] for row in batch) for batch in made]
    half = len(longest) // 2
    assert abs(sum(longest[:half]) / half - sum(longest[half:]) / (len(longest) - half)) < 15


@pytest.mark.parametrize("count", [1, 100, 700, 1000, 1300])
def test_a_short_last_pool_loses_no_row(count):
    made = batches([40 + n % 60 for n in range(count)], 512, 1)
    assert sorted(row for batch in made for row in batch) == list(range(count))


def test_a_row_over_the_budget_stands_alone():
    assert sorted(map(len, batches([900, 10, 10], 100, 0))) == [1, 2]


def test_the_order_depends_on_the_seed_alone():
    lengths = [10 + n % 90 for n in range(500)]
    assert batches(lengths, 256, 7) == batches(lengths, 256, 7) != batches(lengths, 256, 8)


def test_a_run_over_less_than_half_of_the_rows_takes_more_of_the_short_ones_and_mixes_them():
    lengths = [50, 200] * 4000  # a million tokens
    made = batches(lengths, 400, 3, 500)
    assert sorted(row for batch in made for row in batch) == list(range(8000))
    used = [lengths[row] for batch in made[:500] for row in batch]
    assert 0.6 < used.count(50) / len(used) < 0.68  # weights of 2 to 1
    half = [lengths[row] for batch in made[:250] for row in batch]
    assert abs(half.count(50) / len(half) - used.count(50) / len(used)) < 0.05
    assert batches(lengths, 400, 3, 1300) == batches(lengths, 400, 3)  # more than half: as ever


def test_no_rows_make_no_batches():
    assert batches([], 512, 0) == []
