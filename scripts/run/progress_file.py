"""The progress file as the wrapper reads it, without Axolotl."""

import json
from pathlib import Path

#: Written last into a checkpoint. transformers writes checkpoints in place: without this file one may be half there.
COMPLETE = "complete"


def merged(progress: Path) -> list[dict]:
    """The lines in step order; a step that was run twice, because a checkpoint lay before it, counts as it ran last."""
    steps: dict[int, dict] = {}
    text = progress.read_text(encoding="utf-8") if progress.exists() else ""
    for each in text.splitlines():
        try:
            line = json.loads(each)
        except ValueError:
            continue  # the process died while it wrote this line
        steps = {step: kept for step, kept in steps.items() if step < line["step"]} | {line["step"]: line}
    return [steps[step] for step in sorted(steps)]
