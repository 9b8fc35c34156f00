"""Makes the embedded base in outputs/ where it is not there yet. Run as: make base / python -m scripts.base"""

from collections.abc import Sequence

from scripts.arguments import parser
from scripts.errors import main_of
from scripts.model import base
from scripts.paths import shown


def main(argv: Sequence[str]) -> None:
    parser(__doc__).parse_args(argv)
    target = base.folder()
    if (target / "base.json").exists():
        print(f"base: {shown(target)} is complete")
        return
    base.prepare(target)
    print(f"base: {shown(target)} is ready and read-only\nnext: make train ADAPTER=unimed")


if __name__ == "__main__":
    main_of(main)
