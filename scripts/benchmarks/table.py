"""The measured parts as JSON, as a Markdown table and as a picture, with the machine named."""

import json
from pathlib import Path

from scripts.files import write, write_json
from scripts.score.modelcard import table

BETTER = ("trained_tokens_per_second", "batched_tokens_per_second", "one_by_one_tokens_per_second", "tokens_per_second")
#: Told otherwise than as a row.
HIDDEN = ("machine", "settings", "ways", "variants")


def publish(folder: Path, name: str, part: dict) -> Path:
    """bench.json, bench.md and bench.png with this part in it; the others stay unless another machine measured them.

    A part that failed says so beside its last figures.
    """
    file = folder / "bench.json"
    before = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    kept = {key: each for key, each in before.items() if machine(each) == machine(part)}
    if others := [key for key in before if key not in kept]:
        print(f"measured on another machine, and left out now: {', '.join(others)}", flush=True)
    if "failed" in part:
        part = part | kept.get(name, {}) | {"failed": part["failed"]}
    whole = kept | {name: part}
    write_json(file, whole)
    write(folder / "bench.md", markdown(whole, title(part)))
    if found := bars(whole):
        draw(found, folder / "bench.png", title(part))
    return folder / "bench.md"


def machine(part: dict) -> str:
    """What a part was measured on, in words; of the file's earlier form, which did not say so, none."""
    told = part.get("machine", {})
    return f"{told.get('gpu') or told.get('cpu', '?')}, {told.get('cores', '?')} cores"


def title(part: dict) -> str:
    """The machine and its torch in one line."""
    return f"{machine(part)}, torch {part.get('machine', {}).get('torch', '?')}"


def markdown(whole: dict, heading: str) -> str:
    """One table a part."""
    parts = ["# Measured", heading]
    for name, part in whole.items():
        grid = part.get("ways") or part.get("variants")
        rest = {key: value for key, value in part.items() if key not in HIDDEN}
        rest |= {f"peak {kind}, GFLOP/s": peak for kind, peak in part.get("machine", {}).get("gflops", {}).items()}
        parts += [f"## {name}", table(("what", "value"), list(rest.items()))]
        if grid:
            keys = list(dict.fromkeys(key for each in grid.values() for key in each))
            parts.append(
                table(("", *keys), [[label, *(each.get(key, "") for key in keys)] for label, each in grid.items()])
            )
    return "\n\n".join(parts) + "\n"


def bars(whole: dict) -> dict[str, float]:
    """Every tokens/s there is, by its label."""
    found = {}
    for name, part in whole.items():
        grid = part.get("ways") or part.get("variants") or {"": part}
        for label, each in grid.items():
            found |= {
                f"{name}: {label or key.removesuffix('_tokens_per_second')}": each[key] for key in BETTER if key in each
            }
    return found


def draw(found: dict[str, float], target: Path, heading: str) -> None:
    """Horizontal bars of tokens/s."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 1 + 0.4 * len(found)), dpi=100)
    labels, values = list(found), list(found.values())
    drawn = axes.barh(labels, values, color="#1f4e8c")
    axes.bar_label(drawn, fmt="%.0f", padding=3)
    axes.invert_yaxis()
    axes.set(xlabel="tokens a second", title=heading)
    axes.margins(x=0.12)
    figure.tight_layout()
    figure.savefig(target)
    plt.close(figure)
