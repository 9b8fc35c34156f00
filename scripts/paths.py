"""Where things are. Every folder of the repository that code names is named here, once."""

import os
from pathlib import Path

#: Where the code is.
CODE = Path(__file__).resolve().parent.parent
#: The checkout. Tests point it at a copy by setting ADAPTERS_ROOT before import.
ROOT = Path(os.environ.get("ADAPTERS_ROOT") or CODE)
CONFIGS = ROOT / "configs"
PROFILES = CONFIGS / "profiles"
STACKS = CONFIGS / "stacks"
SUITES = CONFIGS / "suites"
TEMPLATES = CONFIGS / "templates"
DATASETS = ROOT / "datasets"
SCHEMAS = ROOT / "schemas"
OUTPUTS = ROOT / "outputs"


def shown(path: Path | str) -> str:
    """The path as a person types it: relative to the checkout where it lies inside."""
    path = Path(path)
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
