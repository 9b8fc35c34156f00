"""The measured parts as JSON, as a Markdown table and as a picture, with the machine named."""

import json
from pathlib import Path

from scripts.files import write, write_json
from scripts.score.modelcard import table

BETTER = ("trained_tokens_per_second", "batched_tokens_per_second", "one_by_one_tokens_per_second", "tokens_per_second")


def publish(folder: Path, measured: dict) -> Path:
    """bench.json, bench.md and bench.png; parts that were not measured now stay as they were."""
    file = folder / "bench.json"
    before = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    whole = {**before, **measured}
    write_json(file, whole)
    write(folder / "bench.md", markdown(whole))
    if found := bars(whole):
        draw(found, folder / "bench.png", title(whole))
    return folder / "bench.md"


def title(whole: dict) -> str:
    """The machine in one line."""
    told = whole.get("machine", {})
    return f"{told.get('gpu') or told.get('cpu', '?')}, {told.get('cores', '?')} cores, torch {told.get('torch', '?')}"


def markdown(whole: dict) -> str:
    """One table a part."""
    parts = ["# Measured", title(whole)]
    for name, part in whole.items():
        grid = part.get("ways") or part.get("variants") if isinstance(part, dict) else None
        rest = {key: value for key, value in part.items() if key not in ("ways", "variants")}
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
