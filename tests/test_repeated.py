"""Rows end early where many have the same answer: what is kept tells it from every other, and `make plan` agrees."""

import pytest

from scripts.run.repeated import MORE, decided, ending, same, used

HELLO, PHONE, SITE = (1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 30, 4, 5, 6, 7, 8, 9, 10), (5, 6)


def test_kept_is_what_tells_an_answer_from_the_others_and_a_little_more():
    keep = decided({HELLO: 200, PHONE: 300, SITE: 200, (1, 2, 3, 4, 7): 199}, 200)
    assert keep == {HELLO: 3 + MORE, PHONE: 3 + MORE, SITE: 2}
    assert decided({HELLO: 5}, 5) == {HELLO: 1 + MORE} and decided({HELLO: 5}, 6) == {}


@pytest.mark.parametrize(("one", "other", "count"), [((1, 2), (1, 2, 3), 2), ((1, 2), (1, 3), 1), ((), (1,), 0)])
def test_what_two_answers_share(one, other, count):
    assert same(one, other) == count


def test_three_rows_of_four_end_where_their_answer_is_decided():
    keep = decided({HELLO: 9}, 9)
    sizes = [used(length, HELLO, 1, keep) for length in (20, 21, 22, 23)]
    assert sizes == [20, 21 - 1 - 9 + 5, 22 - 1 - 9 + 5, 23 - 1 - 9 + 5]
    assert used(21, PHONE, 1, keep) == 21


@pytest.mark.parametrize(
    ("labels", "answer", "after"),
    [
        ([-100, -100, 7, 8, -100], (7, 8), 1),
        ([-100, 5, -100, 7], (7,), 0),
        ([-100, -100], (), 2),
        ([], (), 0),
        ([7, 8], (7, 8), 0),
    ],
)
def test_the_answer_is_the_last_run_of_trained_tokens(labels, answer, after):
    assert ending(labels) == (answer, after)


def test_the_trainer_s_rows_are_cut_alike_in_every_column():
    pytest.importorskip("axolotl")
    from scripts.run.token_batches import shortened

    labels = [[-100] * 4 + [*HELLO, -100], [-100] * 6 + [*HELLO, -100], [-100, 5, 6, 7, 5]]  # 14, 16 and 5 tokens
    rows = {"labels": labels, "input_ids": [list(range(len(each))) for each in labels], "number": [1, 2, 3]}
    cut = shortened(rows, decided({HELLO: 2}, 2))
    assert cut["labels"] == [labels[0][: 4 + 5], labels[1], labels[2]]
    assert cut["input_ids"] == [list(range(9)), list(range(16)), list(range(5))] and cut["number"] == [1, 2, 3]
