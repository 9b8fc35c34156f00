"""Trains one adapter through Axolotl: checks it, builds its data, resolves its config, trains, shows before and after.

Same inputs again: "up to date". Killed: the same command resumes from the last complete checkpoint.
Run as: make train ADAPTER=unimed [PROFILE=cpu] [FORCE=1] / python -m scripts.train --adapter unimed
"""

import argparse
import re
import shutil
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from threading import Thread

from scripts import check
from scripts.arguments import add, flag, number, parser
from scripts.config import adapter, profile
from scripts.data import lock as data_lock
from scripts.data.build import build
from scripts.errors import UserError, main_of
from scripts.files import sha256
from scripts.paths import ROOT, shown
from scripts.run import launch, lock, manifest


def main(argv: Sequence[str]) -> None:
    """Everything from a name to a run."""
    options = parser(__doc__)
    add(options, "ADAPTER", "which adapter, such as unimed")
    add(options, "PROFILE", "where and on which base: a file of configs/profiles/ (default: gpu or cpu, as is here)")
    add(options, "FORCE", "1 trains even what is up to date")
    add(options, "PROCESSES", "how many processes train together, on all machines", "1")
    add(options, "MACHINES", "how many machines train together, over one shared folder", "1")
    add(options, "MACHINE", "which of them this is, from 0", "0")
    add(options, "MAIN", "host:port where machine 0 listens", "127.0.0.1:29500")
    arguments = options.parse_args(argv)
    name, chosen = adapter.find(arguments.adapter), profile.choose(arguments.profile)
    fitting(name, chosen)
    run, machines = profile.run_folder(name, chosen), machines_of(arguments)
    with lock.held(run, machines.rank):
        data = data_of(name)
        resolved = profile.resolve(name, chosen, sha256(data[0]))
        made_from = manifest.inputs(resolved, data)
        mark = manifest.fingerprint(made_from)
        if manifest.is_current(run, mark) and not flag(arguments.force):
            print(f"{shown(run)} is up to date (FORCE=1 trains it again)\nnext: make eval ADAPTER={name}", flush=True)
            if not machines.rank:
                settle(run)
            return
        refuse(name)
        announce(name, chosen, bool(arguments.profile), resolved)
        train(run, made_from, mark, resolved, machines)
    if machines.rank:
        print(f"machine {machines.rank} of {machines.count} is done; machine 0 has the adapter")
        return
    print(f"\n{shown(run)}/ is complete: adapter, tokenizer, template, manifest.json, loss.png, train.log")
    print(f"next: make eval ADAPTER={name}    or talk to it: make chat ADAPTER={name}")


def fitting(name: str, chosen: str) -> None:
    """UserError where the YAML does not fit its schema, with everything else that `make check` finds."""
    try:
        adapter.load(name)
        profile.load(chosen)
    except UserError:
        refuse(name)
        raise


def data_of(name: str) -> list[Path]:
    """The adapter's data files, built anew where its recipe is newer than they are; UserError where there is none."""
    folder = adapter.data_of(name)
    if (folder / "recipe.yml").exists() and not data_lock.is_current(folder):
        print(f"building {shown(folder)}/train.jsonl and eval.jsonl", flush=True)
        build(folder)
    config = adapter.load(name)
    paths = [ROOT / each["path"] for each in config["datasets"]]
    missing = [path for path in paths if not path.exists()]
    if missing:
        raise UserError(f"{', '.join(map(shown, missing))}: no such file", next=f"make check ADAPTER={name}")
    return paths


def refuse(name: str) -> None:
    """UserError with every problem that `make check` finds."""
    problems, _ = check.check(name)
    if problems:
        raise UserError(problems=problems, next=f"mend them, then make check ADAPTER={name}")


def announce(name: str, chosen: str, asked: bool, resolved: dict) -> None:
    """One line on where this runs and how to get the other."""
    why = "" if asked or profile.cuda() else " (no CUDA device here; PROFILE=gpu where there is one)"
    print(f"{name} on {resolved['base_model']}, profile {chosen}{why}", flush=True)


def machines_of(arguments: argparse.Namespace) -> launch.Machines:
    """PROCESSES, MACHINES, MACHINE and MAIN; UserError where one is no number or they don't go together."""
    processes = number("PROCESSES", arguments.processes, 1, launch.MOST)
    count = number("MACHINES", arguments.machines, 1, 128)
    rank = number("MACHINE", arguments.machine, 0, count - 1)
    if processes % count:
        raise UserError(f"PROCESSES={processes} can't be shared out evenly over MACHINES={count}")
    host, _, port = arguments.main.rpartition(":")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:]+\]", host):
        raise UserError(f"MAIN={arguments.main} is not host:port, such as 10.0.0.1:29500")
    return launch.Machines(processes, count, rank, host.strip("[]"), number("the port of MAIN", port, 1, 65535))


def train(run: Path, made_from: dict, mark: str, resolved: dict, machines: launch.Machines) -> None:
    """Trains and shows what changed. Imported late: an up-to-date run must be told in a moment."""
    from scripts.run import training

    training.base_untouched(resolved)
    offline = profile.base_folder(resolved) is not None
    if machines.rank:
        training.join(run, mark, offline, machines)
        return
    # Axolotl starts on one core; meanwhile another imports what the table needs, seven seconds' worth.
    Thread(target=import_module, args=("scripts.run.before_after",)).start()
    training.train(run, made_from, mark, offline, machines)
    compare(run)


def settle(run: Path) -> None:
    """Does what a kill just after the training left undone: its work folder goes, base and adapter are compared."""
    shutil.rmtree(profile.work_folder(run), ignore_errors=True)
    if not (run / "before-after.md").exists():
        compare(run)


def compare(run: Path) -> None:
    """Writes and prints what base and adapter say to the same questions."""
    from scripts.run import before_after

    print("before and after, without a system prompt:\n", flush=True)
    print(before_after.table(run), flush=True)


if __name__ == "__main__":
    main_of(main)
