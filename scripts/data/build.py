"""Builds a data set: rows from its recipe, own rows beside them, quotas, gates, files and lock."""

import importlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from scripts.data import lock, recipe
from scripts.errors import UserError
from scripts.files import write, write_json
from scripts.paths import shown

#: Where the rows of a recipe's `source` come from.
SOURCES = {
    "dialogues": "scripts.data.dialogue",
    "database": "scripts.data.questions",
    "indicators": "scripts.data.indicators",
}


def build(folder: Path, db_url: str | None = None) -> dict:
    """Writes train.jsonl, eval.jsonl and data.lock.json into the folder; gives the lock.

    Nothing is written unless everything was made, every quota is met and every gate passed.
    """
    rules = recipe.load(folder)
    train, evaluation = importlib.import_module(SOURCES[rules["source"]]).rows(rules, folder, db_url)
    missed = unmet(rules, train, evaluation)
    if missed:
        raise UserError("\n".join(missed), next=f"edit {shown(folder / 'recipe.yml')}")
    texts = (lock.text_of(train), lock.text_of(evaluation))
    made = lock.lock(train, evaluation, texts, lock.recipe_hash(folder))
    for name, text in zip(("train", "eval"), texts, strict=True):
        write(folder / f"{name}.jsonl", text)
    write_json(folder / "data.lock.json", made)
    return made


def unmet(rules: dict, train: Sequence[dict], evaluation: Sequence[dict]) -> list[str]:
    """One line for each quota of the recipe that the rows don't reach."""
    quotas = rules.get("quotas")
    if not quotas:
        return []
    kinds = Counter(row["kind"] for row in train)
    edge = sum(kinds[kind] for kind, each in rules["kinds"].items() if each.get("edge"))
    have = {"conversations": len(train), "tool_calls": sum(map(lock.calls, train)), "edge_cases": edge}
    lines = [f"{name}: {have[name]}, at least {quotas[name]} asked for" for name in have if have[name] < quotas[name]]
    least = quotas["each_kind"]
    lines += [f"kind {k}: {kinds[k]} rows, at least {least} asked for" for k in rules["kinds"] if kinds[k] < least]
    expected = Counter(key for row in evaluation for key in row["expect"])
    wanted = quotas.get("evaluation", {})
    return lines + [
        f"evaluation rows that expect {key}: {expected[key]}, at least {count} asked for"
        for key, count in wanted.items()
        if expected[key] < count
    ]
