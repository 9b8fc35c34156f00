"""Searches a stack's weights and method for the best worst case over its members' suites, and writes its file.

Run as: make tune-stack STACK=schema-kpi [ROWS=60] [PROFILE=…] [DB=url] / python -m scripts.tune_stack --stack …
Half of each suite's rows, by hash, are for the search; the other half is asked once, of what came out. The
stack's YAML is rewritten for you to review (git diff); nothing else changes. What was once asked is kept.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import yaml

from scripts import arguments
from scripts.errors import main_of
from scripts.files import sha256, write
from scripts.model import compatible, stackfile
from scripts.model.stackfile import StackFile
from scripts.paths import STACKS, shown
from scripts.score import grid, suite, summary
from scripts.score.grid import Target
from scripts.score.suite import Suite

#: Steps of the search: all weights together, then the weight of the member that keeps least, then other methods.
TOGETHER, ALONE = (1.0, 0.85, 0.7, 0.55), (1.15, 1.3, 0.85)
METHODS = ("svd", "ties_svd", "dare_linear_svd", "magnitude_prune_svd")
Shares = dict[str, float]  # of each member's own score, how much is kept


def main(argv: Sequence[str]) -> None:
    """Searches, prints every candidate, writes the best."""
    parser = arguments.parser(__doc__)
    arguments.add(parser, "STACK", "the stack: a file of configs/stacks/")
    arguments.add(parser, "PROFILE", "whose base is meant (cpu, gpu …)")
    arguments.add(parser, "ROWS", "the most rows of a suite in each half; 0 for all", default="60")
    arguments.add(parser, "DB", suite.DATABASE)
    options = parser.parse_args(argv)
    most = arguments.number("ROWS", options.rows, 0)
    found = stackfile.read(options.stack)
    runs = stackfile.runs_of(found, options.profile)
    members = {name: runs / name for name in found.weights}
    compatible.refuse(members, runs / "base", "cat", shown(STACKS / f"{found.name}.yml"))
    trial = Trial(found, runs, most, options.db)
    best, shares = search(found, trial.searched)
    print(f"\nbest: {described(best)}: worst {min(shares.values()):.1%}")
    held = trial.held_out(best)
    print(f"on the other half of the rows it keeps {told(held)}")
    write_file(best)
    print(
        f"{shown(STACKS / f'{best.name}.yml')} is written; look at git diff\nnext: make stack STACK={best.name} FORCE=1"
    )


def search(start: StackFile, measure: Callable[[StackFile], Shares]) -> tuple[StackFile, Shares]:
    """The candidate that keeps most in its worst suite (then on average), and what it keeps."""
    tried: dict[tuple, tuple[StackFile, Shares]] = {}

    def best() -> tuple[StackFile, Shares]:
        return max(tried.values(), key=lambda pair: grid.worst_and_mean(pair[1]))

    for candidate in candidates(start, best):
        if frozen(candidate) not in tried:
            shares = measure(candidate)
            tried[frozen(candidate)] = (candidate, shares)
            print(f"{described(candidate):<70} {told(shares)}", flush=True)
    return best()


def candidates(start: StackFile, best: Callable[[], tuple[StackFile, Shares]]) -> Iterator[StackFile]:
    """The stack as it is; all weights times a factor; the weakest member alone; other methods at those weights."""
    yield start
    for factor in TOGETHER:
        yield replace(start, weights=dict.fromkeys(start.weights, factor), method="cat", rank=0)
    for factor in ALONE:
        found, shares = best()
        weakest = min(shares, key=shares.get)
        yield replace(found, weights=found.weights | {weakest: round(found.weights[weakest] * factor, 3)})
    found, _ = best()
    for method in METHODS:
        yield replace(found, method=method)


def frozen(found: StackFile) -> tuple:
    """What makes two candidates the same."""
    return (found.method, found.rank, found.density, found.seed, tuple(sorted(found.weights.items())))


def described(found: StackFile) -> str:
    """A candidate in one line."""
    return f"{found.method} of " + ", ".join(f"{weight:g} {name}" for name, weight in found.weights.items())


def told(shares: Shares) -> str:
    """What is kept of each member's score."""
    return ", ".join(f"{name} {share:.1%}" for name, share in shares.items())


