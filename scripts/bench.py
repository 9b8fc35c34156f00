"""Measures this machine: matrix products, training, evaluation, serving, checking; production sizes where it has a GPU.

Writes outputs/bench/: bench.md, bench.json, bench.png. A part that is not asked for keeps its last figures.
Run as: make bench [PART=train|eval|serve|check|gpu] [ADAPTER=kpi] [ROWS=400] / python -m scripts.bench --part check
"""

import shutil
from collections.abc import Sequence

from scripts.arguments import add, number, parser
from scripts.config import adapter, profile
from scripts.errors import UserError, main_of, suggestion
from scripts.paths import OUTPUTS, shown

PARTS = ("train", "eval", "serve", "check", "gpu")
#: Without ROWS: rows to train on, and answers to ask for; ten of them also one by one.
ROWS, ALONE, STEPS = 400, 10, 20


def main(argv: Sequence[str]) -> None:
    """Measures what is asked for, or all that fits the machine."""
    options = parser(__doc__)
    add(options, "PART", "train, eval, serve, check or gpu (default: all that fits)")
    add(options, "ADAPTER", "whose config and rows", "schema")
    add(options, "ROWS", "rows to train on; an eighth as many answers, a twentieth as many steps on a GPU", str(ROWS))
    arguments = options.parse_args(argv)
    parts = asked(arguments.part)
    rows = number("ROWS", arguments.rows, 20, 1_000_000)
    measured = measure(parts, adapter.find(arguments.adapter), rows)
    from scripts.benchmarks import table

    print(f"\n{(report := table.publish(OUTPUTS / 'bench', measured)).read_text(encoding='utf-8')}")
    print(f"{shown(report)}, bench.json and bench.png\nnext: make plan, which reckons with what was measured")


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


def measure(parts: Sequence[str], name: str, rows: int) -> dict:
    """Figures by part. The peak comes first and only where something is held against it."""
    from scripts.benchmarks import checking, machine

    found: dict = {"machine": machine.described()}
    if {"train", "gpu"} & set(parts):
        print("machine: matrix products", flush=True)
        found["machine"] |= {"gflops": (peaks := machine.peaks())}
    if "check" in parts:
        found["check"] = checking.measure()
    if "eval" in parts:
        from scripts.benchmarks import evaluation

        found["eval"] = evaluation.measure(name, rows // 8, ALONE)
    if "serve" in parts:
        from scripts.benchmarks import serving

        found["serve"] = serving.measure()
    if "train" in parts:
        from scripts.benchmarks import training

        found["train"] = training.measure(name, rows, peaks)
    if "gpu" in parts:
        from scripts.benchmarks import production

        found |= {
            f"gpu {each}": production.measure(each, max(rows // STEPS, 5)) for each in ("kpi", "unimed-attendant")
        }
    return found


if __name__ == "__main__":
    main_of(main)
