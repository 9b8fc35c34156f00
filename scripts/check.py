"""Checks everything that a pull request can edit: configs, profiles, stacks, suites, recipes, templates and rows.

All mistakes at once, each as file:line:col: $.path: message (hint); exit 1 where there is one. `[house]` marks
what Axolotl would take and only this repository refuses. Imports no torch, no transformers and no Axolotl.
Run as: make check [ADAPTER=kpi] [FORMAT=text|github|json] / python -m scripts.check [--adapter kpi] [--format …]
"""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from scripts import arguments
from scripts.config import adapter, crossfile, report, rules, schema, template, yamlfile
from scripts.config.yamlfile import Document
from scripts.errors import Problem, UserError, main_of, suggestion
from scripts.paths import CONFIGS, DATASETS, PROFILES, SCHEMAS, STACKS, SUITES, shown

DEEPSPEED = CONFIGS / "deepspeed"
KINDS = {CONFIGS: "adapter", PROFILES: "profile", STACKS: "stack", SUITES: "suite", DEEPSPEED: "deepspeed",
         CONFIGS / "machines": "gpus"}  # fmt: skip


def main(argv: Sequence[str]) -> int:
    """Prints the report; 1 where anything is wrong."""
    parser = arguments.parser(__doc__)
    arguments.add(parser, "ADAPTER", "one adapter and what belongs to it; without it, everything")
    arguments.add(parser, "FORMAT", "text (default), github or json", "text")
    options = parser.parse_args(argv)
    if options.format not in report.FORMATS:
        raise UserError(f"FORMAT={options.format} is not one of {', '.join(report.FORMATS)}{hinted(options.format)}")
    start = time.perf_counter()
    only = adapter.find(options.adapter) if options.adapter else ""
    problems, counts = check(only)
    if problems or options.format == "json":
        print(report.FORMATS[options.format](problems), flush=True)
    looked = ", ".join(f"{number:,} {what}" for what, number in counts.items())
    spent = f"{looked} ({time.perf_counter() - start:.2f} s)"
    if problems:
        found = f"{len(problems)} problem{'s' * (len(problems) > 1)} in {spent}"
        print(f"{found}\nnext: mend them, then make check{only and ' ADAPTER=' + only}", file=sys.stderr)
        return 1
    done = f"all right: {spent}\nnext: make plan ADAPTER={only or '<one of them>'}"
    print(done, file=sys.stderr if options.format == "json" else sys.stdout)
    return 0


def hinted(word: str) -> str:
    """The suggestion for a format, in brackets."""
    near = suggestion(word, report.FORMATS)
    return f" ({near})" if near else ""


def check(only: str = "") -> tuple[list[Problem], Counter]:
    """Every problem of everything tracked (or of one adapter), sorted, and how many files and rows were looked at."""
    problems: list[Problem] = []
    counts: Counter = Counter()
    documents = []
    for file, kind in yaml_files(only):
        document, found = one(file, kind)
        documents += [(document, kind)] if document else []
        problems += found
        counts["files"] += 1
    problems += across(documents)
    for file in sorted(CONFIGS.rglob("*.jinja")) if not only else ():
        counts["files"] += 1
        problems += templates(file)
    for name in [only] if only else adapter.names():
        found, rows = data(name)
        problems += found
        counts["rows"] += rows
    return sorted(set(problems)), counts


def yaml_files(only: str = "") -> Iterator[tuple[Path, str]]:
    """Each YAML and DeepSpeed file and the name of its schema ('' where it has none), found by folder."""
    for file in sorted([*CONFIGS.rglob("*.y*ml"), *DEEPSPEED.glob("*.json"), *DATASETS.rglob("*.y*ml")]):
        kind = KINDS.get(file.parent, "")
        if file.is_relative_to(DATASETS):
            kind = file.stem if (SCHEMAS / f"{file.stem}.schema.json").exists() else ""
        mine = file.stem == only or file.parent == PROFILES or file.is_relative_to(DATASETS / only)
        if not only or mine:
            yield file, kind


def one(file: Path, kind: str) -> tuple[Document | None, list[Problem]]:
    """A file by itself. The Document only where everything about it holds."""
    if file.suffix not in (".yml", ".json"):
        return None, [Problem(shown(file), 1, 1, "", "nothing reads this name", f"call it {file.stem}.yml")]
    text, problem = yamlfile.text_of(file)
    return (None, [problem]) if problem else looked(text, file, kind)


def looked(text: str, file: Path, kind: str) -> tuple[Document | None, list[Problem]]:
    """A file's text: credentials in it, its YAML, and its value against its schema."""
    parse = yamlfile.parse_json if file.suffix == ".json" else yamlfile.parse
    document, problems = parse(text, file)
    problems = problems + rules.secrets(file, text)
    if document and kind and kind != "recipe":  # a recipe is checked as one with what it includes
        seen = {each.path for each in problems}  # what is no clear YAML is not judged by its type as well
        problems += [each for each in schema.problems(document, kind) if each.path not in seen]
    return (None if problems else document), problems


def across(documents: list[tuple[Document, str]]) -> Iterator[Problem]:
    """What only several files together show; each document with the name of its schema."""
    adapters = [each for each, kind in documents if kind == "adapter"]
    configs = {each.file.stem: each.value for each in adapters}
    for document, kind in documents:
        if kind == "adapter":
            yield from crossfile.adapter_problems(document)
            yield from crossfile.long_rows(document.value)
        elif kind == "profile":
            yield from crossfile.profile_problems(document, adapters)
        elif kind == "stack":
            yield from crossfile.stack_problems(document, configs)
        elif kind == "suite":
            yield from crossfile.suite_problems(document)


def templates(file: Path) -> list[Problem]:
    """A template by itself, whether a config names it or not."""
    found = template.problems(file.read_text(encoding="utf-8", errors="replace"), {})
    return [Problem(shown(file), 1, 1, "", message) for message in found]


def data(name: str) -> tuple[list[Problem], int]:
    """An adapter's recipe and rows, and how many rows there are."""
    from scripts.data import gates, recipe

    folder = adapter.data_of(name)
    problems = told(folder, recipe.load, folder) if (folder / "recipe.yml").exists() else []
    problems += told(folder, gates.check_adapter, name)
    rows = sum(file.read_bytes().count(b"\n") for file in folder.rglob("*.jsonl"))
    return problems, rows


def told(folder: Path, look: Callable, argument: object) -> list[Problem]:
    """The problems that `look` gives or raises."""
    try:
        found = look(argument)
    except UserError as error:
        return error.problems or [Problem(shown(folder), 0, 0, "", error.message)]
    return found if isinstance(found, list) else []


if __name__ == "__main__":
    main_of(main)
