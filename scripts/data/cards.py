"""The data card of an adapter: facts from card.yml, figures from data.lock.json, in Portuguese.

datasets/<adapter>/CARD.md is generated whole; a test keeps it equal to what this module says.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from scripts.config import schema, yamlfile
from scripts.errors import UserError
from scripts.paths import DATASETS, shown

FACTS = {
    "title": "Título",
    "source": "Origem",
    "licence": "Licença",
    "legal_basis": "Base legal",
    "personal_data": "Dados pessoais",
}


def card(adapter: str) -> str:
    """The card's Markdown; UserError where card.yml lacks a fact or can't be read."""
    folder = DATASETS / adapter
    facts, lock = _facts(folder / "card.yml"), _lock(folder / "data.lock.json")
    lines = [
        f"# {facts['title']}",
        "",
        f"Conjunto de dados do adaptador `{adapter}`. Gerado por `make data-card`: edite card.yml.",
        "",
    ]
    lines += [f"- **{label}:** {' '.join(str(facts[key]).split())}" for key, label in FACTS.items() if key != "title"]
    lines += ["", "## Limites", "", *(f"- {' '.join(limit.split())}" for limit in facts["limits"])]
    lines += ["", "## Números", "", *_counts(lock)]
    lines += _variety(lock.get("variety"))
    return "\n".join(lines) + "\n"


def _facts(file: Path) -> dict:
    if not file.exists():
        raise UserError(f"{shown(file)}: no such file", next=f"write it with {', '.join([*FACTS, 'limits'])}")
    document = yamlfile.load(file)
    if problems := schema.problems(document, "card"):
        raise UserError(problems=problems)
    return document.value


def _lock(file: Path) -> dict:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _counts(lock: Mapping) -> list[str]:
    sides = {name: lock[name] for name in ("train", "eval") if isinstance(lock.get(name), dict)}
    if not sides:
        return ["Ainda não construído: `make dataset`."]
    lines = ["| | " + " | ".join(sides) + " |", "|---|" + "---:|" * len(sides)]
    labels = {
        "rows": "linhas",
        "turns": "turnos",
        "tokens": "tokens",
        "characters": "caracteres",
        "tool_calls": "chamadas de ferramenta",
    }
    for key, label in labels.items():
        if any(key in side for side in sides.values()):
            lines.append(f"| {label} | " + " | ".join(_number(side.get(key)) for side in sides.values()) + " |")
    kinds = sorted({kind for side in sides.values() for kind in side.get("kinds", {})})
    for kind in kinds:
        lines.append(
            f"| `{kind}` | " + " | ".join(_number(side.get("kinds", {}).get(kind)) for side in sides.values()) + " |"
        )
    lines += ["", *(f"- {name}: sha256 `{side['sha256']}`" for name, side in sides.items() if "sha256" in side)]
    return lines


def _variety(variety: object) -> list[str]:
    """Whatever figures of variety the lock has, flat."""
    if not isinstance(variety, dict) or not variety:
        return []
    rows = {name: value for name, value in variety.items() if isinstance(value, dict)}
    flat = {name: value for name, value in variety.items() if not isinstance(value, dict)}
    lines = ["", "## Variedade", "", *(f"- {name}: {_number(value)}" for name, value in flat.items())]
    if rows:
        keys = sorted({key for value in rows.values() for key in value})
        lines += ["", "| | " + " | ".join(rows) + " |", "|---|" + "---:|" * len(rows)]
        lines += [
            f"| `{key}` | " + " | ".join(_number(value.get(key)) for value in rows.values()) + " |" for key in keys
        ]
    return lines


def _number(value: object) -> str:
    if isinstance(value, int):
        return f"{value:,}".replace(",", ".")
    if isinstance(value, float):
        return f"{value:g}".replace(".", ",")
    return "–" if value is None else str(value)
