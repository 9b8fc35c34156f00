"""Recomputes every hash of a run: weights, the files beside them, config, data, template, code, base, figures.

Exit 1 where one differs.
Run as: make verify ADAPTER=unimed (without ADAPTER: every run in outputs/) / python -m scripts.verify --adapter unimed
"""

from collections.abc import Sequence
from pathlib import Path

from scripts.arguments import add, parser
from scripts.errors import UserError, main_of
from scripts.paths import OUTPUTS, shown
from scripts.run import manifest, proof, ready


def main(argv: Sequence[str]) -> int:
    """Verifies one run or all; 1 where any hash is not the recorded one."""
    options = parser(__doc__)
    add(options, "ADAPTER", "an adapter, a stack or a merged model (default: every run)")
    add(options, "PROFILE", "the profile that it was trained under")
    arguments = options.parse_args(argv)
    found = [ready.run(arguments.adapter, arguments.profile)] if arguments.adapter else proof.runs()
    if not found:
        raise UserError(f"{shown(OUTPUTS)} has no run to verify", next="make train ADAPTER=unimed")
    wrong = [run for run in found if not verified(run)]
    return int(bool(wrong))


def verified(run: Path) -> bool:
    """Prints each hash of a run; True where all are right."""
    print(shown(run))
    try:
        checks = list(proof.checks(run))
    except (KeyError, TypeError) as error:
        print(f"  {shown(run / manifest.NAME)} lacks {error}: not a manifest that `make train` wrote\n")
        return False
    for each in checks:
        print(f"  {each}")
    for note in proof.version_notes(manifest.read(run)):
        print(f"  note      {note}")
    wrong = [each for each in checks if not each.right]
    print(f"  {summary(run, checks, wrong)}\n")
    return not wrong


def summary(run: Path, checks: list[proof.Check], wrong: list[proof.Check]) -> str:
    """One sentence, and what to do."""
    if not wrong:
        return f"{len(checks)} hashes recomputed: every hash is right"
    names = ", ".join(dict.fromkeys(each.what for each in wrong))
    told = f"{len(wrong)} of {len(checks)} hashes are not the recorded ones ({names})"
    again = f"make eval ADAPTER={run.name}" if names == "figures" else f"{ready.made_by(run.name)} FORCE=1"
    return f"{told}\n  next: {again}"


if __name__ == "__main__":
    main_of(main)
