"""`make check` from nothing, as a reviewer starts it."""

import os
import subprocess
import sys
import time

from scripts.paths import CODE


def measure(times: int = 3) -> dict:
    """Seconds of the fastest of some cold runs, and what it said it looked at."""
    print(f"check: {times} times", flush=True)
    found, said = [], ""
    for _ in range(times):
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "scripts.check"],
            cwd=CODE,
            capture_output=True,
            text=True,
            env=os.environ | {"ADAPTER": ""},
        )
        found.append(time.monotonic() - began)
        said = (done.stdout.strip().splitlines() or [""])[0]
    return {"seconds": round(min(found), 2), "of": times, "said": said}
