"""Builds a data set: rows from its recipe, own rows beside them, quotas, gates, files and lock."""

import importlib
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from scripts.data import jsonl, lock, recipe
from scripts.data.gates import capped, check_rows, gates_of
from scripts.errors import Problem, UserError
from scripts.files import write, write_json
from scripts.paths import shown

#: Problems of built rows that are printed: one line of a recipe can make a thousand.
SHOWN = 20
#: Where the rows of a recipe's `source` come from.
SOURCES = {
    "dialogues": "scripts.data.dialogue",
    "database": "scripts.data.questions",
    "indicators": "scripts.data.indicators",
}


def build(folder: Path, db_url: str | None = None) -> dict:
    """Writes train.jsonl, eval.jsonl and data.lock.json into the folder; gives the lock.

    Nothing is replaced unless everything was made, every quota is met and every gate passed; rows that a
    gate refuses stay in the folder's .rejected/ to be looked at.
    """
    rules = recipe.load(folder)
    refuse(check_rows([], sorted(folder.glob("eval-*.jsonl")), **gates_of(folder)))
    train, evaluation = importlib.import_module(SOURCES[rules["source"]]).rows(rules, folder, db_url)
    missed = unmet(rules, train, evaluation)
    if missed:
        raise UserError("\n".join(missed), next=f"edit {shown(folder / 'recipe.yml')}, then make dataset again")
    train = train + own(folder)
    texts = {"train": "".join(map(jsonl.dump, train)), "eval": "".join(map(jsonl.dump, evaluation))}
    draft = folder / ".rejected"
    for name, text in texts.items():
        write(draft / f"{name}.jsonl", text)
    refuse(check_rows([draft / "train.jsonl"], [draft / "eval.jsonl"], **gates_of(folder)))
    made = lock.lock(folder, train, evaluation, texts)
    for name in texts:
        os.replace(draft / f"{name}.jsonl", folder / f"{name}.jsonl")
    shutil.rmtree(draft)
    write_json(folder / lock.NAME, made)
    return made


def own(folder: Path) -> list[dict]:
    """The rows of hand-written files in the folder, checked: all *.jsonl there but ours, and rows/*.jsonl."""
    ours = {folder / "train.jsonl", *folder.glob("eval*.jsonl")}
    files = sorted({*folder.glob("*.jsonl"), *folder.glob("rows/*.jsonl")} - ours)
    refuse(check_rows(files, **gates_of(folder)))
    return [row for file in files for _, row in jsonl.read(file)]


def refuse(problems: Sequence[Problem]) -> None:
    """UserError with the first problems where there are some."""
    if problems:
        raise UserError(
            problems=capped(problems, "", SHOWN),
            next="mend these rows, or the recipe that makes them, then make dataset again",
        )


def unmet(rules: dict, train: Sequence[dict], evaluation: Sequence[dict]) -> list[str]:
    """One line for each quota of a recipe of dialogues that the rows don't reach."""
    if rules["source"] != "dialogues":
        return []  # their quotas are what each kind is dealt; its module says where a database has too little
    quotas, kinds = rules["quotas"], Counter(row["kind"] for row in train)
    expected = Counter(key for row in evaluation for key in row["expect"])
    have = {
        "conversations": len(train),
        "tool_calls": sum(map(lock.calls, train)),
        "edge_cases": sum(kinds[kind] for kind, each in rules["kinds"].items() if each.get("edge")),
    }
    wanted = [(name, have[name], quotas[name]) for name in have]
    wanted += [(f"kind {kind}", kinds[kind], quotas["each_kind"]) for kind in rules["kinds"]]
    wanted += [(f"evaluation rows that expect {key}", expected[key], n) for key, n in quotas["evaluation"].items()]
    return [f"{what}: {count}, at least {least} asked for" for what, count, least in wanted if count < least]
