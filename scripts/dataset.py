"""Builds an adapter's training and evaluation rows from its recipe.

Run as: make dataset ADAPTER=unimed / python -m scripts.dataset --adapter unimed [--db SQLALCHEMY_URL]
"""

from collections.abc import Sequence

from scripts.arguments import add, parser
from scripts.config import adapter
from scripts.data.build import build
from scripts.errors import main_of
from scripts.paths import shown


def main(argv: Sequence[str]) -> None:
    """Builds, then prints what was made and the next command."""
    options = parser(__doc__)
    add(options, "ADAPTER", "whose data to build, such as unimed")
    add(options, "DB", "the database to make rows from, as an SQLAlchemy URL (default: the sample)")
    arguments = options.parse_args(argv)
    name = adapter.find(arguments.adapter)
    folder = adapter.data_of(name)
    print(table(build(folder, arguments.db or None)))
    print(f"{shown(folder)}/: train.jsonl, eval.jsonl, data.lock.json")
    print(f"next: make train ADAPTER={name}" + f"; then make eval ADAPTER={name} DB=… again" * bool(arguments.db))


def table(made: dict) -> str:
    """Rows of each kind and the totals, as lines of text."""
    train, evaluation = made["train"], made["eval"]
    phrasings = made["variety"]["distinct_phrasings"]
    lines = [f"{'kind':<24} {'train':>7} {'eval':>6} {'phrasings':>10}"]
    for kind in sorted({*train["kinds"], *evaluation["kinds"]}):
        counts = train["kinds"].get(kind, 0), evaluation["kinds"].get(kind, 0), phrasings.get(kind, 0)
        lines.append(f"{kind:<24} {counts[0]:>7} {counts[1]:>6} {counts[2]:>10}")
    total = sum(phrasings.values())
    lines.append(f"{'all':<24} {train['rows']:>7} {evaluation['rows']:>6} {total:>10}")
    return "\n".join(lines)


if __name__ == "__main__":
    main_of(main)
