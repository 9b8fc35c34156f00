"""Writes the data card of an adapter, or of all: datasets/<adapter>/CARD.md from card.yml and data.lock.json.

Run as: make data-card [ADAPTER=unimed] / python -m scripts.data_card --adapter unimed
"""

from collections.abc import Sequence

from scripts import arguments
from scripts.config import adapter as adapters
from scripts.data.cards import card
from scripts.errors import main_of
from scripts.files import write
from scripts.paths import DATASETS, shown


def main(argv: Sequence[str]) -> int | None:
    parser = arguments.parser(__doc__)
    arguments.add(parser, "ADAPTER", "whose card; all without it")
    options = parser.parse_args(argv)
    names = (
        [adapters.find(options.adapter)]
        if options.adapter
        else [file.parent.name for file in DATASETS.glob("*/card.yml")]
    )
    texts = {DATASETS / name / "CARD.md": card(name) for name in sorted(names)}
    for file, text in texts.items():
        write(file, text)
        print(shown(file))


if __name__ == "__main__":
    main_of(main)
