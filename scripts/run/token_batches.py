"""An Axolotl plugin: `batch_tokens: 512` in a config makes steps of about so many tokens, hardly padded."""

from axolotl.integrations.base import BasePlugin
from pydantic import BaseModel
from torch.utils.data import BatchSampler

from scripts.run.batches import batches


class TokenBatchesArgs(BaseModel):
    """The key that the plugin adds to Axolotl's config."""

    batch_tokens: int


class TokenBatches(BasePlugin):
    """Named in a profile's `plugins`; takes the place of Axolotl's sampler."""

    def get_input_args(self):
        """Where Axolotl finds the added key."""
        return "scripts.run.token_batches.TokenBatchesArgs"

    def post_trainer_create(self, cfg, trainer):
        """One sampler for the run; it knows each row's length from the tokenised data."""
        lengths = [len(ids) for ids in trainer.train_dataset["input_ids"]]
        trainer._get_train_sampler = lambda dataset=None: Sampler(lengths, cfg.batch_tokens, cfg.seed or 0)


class Sampler(BatchSampler):
    """A batch sampler whose order depends on seed and epoch alone, so that a resumed run goes on where it was."""

    def __init__(self, lengths: list[int], budget: int, seed: int):
        self.lengths, self.budget, self.seed, self.epoch = lengths, budget, seed, 0
        self.batch_size, self.drop_last = 1, False
        self.count = len(self.batches())

    def batches(self) -> list[list[int]]:
        """This epoch's batches."""
        return batches(self.lengths, self.budget, self.seed + self.epoch)

    def set_epoch(self, epoch: int) -> None:
        """Called by accelerate at the start of each epoch."""
        self.epoch = epoch

    def __iter__(self):
        return iter(self.batches())

    def __len__(self) -> int:
        return self.count
