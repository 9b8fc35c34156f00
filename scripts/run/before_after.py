"""The same questions to base and adapter, without a system prompt: what training changed, at a glance."""

import json
import textwrap
from pathlib import Path

from scripts.config import adapter
from scripts.files import write
from scripts.model.generate import BASE, of_run

WIDTH = 46


def questions(run: Path, most: int = 6) -> list[str]:
    """The adapter's examples.txt, one a line; without it the first question of each kind of its data."""
    folder = adapter.data_of(run.name)
    file = folder / "examples.txt"
    if file.exists():
        return [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    config = adapter.load(run.name)
    found: dict[str, str] = {}
    with open(folder.parent.parent / config["datasets"][0]["path"], encoding="utf-8") as stream:
        for row in map(json.loads, stream):
            found.setdefault(row.get("kind", str(len(found))), row["messages"][0]["content"])
    return list(found.values())[:most]


def table(run: Path) -> str:
    """Asks, writes before-after.md into the run, and gives the table for a terminal."""
    asked = questions(run)
    generator = of_run(run)
    turns = [[{"role": "user", "content": text}] for text in asked]
    count = len(turns)
    # One mixed batch: as many steps as for one of them.
    said = generator.answers([*turns, *turns], [BASE] * count + [run.name] * count, most=64)
    rows = [("you say", "base", run.name), *zip(asked, said[:count], said[count:], strict=True)]
    cells = [[cell.replace("\n", " ").replace("|", "\\|") for cell in row] for row in rows]
    lines = ["| " + " | ".join(row) + " |" for row in cells]
    write(run / "before-after.md", "\n".join([lines[0], "|---|---|---|", *lines[1:]]) + "\n")
    return "\n".join(block(row) for row in rows)


def block(row: tuple[str, str, str]) -> str:
    """One row of the terminal's table, its cells folded into columns."""
    columns = [textwrap.wrap(cell.replace("\n", " "), WIDTH)[:6] or [""] for cell in row]
    height = max(map(len, columns))
    filled = [column + [""] * (height - len(column)) for column in columns]
    lines = ["  ".join(f"{cell:<{WIDTH}}" for cell in line).rstrip() for line in zip(*filled, strict=True)]
    return "\n".join([*lines, "-" * (3 * WIDTH + 4)])
