"""An Axolotl plugin: one JSON line a step for the wrapper, a mark on each complete checkpoint, an end with the wrapper.

Lines of progress.jsonl: `step`, `max_steps`, `loss`, `grad_norm`, `learning_rate`, `tokens` (real, no padding),
`trained` (tokens with a label), `slots` (with padding), `seconds`, all four since this process began its first step;
`peak_memory` in bytes, of the GPU or of the process; `resumed` is the step it began at, where that is not 0.
"""

import json
import os
import resource
import threading
import time
from pathlib import Path

from axolotl.integrations.base import BasePlugin
from transformers import TrainerCallback

from scripts.paths import ROOT
from scripts.run.progress_file import COMPLETE


class Progress(BasePlugin):
    """Added to every resolved config."""

    def register(self, cfg):
        """Ends this process when the wrapper's end of stdin closes, however the wrapper died.

        Before anything reads the config's paths, which are relative: Ray starts its workers in a folder of its own.
        """
        if cfg.get("use_ray"):
            os.chdir(ROOT)
        if os.environ.get("ADAPTERS_WRAPPED"):
            threading.Thread(target=end_with_wrapper, daemon=True).start()

    def load_datasets(self, cfg, preprocess=False):
        """Loads none, but is called before the model is placed: Axolotl gives each of several processes a GPU."""
        import torch

        if not torch.cuda.is_available():
            cfg.device_map = {"": "cpu"}

    def post_trainer_create(self, cfg, trainer):
        """Counts tokens in each batch and reports each step."""
        report = Report(Path(cfg.output_dir) / "progress.jsonl", trainer.processing_class.pad_token_id)
        inner = trainer.training_step

        def training_step(model, inputs, *rest, **named):
            report.count(inputs)
            return inner(model, inputs, *rest, **named)

        trainer.training_step = training_step
        trainer.add_callback(report)


def end_with_wrapper() -> None:
    """Blocks until stdin ends, then leaves at once: nothing to clean up that a resumed run would not mend.

    By file descriptor: sys.stdin's lock, held here, would block the worker processes that Axolotl forks to tokenise.
    """
    while os.read(0, 1):
        pass
    os._exit(1)


def peak_memory() -> int:
    """Bytes: the most that torch held on the GPU, or that this process held in memory where there is none."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in KiB


class Report(TrainerCallback):
    """Appends one line per optimizer step; tokens are summed on the device and read once a step."""

    def __init__(self, file: Path, pad: int):
        self.file, self.pad, self.began, self.resumed, self.sums = file, pad, None, 0, [0, 0, 0]

    def on_train_begin(self, args, state, control, **_):
        """A resumed run begins at its checkpoint's step."""
        self.resumed = state.global_step

    def count(self, inputs: dict) -> None:
        """Adds a batch: real tokens, trained tokens, slots."""
        self.began = self.began or time.monotonic()
        # By token and not by attention mask: Axolotl leaves the mask out where padding is on the right.
        self.sums[0] += (inputs["input_ids"] != self.pad).sum()
        self.sums[1] += (inputs["labels"] != -100).sum()
        self.sums[2] += inputs["input_ids"].numel()

    def on_log(self, args, state, control, logs=None, **_):
        """One line where the trainer reports a loss."""
        if not state.is_world_process_zero or "loss" not in (logs or {}):
            return
        tokens, trained, slots = map(int, self.sums)
        line = {"step": state.global_step, "max_steps": state.max_steps, "tokens": tokens, "trained": trained}
        line |= {"resumed": self.resumed} if self.resumed else {}
        line |= {"slots": slots, "seconds": round(time.monotonic() - (self.began or time.monotonic()), 2)}
        line["peak_memory"] = peak_memory()
        line |= {key: float(logs[key]) for key in ("loss", "grad_norm", "learning_rate") if key in logs}
        with open(self.file, "a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")

    def on_save(self, args, state, control, **_):
        """Marks the checkpoint that was just written as complete."""
        if state.is_world_process_zero:
            (Path(args.output_dir) / f"checkpoint-{state.global_step}" / COMPLETE).touch()
