"""Makes the files of a new adapter from an existing one's config: own data file, own config, own output folder.

Steps 2 and 3 of the guide in one call; nothing that exists is touched.
Run as: make new ADAPTER=name FROM=kpi / python -m scripts.new --adapter name --from kpi
"""

import re
from collections.abc import Sequence
from itertools import dropwhile

from scripts.arguments import add, parser
from scripts.config import adapter, profile
from scripts.errors import UserError, main_of
from scripts.files import write
from scripts.paths import STACKS, SUITES, shown

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
SCHEMA = "# yaml-language-server: $schema=../schemas/adapter.schema.json"
EXAMPLE = '{"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}'


def main(argv: Sequence[str]) -> None:
    """Checks the names, writes two files, says what to do next."""
    options = parser(__doc__)
    add(options, "ADAPTER", "the new adapter's name: lower-case letters, digits, hyphens")
    add(options, "FROM", "the adapter whose base and settings it takes")
    arguments = options.parse_args(argv)
    name, source = arguments.adapter, adapter.find(getattr(arguments, "from"))
    refuse(name)
    config, data = adapter.config_of(name), adapter.data_of(name) / "conversations.jsonl"
    made = derived(adapter.config_of(source).read_text(encoding="utf-8"), source, name, shown(data))
    write(data, "")
    write(config, made)
    print(f"{shown(config)}: the settings of {source}, with its own data and output folder")
    print(f"{shown(data)}: empty; write one conversation a line:\n  {EXAMPLE}")
    print(f"next: fill {shown(data)}, then make check ADAPTER={name}, then make train ADAPTER={name}")
    print(f"      held-out questions and gates: a suite, as in {shown(SUITES / (source + '.yml'))}")


def refuse(name: str) -> None:
    """UserError for a name that can't be a file, or that is taken."""
    again = "make new ADAPTER=another-name FROM=kpi"
    if not NAME.fullmatch(name) or adapter.reserved(name) or len(name) > 64:
        told = f"lower-case letters, digits and hyphens, not `base`, without {adapter.MERGED} at its end"
        raise UserError(f"{name!r} can't be an adapter's name: {told}", next=again)
    own = (adapter.config_of(name), adapter.data_of(name), STACKS / f"{name}.yml")
    taken = [path for path in own if path.exists()]
    if taken:
        raise UserError(f"{', '.join(map(shown, taken))}: exists already; nothing was touched", next=again)


def derived(text: str, source: str, name: str, data: str) -> str:
    """The source's YAML with a head, a data path and an output folder of its own; its comments stay."""
    config = adapter.load(source)
    lines = text.splitlines(keepends=True)
    settings = "".join(dropwhile(lambda line: line.startswith("#") or not line.strip(), lines))
    head = f"# {name}: say here what it teaches.\n# Data:   {data}\n# Train:  make train ADAPTER={name}\n"
    for each in config["datasets"]:
        settings = settings.replace(f"path: {each['path']}", f"path: {data}")
    output = f"outputs/{profile.base_name(config)}/{name}"
    return f"{SCHEMA}\n{head}\n{settings.replace(config['output_dir'], output)}"


if __name__ == "__main__":
    main_of(main)