class Trial:
    """Asks candidates the members' suites; each is an adapter in a temporary folder, gone after it was asked."""

    def __init__(self, found: StackFile, runs: Path, most: int, database: str = ""):
        from scripts.model.generate import of_base

        self.runs, self.generator = runs, of_base(runs)
        own = [each for name in found.weights for each in suite.of(name) if each.adapter == name]
        self.suites = [suite.on(each, database) for each in own]
        self.halves: tuple[list, list] = ([], [])
        for each in self.suites:
            halves: tuple[list, list] = ([], [])
            for row in suite.rows_of(each):
                halves[int(grid.stable(row), 16) % 2].append(row)
            for half, rows in zip(self.halves, halves, strict=True):
                half += [(each, row) for row in grid.sample(rows, most)]
        targets = {target.name: target for target in grid.targets(runs)}
        self.singles = [targets[name] for name in found.weights]
        self.own = [self._singles(half) for half in self.halves]

    def searched(self, found: StackFile) -> Shares:
        """What a candidate keeps on the half for searching."""
        return self._kept(found, 0)

    def held_out(self, found: StackFile) -> Shares:
        """What it keeps on the other half."""
        return self._kept(found, 1)

    def _singles(self, half: list[tuple[Suite, dict]]) -> Shares:
        own = {}
        for target in self.singles:
            mine = [(each, row) for each, row in half if each.adapter == target.name]
            own[target.name] = self._scores(target, mine)[target.name]
        return own

    def _kept(self, found: StackFile, half: int) -> Shares:
        with tempfile.TemporaryDirectory() as folder:
            target = self._build(found, Path(folder))
            scores = self._scores(target, self.halves[half])
        self.generator.model.delete_adapter(target.name)
        self.generator.adapters.remove(target.name)
        return {name: scores[name] / own if own else 0.0 for name, own in self.own[half].items()}

    def _build(self, found: StackFile, folder: Path) -> Target:
        from scripts.model import adapterfolder, lora, stack

        loras = [lora.read(self.runs / name) for name in found.weights]
        settings = stack.Settings(found.method, found.rank, found.density, found.seed)
        delta = stack.combine(list(zip(loras, found.weights.values(), strict=True)), settings)
        adapterfolder.write(folder, delta, loras, [self.runs / name for name in found.weights], {})
        mark = grid.mark(folder, sha256(folder / "adapter_model.safetensors"))
        self.generator.add("candidate", folder)
        # The folder beside the members' runs: answers are kept there, under the hash of these weights.
        return Target("candidate", "stack", self.runs / "candidate", mark)

    def _scores(self, target: Target, asked: list[tuple[Suite, dict]]) -> Shares:
        """One figure per adapter: the sum over its suites."""
        from scripts.score import asked as asking

        if target.name not in self.generator.adapters:
            self.generator.add(target.name, target.folder)
        said = asking.ask(target, self.generator, asked)
        records = [
            summary.record(each, row, {"base": None, "adapter": answer}, {"base": {}, "adapter": figures})
            for (each, row), (answer, figures) in zip(asked, said, strict=True)
        ]
        scores = dict.fromkeys((each.adapter for each, _ in asked), 0.0)
        for each in {each.name: each for each, _ in asked}.values():
            scores[each.adapter] += summary.overall(summary.summarise(each, records))
        return scores


def write_file(found: StackFile) -> None:
    """Rewrites configs/stacks/<name>.yml, keeping the comment at its head."""
    file = STACKS / f"{found.name}.yml"
    head = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        head.append(line)
    value: dict = {"members": [{"adapter": name, "weight": weight} for name, weight in found.weights.items()]}
    value["method"] = found.method
    value |= {"rank": found.rank} if found.rank else {}
    value |= {"density": found.density} if found.method.startswith(("ties", "dare", "magnitude")) else {}
    value |= {"seed": found.seed} if found.seed else {}
    value |= {"base": found.base} if found.base else {}
    write(file, "\n".join([*head, yaml.safe_dump(value, sort_keys=False, allow_unicode=True)]))


if __name__ == "__main__":
    main_of(main)
