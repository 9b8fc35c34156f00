"""Brings conversations that people have into a data set: datasets/<adapter>/rows/<file name>.jsonl.

Run as: make import IN=chats.json FORMAT=sharegpt|openai|csv ADAPTER=unimed [SUBJECT_FIELD=cpf SALT=…]
        python -m scripts.import_rows --in chats.json --format sharegpt --adapter unimed

Every row passes the gates or nothing is written. Rows with personal data are refused: anonymise them first.
An adapter without a recipe gets them in the data file that its config names, where that has no rows yet.
"""

from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path

from scripts import arguments
from scripts.config import adapter as adapters
from scripts.data import imports, jsonl
from scripts.data.anonymous import details
from scripts.data.gates import Gate, capped, gates_of, is_empty
from scripts.data.identifiers import masked
from scripts.errors import Problem, UserError, main_of
from scripts.files import write_lines
from scripts.paths import ROOT, shown


def main(argv: Sequence[str]) -> int | None:
    parser = arguments.parser(__doc__)
    arguments.add(parser, "IN", "the file to import", dest="file")
    arguments.add(parser, "FORMAT", "sharegpt, openai or csv", "openai")
    arguments.add(parser, "ADAPTER", "whose data set")
    arguments.add(parser, "SUBJECT_FIELD", "the field or column that says whose conversation it is")
    arguments.add(parser, "SALT", "secret that makes a subject's hash; keep it")
    options = parser.parse_args(argv)
    if not options.file:
        raise UserError("IN= names no file", next="make import IN=<file> FORMAT=sharegpt|openai|csv ADAPTER=<name>")
    name = adapters.find(options.adapter)
    target = target_of(name, f"{Path(options.file).stem}.jsonl")
    gate, rows, problems = Gate(**gates_of(adapters.data_of(name))), [], []
    for each in imports.read(Path(options.file), options.format, options.subject_field, options.salt):
        found = [each] if isinstance(each, Problem) else list(checked(Path(options.file), *each, gate))
        problems += found
        rows += [] if found else [each[1]]
    refuse(problems, rows, options)
    write_lines(target, map(jsonl.dump, rows))
    subjects = len({row["subject"] for row in rows if "subject" in row})
    verb = "dataset" if has_recipe(name) else "train"
    print(f"{shown(target)}: {len(rows)} rows, {subjects} subjects\nnext: make {verb} ADAPTER={name}")


def has_recipe(name: str) -> bool:
    """Whether an adapter's rows are built, its own among them."""
    return (adapters.data_of(name) / "recipe.yml").exists()


def target_of(name: str, file: str) -> Path:
    """Where rows go that training is to read; UserError where that has some already, or the config names none."""
    folder = adapters.data_of(name)
    rows = folder / "rows" / file
    if has_recipe(name):
        if rows.exists():
            raise UserError(f"{shown(rows)} exists already", next="rename the file to import, or remove that one first")
        return rows
    own = [path for entry in adapters.load(name)["datasets"] if (path := ROOT / entry["path"]).is_relative_to(folder)]
    free = [path for path in own if not path.exists() or is_empty(path)]
    if not free:
        told = (
            f"{name} has no recipe.yml, and what {shown(adapters.config_of(name))} names of its data has rows already"
        )
        raise UserError(told, next=f"name {shown(rows)} under `datasets` too, then make import again")
    return free[0]


def checked(file: Path, line: int, row: dict, gate: Gate) -> Iterator[Problem]:
    """What keeps a row out: the gates, and personal details in a row that was not anonymised."""
    bad = list(gate.row(row))
    yield from (Problem(shown(file), line, 0, where, message) for where, message in bad)
    if not row.get("anonymised") and gate.schema.is_valid(row):
        for kind, text in dict.fromkeys(details(row, gate.allowed)):
            yield Problem(shown(file), line, 0, "$.messages", f"{kind} {masked(text, 1)}", "anonymise this file first")


def refuse(problems: Sequence[Problem], rows: Sequence[dict], options: Namespace) -> None:
    """UserError where anything is wrong, or nothing came in."""
    if any(problem.hint.startswith("anonymise") for problem in problems):
        subject = f" SUBJECT_FIELD={options.subject_field} SALT=…" if options.subject_field else ""
        said = f"make anonymise IN={options.file} OUT=<new file>.jsonl FORMAT={options.format}{subject}"
        raise UserError(problems=capped(problems, "", 200), next=f"{said}, then import that with FORMAT=openai")
    if problems or not rows:
        told = "" if problems else f"{options.file}: no conversation in it"
        raise UserError(told, problems=capped(problems, "", 200))


if __name__ == "__main__":
    main_of(main)
