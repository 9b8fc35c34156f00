"""Brings conversations that people have into a data set, as datasets/<adapter>/rows/<file name>.jsonl.

Run as: make import IN=chats.json FORMAT=sharegpt|openai|csv ADAPTER=unimed [SUBJECT_FIELD=cpf SALT=…]
        python -m scripts.import_rows --in chats.json --format sharegpt --adapter unimed

Every row passes the gates or nothing is written. Rows with personal data are refused: anonymise them first.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from scripts import arguments
from scripts.config import adapter as adapters
from scripts.data import imports, jsonl
from scripts.data.anonymous import details
from scripts.data.gates import Gate, allowed_of, capped
from scripts.data.identifiers import masked
from scripts.errors import Problem, UserError, main_of
from scripts.files import write_lines
from scripts.paths import shown


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
    target = adapters.data_of(name) / "rows" / f"{Path(options.file).stem}.jsonl"
    if target.exists():
        raise UserError(f"{shown(target)} exists already", next="rename the file to import, or remove that one first")
    gate, rows, problems = gate_of(name), [], []
    for each in imports.read(Path(options.file), options.format, options.subject_field, options.salt):
        found = [each] if isinstance(each, Problem) else list(checked(Path(options.file), *each, gate))
        problems += found
        rows += [] if found else [each[1]]
    refuse(problems, rows, options.file)
    write_lines(target, map(jsonl.dump, rows))
    subjects = len({row["subject"] for row in rows if "subject" in row})
    print(f"{shown(target)}: {len(rows)} rows, {subjects} subjects\nnext: make dataset ADAPTER={name}")


def gate_of(name: str) -> Gate:
    """The gates of an adapter's rows."""
    tools = adapters.data_of(name) / "tools.json"
    return Gate(tools if tools.exists() else None, allowed_of(name))


def checked(file: Path, line: int, row: dict, gate: Gate) -> Iterator[Problem]:
    """What keeps a row out: the gates, and personal details in a row that was not anonymised."""
    bad = list(gate.row(row))
    yield from (Problem(shown(file), line, 0, where, message) for where, message in bad)
    if not row.get("anonymised") and gate.schema.is_valid(row):
        for kind, text in dict.fromkeys(details(row, gate.allowed)):
            yield Problem(shown(file), line, 0, "$.messages", f"{kind} {masked(text, 1)}", "anonymise this file first")


def refuse(problems: Sequence[Problem], rows: Sequence[dict], file: str) -> None:
    """UserError where anything is wrong, or nothing came in."""
    if any(problem.hint.startswith("anonymise") for problem in problems):
        raise UserError(
            problems=capped(problems, "", 200), next=f"make anonymise IN={file} OUT=<new file>.jsonl, then import that"
        )
    if problems or not rows:
        raise UserError("" if problems else f"{file}: no conversation in it", problems=capped(problems, "", 200))


if __name__ == "__main__":
    main_of(main)
