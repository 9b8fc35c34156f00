"""What the figures of a run stand for: eval/of.json says which weights were asked which suites, and how many rows.

Beside them stands the hash of metrics.json, so figures that were written otherwise, or half, are nobody's.
"""

import json
from pathlib import Path

from scripts.files import sha256, write_json
from scripts.run import manifest

ALL = "all"


def write(run: Path, suites: list[str], most: int) -> None:
    """Notes what metrics.json, as it is now, was measured on; `most` rows a suite, 0 for all."""
    weights, figures = manifest.read(run)["weights"], sha256(run / "eval" / "metrics.json")
    note = {"weights": weights, "suites": sorted(suites), "rows": most or ALL, "metrics": figures}
    write_json(run / "eval" / "of.json", note)


def read(run: Path) -> dict:
    """The note; empty where there is none."""
    try:
        return json.loads((run / "eval" / "of.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}


def lacking(run: Path, suites: list[str]) -> str:
    """Why the figures don't speak for the run as it is, asked all rows of these suites; empty where they do."""
    note, metrics = read(run), run / "eval" / "metrics.json"
    if not note or not metrics.exists():
        return "it was never evaluated"
    if (note["weights"], note["metrics"]) != (manifest.read(run)["weights"], sha256(metrics)):
        return "its figures are of other weights"
    if note["rows"] != ALL:
        return f"only {note['rows']} rows a suite were asked"
    absent = sorted(set(suites) - set(note["suites"]))
    return f"suites that were not asked: {', '.join(absent)}" if absent else ""
