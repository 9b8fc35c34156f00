"""An Axolotl plugin: `batch_tokens: 512` in a config makes steps of about so many tokens, hardly padded.

`repeated_answers: 500` shortens rows besides whose answer stands in so many of them: see repeated.py.
"""

import os
from collections import Counter
from collections.abc import Mapping
from functools import partial

from axolotl.integrations.base import BasePlugin
from pydantic import BaseModel
from torch.utils.data import BatchSampler

from scripts.run.batches import batches
from scripts.run.repeated import Answer, decided, ending, used


class TokenBatchesArgs(BaseModel):
    """The keys that the plugin adds to Axolotl's config."""

    batch_tokens: int
    repeated_answers: int | None = None


class TokenBatches(BasePlugin):
    """Named in a profile's `plugins`; takes the place of Axolotl's sampler."""

    def get_input_args(self):
        """Where Axolotl finds the added keys."""
        return "scripts.run.token_batches.TokenBatchesArgs"

    def post_trainer_create(self, cfg, trainer):
        """One sampler for the run; it knows each row's length from the tokenised data."""
        rows = [(len(labels), *ending(labels)) for labels in trainer.train_dataset["labels"]]
        keep = {}
        if cfg.repeated_answers:
            keep = decided(Counter(answer for _, answer, _ in rows), cfg.repeated_answers)
            trainer.train_dataset = trainer.train_dataset.with_transform(partial(shortened, keep=keep))
        lengths = [used(*row, keep) for row in rows]
        a_step = (cfg.gradient_accumulation_steps or 1) * int(os.environ.get("WORLD_SIZE", "1"))
        sampler = Sampler(lengths, cfg.batch_tokens, cfg.seed or 0, (cfg.max_steps or 0) * a_step)
        trainer._get_train_sampler = lambda dataset=None: sampler


def shortened(rows: Mapping[str, list], keep: Mapping[Answer, int]) -> dict[str, list]:
    """These rows (lists by column), without the tokens that are not used."""
    sizes = [used(len(labels), *ending(labels), keep) for labels in rows["labels"]]
    return {
        name: [each[:size] if isinstance(each, list) else each for each, size in zip(column, sizes, strict=True)]
        for name, column in rows.items()
    }


class Sampler(BatchSampler):
    """A batch sampler whose order follows from seed, epoch and `most`, so that a resumed run goes on where it was."""

    def __init__(self, lengths: list[int], budget: int, seed: int, most: int = 0):
        self.lengths, self.budget, self.seed, self.most, self.epoch = lengths, budget, seed, most, 0
        self.batch_size, self.drop_last = 1, False
        self.count = len(self.batches())

    def batches(self) -> list[list[int]]:
        """This epoch's batches."""
        return batches(self.lengths, self.budget, self.seed + self.epoch, self.most)

    def set_epoch(self, epoch: int) -> None:
        """Called by accelerate at the start of each epoch."""
        self.epoch = epoch

    def __iter__(self):
        return iter(self.batches())

    def __len__(self) -> int:
        return self.count
