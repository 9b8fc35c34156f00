"""The most memory that a training held while it was watched: of the first GPU, else of the processes under this one.

What was held before, by this process or others, does not count.
"""

import subprocess
import threading
from types import TracebackType

import psutil
import torch

from scripts.config import profile

LOOK = 0.5
QUERY = ["nvidia-smi", "--id=0", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]


class Watch:
    """A context; `most` is in GB (10^9 bytes)."""

    def __init__(self):
        self.most, self.before, self.ended = 0.0, 0.0, threading.Event()
        self.held = on_gpu if profile.cuda() else in_children

    def __enter__(self) -> "Watch":
        torch.cuda.empty_cache()  # what this process no longer uses is free for the training
        self.before = self.held()
        threading.Thread(target=self.look, daemon=True).start()
        return self

    def look(self) -> None:
        """Asks twice a second."""
        while not self.ended.wait(LOOK):
            self.most = max(self.most, round((self.held() - self.before) / 1e9, 2))

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.ended.set()


def on_gpu() -> float:
    """Bytes of the first GPU in use, by whomever."""
    told = subprocess.run(QUERY, capture_output=True, text=True).stdout.strip()
    return float(told or 0) * 2**20


def in_children() -> float:
    """Resident bytes of the process that trains: the largest one below this."""
    sizes = [0]
    for child in psutil.Process().children(recursive=True):
        try:
            sizes.append(child.memory_info().rss)
        except psutil.NoSuchProcess:
            continue
    return max(sizes)
