"""Steps, tokens and padding of a training: which rows Axolotl takes, in which order, and how they share steps.

Exact where `batch_tokens` is set: the order of the rows is that of datasets' shuffle (numpy's generator with the
config's seed), the batches are made by the very function that the sampler plugin uses. The other samplers draw with
torch's generator; with numpy's in its place steps and tokens of whole epochs stay right, padding is near.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from scripts.cost.tokens import Rows
from scripts.run.batches import batches

#: Axolotl 0.19.0 where the config says nothing.
PAD_TO, SHORTEST, ROWS_IN_BIN = 64, 2, 200
#: transformers' LengthGroupedSampler sorts within this many batches.
MEGA = 50


@dataclass(frozen=True)
class Steps:
    """A whole training; `slots` are tokens with padding, `shapes` the (slots, slots of a row) that batches have."""

    how: str
    steps: int
    epochs: float
    tokens: int
    trained: int
    slots: int
    rows: int
    dropped: int
    widest: int
    shapes: frozenset[tuple[int, int]]
    widest_trained: int
    exact: bool
    processes: int = 1

    @property
    def padding(self) -> float:
        """The share of slots that is padding."""
        return 1 - self.tokens / self.slots if self.slots else 0.0


def plan(config: dict, rows: Rows, processes: int = 1) -> Steps:
    """What training under this config does with these rows, on so many processes unless Ray starts its own number."""
    lengths, trained, dropped = taken(config, rows)
    if not lengths:
        return Steps("nothing to train", 0, 0, 0, 0, 0, 0, dropped, 0, frozenset(), 0, rows.exact)
    processes = config.get("ray_num_workers", processes)
    # A batch of each process is a part of the same step.
    accumulate = config["gradient_accumulation_steps"] * processes
    first = epoch(config, lengths, 0)
    an_epoch = max(1, math.ceil(len(first) / accumulate))
    steps = math.ceil(config["num_epochs"] * an_epoch)
    if config.get("max_steps"):
        steps = config["max_steps"]  # the trainer's alone: it begins another epoch where one is too short
    packing = config.get("sample_packing")
    made = list(run(config, lengths, first, steps, accumulate))
    widths = [slots(config, [lengths[row] for row in batch]) for batch in made]
    return Steps(
        how=how(config, processes),
        steps=steps,
        epochs=steps / an_epoch,
        tokens=sum(lengths[row] for batch in made for row in batch),
        trained=sum(trained[row] for batch in made for row in batch),
        slots=sum(widths),
        rows=sum(map(len, made)),
        dropped=dropped,
        widest=max(widths),
        shapes=frozenset(
            (each, each // (1 if packing else len(batch))) for each, batch in zip(widths, made, strict=True)
        ),
        widest_trained=max(sum(trained[row] for row in batch) for batch in made),
        exact=rows.exact and "batch_tokens" in config and not config.get("val_set_size") and processes == 1,
        processes=processes,
    )


def taken(config: dict, rows: Rows) -> tuple[list[int], list[int], int]:
    """Lengths and trained tokens of the rows that are used, in Axolotl's order; how many are dropped for length."""
    order: Sequence[int] = range(len(rows.lengths))
    if config.get("shuffle_merged_datasets", True):
        order = np.random.default_rng(config["seed"]).permutation(len(rows.lengths)).tolist()
    shortest = config.get("min_sample_len", SHORTEST)
    used = [row for row in order if shortest <= rows.lengths[row] <= config["sequence_len"]]
    dropped = len(rows.lengths) - len(used)
    used = used[: round(len(used) * (1 - config.get("val_set_size", 0)))]
    return [rows.lengths[row] for row in used], [rows.trained[row] for row in used], dropped


def run(config: dict, lengths: Sequence[int], first: list[list[int]], steps: int, accumulate: int) -> Iterator:
    """The batches of all steps, epoch after epoch; where their order is not known anyway, the first stands for all."""
    left, number, made = steps, 0, first
    while left > 0:
        an_epoch = min(left, math.ceil(len(made) / accumulate))
        yield from made[: an_epoch * accumulate]
        left, number = left - an_epoch, number + 1
        made = epoch(config, lengths, number) if left and "batch_tokens" in config else first


def epoch(config: dict, lengths: Sequence[int], number: int) -> list[list[int]]:
    """One epoch's batches (lists of rows) of one process."""
    seed, size = config["seed"] + number, config["micro_batch_size"]
    if "batch_tokens" in config:
        most = (config.get("max_steps") or 0) * config["gradient_accumulation_steps"]
        return batches(lengths, config["batch_tokens"], seed, most)
    order = np.random.default_rng(seed).permutation(len(lengths)).tolist()
    if config.get("sample_packing"):
        return packed(order, lengths, size * config["sequence_len"], config.get("sample_packing_bin_size", ROWS_IN_BIN))
    if config.get("group_by_length"):
        mega = size * max(1, min(len(order) // (size * 4), MEGA))
        parts = [order[start : start + mega] for start in range(0, len(order), mega)]
        order = [row for part in parts for row in sorted(part, key=lambda row: -lengths[row])]
    return [order[start : start + size] for start in range(0, len(order), size)]


def packed(order: Sequence[int], lengths: Sequence[int], capacity: int, most: int) -> list[list[int]]:
    """First fit, as Axolotl packs: each row into the first bin that has room, `most` rows a bin."""
    bins: list[list[int]] = []
    room = np.zeros(len(order), dtype=np.int64)
    for row in order:
        place = int(np.argmax(room[: len(bins)] >= lengths[row])) if bins else 0
        if not bins or room[place] < lengths[row]:
            place = len(bins)
            bins.append([])
            room[place] = capacity
        bins[place].append(row)
        room[place] = room[place] - lengths[row] if len(bins[place]) < most else -1
    return bins


def slots(config: dict, lengths: Sequence[int]) -> int:
    """Tokens of a batch with its padding."""
    if config.get("sample_packing"):
        return config["micro_batch_size"] * config["sequence_len"]
    multiple = config.get("pad_to_multiple_of") or PAD_TO
    if config.get("pad_to_sequence_len"):
        return len(lengths) * multiple * math.ceil(config["sequence_len"] / multiple)
    if config.get("pad_to_sequence_len") is False:
        multiple = 1
    return len(lengths) * multiple * math.ceil(max(lengths) / multiple)


def how(config: dict, processes: int = 1) -> str:
    """How rows share a step, in words."""
    size, accumulate = config["micro_batch_size"], config["gradient_accumulation_steps"]
    times = f" x {accumulate}" if accumulate > 1 else ""
    step = f"a step on each of {processes} processes" if processes > 1 else "a step"
    if "batch_tokens" in config:
        return f"at most {config['batch_tokens']} slots{times} {step}, rows of like length together"
    if config.get("sample_packing"):
        return f"packed into {size * config['sequence_len']:,} slots{times} {step}"
    grouped = ", rows of like length together" if config.get("group_by_length") else ", in random order"
    return f"{size}{times} conversations {step}{grouped}"
