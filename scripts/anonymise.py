"""Real conversations without their people: the same rows with surrogates, and a report of what was found.

Run as: make anonymise IN=real.jsonl OUT=safe.jsonl [FORMAT=openai|sharegpt|csv] [ADAPTER=unimed]
                       [SUBJECT_FIELD=cpf SALT=…]
        python -m scripts.anonymise --in real.jsonl --out safe.jsonl

OUT is OpenAI JSONL, ready for `make import`; OUT.report.md counts what was found, with masked samples. What
stood for what is forgotten with each conversation. ADAPTER's allow.txt says which phones and e-mails are an
institution's and stay; without ADAPTER those of every adapter do.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from scripts import arguments
from scripts.config import adapter as adapters
from scripts.data import imports, jsonl, names
from scripts.data.anonymous import anonymise, texts
from scripts.data.gates import allowed_of, capped
from scripts.data.identifiers import Allowed, masked
from scripts.errors import Problem, UserError, main_of
from scripts.files import write, write_lines
from scripts.paths import DATASETS, shown

Found = dict[str, list[str]]


def main(argv: Sequence[str]) -> int | None:
    parser = arguments.parser(__doc__)
    arguments.add(parser, "IN", "real conversations", dest="file")
    arguments.add(parser, "OUT", "the file to write", dest="out")
    arguments.add(parser, "FORMAT", "openai, sharegpt or csv", "openai")
    arguments.add(parser, "ADAPTER", "whose allow-list counts")
    arguments.add(parser, "SUBJECT_FIELD", "the field or column that says whose conversation it is")
    arguments.add(parser, "SALT", "secret that makes a subject's hash; keep it")
    options = parser.parse_args(argv)
    if not options.file or not options.out:
        raise UserError("IN= and OUT= name the two files", next="make anonymise IN=<real>.jsonl OUT=<safe>.jsonl")
    out = Path(options.out)
    if out.exists():
        raise UserError(f"{shown(out)} exists already", next="remove it or name another OUT")
    source = (Path(options.file), options.format, options.subject_field, options.salt)
    problems = [each for each in imports.read(*source) if isinstance(each, Problem)]
    if problems:
        raise UserError(problems=capped(problems, "", 200))
    common = names.uncommon_lower(texts(row) for _, row in imports.read(*source))
    found: Found = defaultdict(list)
    write_lines(out, _safe(source, allow_list(options.adapter), common, found))
    report = Path(f"{out}.report.md")
    write(report, reported(found))
    print(f"{shown(out)}: {sum(map(len, found.values()))} details replaced; see {shown(report)}")
    print(f"next: read some rows, then make import IN={shown(out)} FORMAT=openai ADAPTER=<name>")


def allow_list(adapter: str) -> Allowed:
    """The allow-list of one adapter, or of all."""
    names_ = [adapters.find(adapter)] if adapter else [path.parent.name for path in DATASETS.glob("*/allow.txt")]
    return Allowed(line for name in names_ for line in allowed_of(name))


def _safe(source: tuple, allowed: Allowed, common: frozenset[str], found: Found) -> Iterator[str]:
    problems = []
    for line, row in imports.read(*source):
        try:
            new, details = anonymise(row, allowed, common)
        except ValueError as error:
            problems.append(Problem(shown(source[0]), line, 0, "", str(error), "take it out by hand"))
            continue
        for kind, text in details:
            found[kind].append(masked(text, 1) if len(found[kind]) < 5 else "")
        yield jsonl.dump(new)
    if problems:
        raise UserError(problems=capped(problems, "", 200))


def reported(found: Found) -> str:
    """A Markdown table: kind, how many, up to five masked samples."""
    lines = ["# What was found and replaced", "", "| kind | found | samples, masked |", "|---|---:|---|"]
    for kind, samples in sorted(found.items()):
        shown_ = ", ".join(f"`{' '.join(each.split())}`" for each in dict.fromkeys(filter(None, samples)))
        lines.append(f"| {kind} | {len(samples)} | {shown_} |")
    lines += [
        "",
        "No list says everything: names that nothing announces and nobody capitalises can stay. Read a sample of",
    ]
    lines += ["the rows before they are used; what the surrogates stood for is kept nowhere.", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    main_of(main)
