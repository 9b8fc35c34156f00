"""Trains every adapter, or those named: each as `make train` does, those that are up to date told and left.

With Ray (.venv/bin/pip install -r requirements/gpu.txt) two at once on this machine, or one a GPU on the cluster that
RAY_ADDRESS names; the engine places them and restarts what died. Without Ray one after the other.
Run as: make train-all [ADAPTER=kpi,schema] [PROFILE=…] / python -m scripts.train_all
"""

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Sequence

from scripts.arguments import add, parser
from scripts.config import adapter, profile
from scripts.errors import UserError, main_of
from scripts.paths import CODE, ROOT

WORKERS = 2


def main(argv: Sequence[str]) -> int:
    """1 where any of them failed; the others are trained all the same."""
    options = parser(__doc__)
    add(options, "ADAPTER", "names with commas between (default: every adapter)")
    add(options, "PROFILE", "where and on which base")
    arguments = options.parse_args(argv)
    names = (
        [adapter.find(each.strip()) for each in arguments.adapter.split(",")] if arguments.adapter else adapter.names()
    )
    names, chosen = list(dict.fromkeys(names)), profile.choose(arguments.profile)
    ray = importlib.util.find_spec("ray") is not None
    how = f"{WORKERS} at once on Ray" if ray else "one after the other (with Ray two at once: requirements/gpu.txt)"
    print(f"{', '.join(names)}: {how}", flush=True)
    results = (on_ray if ray else in_turn)(names, chosen)
    failed = [name for name, (code, _) in results.items() if code]
    for name, (code, seconds) in results.items():
        print(f"{name:<24} {'failed' if code else 'done'} in {seconds:.0f} s")
    print(f"next: make train ADAPTER={failed[0]}" if failed else f"next: make eval ADAPTER={names[0]}")
    return int(bool(failed))


def train(name: str, chosen: str, threads: int, told: bool = True) -> tuple[int, float, str]:
    """One training in a process of its own: exit code, seconds, and its output unless it was shown as it came."""
    began = time.monotonic()
    variables = {"ADAPTER": name, "PROFILE": chosen, "PYTHONPATH": str(CODE), "OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, "-m", "scripts.train"]
    pipe = None if told else subprocess.PIPE
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | variables,
        text=True,
        stdout=pipe,
        stderr=subprocess.STDOUT if pipe else None,
    )
    return done.returncode, time.monotonic() - began, done.stdout or ""


def in_turn(names: Sequence[str], chosen: str) -> dict[str, tuple[int, float]]:
    """One after the other, with all cores, shown as it goes."""
    return {name: train(name, chosen, os.cpu_count() or 1)[:2] for name in names}


def on_ray(names: Sequence[str], chosen: str) -> dict[str, tuple[int, float]]:
    """As Ray tasks: on a cluster one GPU each, on this machine an equal share of its cores."""
    import ray

    cluster = os.environ.get("RAY_ADDRESS")
    options = {"address": cluster} if cluster else {"num_cpus": WORKERS, "include_dashboard": False}
    try:
        ray.init(log_to_driver=False, **options)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise UserError(f"Ray did not start: {str(error).splitlines()[0]}", next=".venv/bin/ray start --head") from None
    threads = max(1, (os.cpu_count() or 1) // WORKERS)
    task = ray.remote(num_cpus=1, num_gpus=int(profile.cuda()), max_retries=1)(train)
    waiting = {task.remote(name, chosen, threads, False): name for name in names}
    results: dict[str, tuple[int, float]] = {}
    try:
        while waiting:
            [ready], _ = ray.wait(list(waiting), num_returns=1)
            name = waiting.pop(ready)
            code, seconds, output = ray.get(ready)
            results[name] = code, seconds
            print(f"--- {name}\n{output.rstrip()}", flush=True)
    finally:
        ray.shutdown()
    return results


if __name__ == "__main__":
    main_of(main)
