"""One training of an adapter at a time: an advisory lock that the kernel frees however the holder ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.errors import UserError
from scripts.paths import shown


@contextmanager
def held(run: Path, machine: int = 0) -> Iterator[None]:
    """Holds outputs/<base>/.<adapter>.lock, one for each machine; UserError names the process that has it."""
    run.parent.mkdir(parents=True, exist_ok=True)
    with open(run.parent / f".{run.name}{machine or ''}.lock", "a+", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            holder = stream.read().strip() or "another process"
            message = f"{shown(run)} is being trained already, by process {holder}"
            raise UserError(message, next="wait for it, or stop it and call make train again: it resumes") from None
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        yield
