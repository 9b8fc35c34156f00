"""Measures this machine: matrix products, training, evaluation, serving, checking; production sizes where it has a GPU.

Writes outputs/bench/: bench.md, bench.json, bench.png, after each part. A part that is not asked for, or that fails,
keeps its last figures; of PART=gpu, a call that was cut off is gone on with.
Run as: make bench [PART=train|eval|serve|check|gpu] [ADAPTER=kpi] [ROWS=400] / python -m scripts.bench --part check
"""

import shutil
import traceback
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from scripts.arguments import add, number, parser
from scripts.config import adapter, profile
from scripts.errors import UserError, main_of, suggestion
from scripts.paths import OUTPUTS, shown

PARTS = ("train", "eval", "serve", "check", "gpu")
#: Without ROWS: rows to train on, and answers to ask for; ten of them also one by one.
ROWS, ALONE, STEPS = 400, 10, 20


def main(argv: Sequence[str]) -> None:
    """Measures what is asked for, or all that fits the machine; UserError at the end where a part failed."""
    options = parser(__doc__)
    add(options, "PART", "train, eval, serve, check or gpu (default: all that fits)")
    add(options, "ADAPTER", "whose config and rows", "schema")
    add(options, "ROWS", "rows to train on; an eighth as many answers, a twentieth as many steps on a GPU", str(ROWS))
    arguments = options.parse_args(argv)
    parts = asked(arguments.part)
    rows = number("ROWS", arguments.rows, 20, 1_000_000)
    from scripts.benchmarks import table

    failed = {}
    for part, found in measure(parts, adapter.find(arguments.adapter), rows):
        report = table.publish(OUTPUTS / "bench", part, found)
        failed |= {part: found["failed"]} if "failed" in found else {}
    print(f"\n{report.read_text(encoding='utf-8')}\n{shown(report)}, bench.json and bench.png")
    if failed:
        told = "\n".join(f"{part}: {why}" for part, why in failed.items())
        raise UserError(told, next=f"mend that, then make bench PART={next(iter(failed)).split()[0]}")
    print("next: make plan, which reckons with what was measured")


def asked(part: str) -> list[str]:
    """The parts to measure; UserError where one is unknown or this machine can't do it."""
    if not part:
        return [each for each in PARTS if fits(each)]
    if part not in PARTS:
        hint = suggestion(part, PARTS)
        raise UserError(f"there is no part {part!r}; there are: {', '.join(PARTS)}" + (f" ({hint})" if hint else ""))
    if part == "gpu" and not profile.cuda():
        raise UserError("PART=gpu needs a CUDA device, and there is none here", next="make bench PART=train")
    return [part]


def fits(part: str) -> bool:
    """Whether it is measured without being asked for: the production sizes on a GPU, serving where that can start."""
    if part == "serve":
        return any(OUTPUTS.glob("*/*/adapter_config.json")) and (not profile.cuda() or bool(shutil.which("vllm")))
    return part != "gpu" or profile.cuda()


def measure(parts: Sequence[str], name: str, rows: int) -> Iterator[tuple[str, dict]]:
    """Each part's figures as soon as they are there; of one that fails, why, and the others still run."""
    from scripts.benchmarks import machine

    here = machine.described()
    if {"train", "gpu"} & set(parts):  # the peak comes first, and only where something is held against it
        print("machine: matrix products", flush=True)
        here |= {"gflops": machine.peaks()}
    for part, run in runs(parts, name, rows, here.get("gflops", {})):
        try:
            found = run()
        except Exception as error:  # whatever it is: hours of other parts must not be lost to it
            if not isinstance(error, UserError):
                traceback.print_exc()
            found = {"failed": f"{error}".splitlines()[0] if f"{error}" else type(error).__name__}
        yield part, {"machine": here} | found


def runs(parts: Sequence[str], name: str, rows: int, peaks: dict) -> Iterator[tuple[str, Callable[[], dict]]]:
    """Each part with what measures it, quick ones first."""
    if "check" in parts:
        from scripts.benchmarks import checking

        yield "check", checking.measure
    if "eval" in parts:
        from scripts.benchmarks import evaluation

        yield "eval", partial(evaluation.measure, name, rows // 8, ALONE)
    if "serve" in parts:
        from scripts.benchmarks import serving

        yield "serve", serving.measure
    if "train" in parts:
        from scripts.benchmarks import training

        yield "train", partial(training.measure, name, rows, peaks)
    if "gpu" in parts:
        from scripts.benchmarks import production

        for each in ("kpi", "unimed-attendant"):
            yield f"gpu {each}", partial(production.measure, each, max(rows // STEPS, 5))


if __name__ == "__main__":
    main_of(main)
