"""Makes one adapter out of several: the exact weighted sum, or an approximation whose error is shown.

Run as: make stack STACK=schema-kpi [PROFILE=…] [FORCE=1] [COMPARE=1] / python -m scripts.stack --stack schema-kpi
COMPARE=1 writes nothing and shows the error of every method against the exact sum.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

from scripts import arguments
from scripts.errors import main_of
from scripts.files import sha256
from scripts.model import compatible, stackfile
from scripts.model.stackfile import StackFile
from scripts.paths import STACKS, shown


def main(argv: Sequence[str]) -> None:
    """Refuses, or writes outputs/<base>/<stack>/ and prints what it is."""
    parser = arguments.parser(__doc__)
    arguments.add(parser, "STACK", "the stack: a file of configs/stacks/")
    arguments.add(parser, "PROFILE", "whose base is meant (cpu, gpu …)")
    arguments.add(parser, "FORCE", "1 replaces what is there")
    arguments.add(parser, "COMPARE", "1 shows every method's error and writes nothing")
    options = parser.parse_args(argv)
    found = stackfile.read(options.stack)
    if arguments.flag(options.compare):
        return compare(found, stackfile.runs_of(found, options.profile))
    make(found, options.profile, arguments.flag(options.force))
    return None


def make(found: StackFile, profile: str = "", force: bool = False) -> Path:
    """The stack's folder, made unless it is there; every reason against it is a UserError before any compute."""
    runs = stackfile.runs_of(found, profile)
    members = {name: runs / name for name in found.weights}
    compatible.refuse(members, runs / "base", found.method, shown(STACKS / f"{found.name}.yml"))
    made_from = {
        "kind": "stack",
        "settings": {"method": found.method, "rank": found.rank, "density": found.density, "seed": found.seed},
        "members": [_member(name, runs / name, weight) for name, weight in found.weights.items()],
    }
    from scripts.model import adapterfolder

    folder = runs / found.name
    if not adapterfolder.free(folder, made_from, force):
        print(f"{shown(folder)} is up to date")
    else:
        _write(found, members, folder, made_from)
    print(f"next: make matrix, or make chat ADAPTER={found.name}")
    return folder


def _member(name: str, folder: Path, weight: float) -> dict:
    return {"adapter": name, "weight": weight, "weights": sha256(folder / "adapter_model.safetensors")}


def _write(found: StackFile, members: dict[str, Path], folder: Path, made_from: dict) -> None:
    from scripts.model import adapterfolder, lora, stack

    loras, pairs, exact = _load(found, members)
    delta = stack.combine(pairs, _settings(found))
    facts = {"rank": max(len(down) for down, _ in delta.values()), "error": lora.distance(delta, exact)}
    folders = list(members.values())
    manifest = {"name": found.name, "base": compatible.manifest_of(folders[0])["base"], **made_from, **facts}
    adapterfolder.build(folder, lambda work: adapterfolder.write(work, delta, loras, folders, manifest))
    print(f"{shown(folder)}: {found.method} of {', '.join(f'{w:g} {n}' for n, w in found.weights.items())}")
    print(f"  rank {facts['rank']}, error against the exact sum {facts['error']:.1e} (0 is exact)")
    for (one, first_lora), (other, second_lora) in combinations(zip(members, loras, strict=True), 2):
        print(f"  cosine of {one} and {other}: {lora.cosine(lora.deltas(first_lora), lora.deltas(second_lora)):+.3f}")


def _load(found: StackFile, members: dict[str, Path]) -> tuple:
    from scripts.model import lora, stack

    loras = [lora.read(path) for path in members.values()]
    pairs = list(zip(loras, found.weights.values(), strict=True))
    return loras, pairs, stack.exact(pairs)


def _settings(found: StackFile):
    from scripts.model.stack import Settings

    return Settings(found.method, found.rank, found.density, found.seed)


def compare(found: StackFile, runs: Path) -> None:
    """Prints rank and error of every method for the stack's members and weights."""
    from scripts.model import lora, stack

    members = {name: runs / name for name in found.weights}
    compatible.refuse(members, runs / "base", "cat", shown(STACKS / f"{found.name}.yml"))
    _, pairs, exact = _load(found, members)
    print(f"{'method':<20} rank  error against the exact sum")
    for method in stack.METHODS:
        if any(True for _ in compatible.unequal_ranks(members, method)):
            print(f"{method:<20}    -  needs equal ranks")
            continue
        delta = stack.combine(pairs, _settings(replace(found, method=method)))
        rank = max(len(down) for down, _ in delta.values())
        print(f"{method:<20} {rank:>4}  {lora.distance(delta, exact):.1e}", flush=True)


if __name__ == "__main__":
    main_of(main)
