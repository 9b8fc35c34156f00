"""Makes the embedded base in outputs/ where it is not there yet.
Run as: make base [FORCE=1] / python -m scripts.base
"""

from collections.abc import Sequence

from scripts.arguments import add, flag, parser
from scripts.errors import main_of
from scripts.model import base
from scripts.paths import shown


def main(argv: Sequence[str]) -> None:
    options = parser(__doc__)
    add(options, "FORCE", "1 makes it anew")
    forced = flag(options.parse_args(argv).force)
    target = base.folder()
    if (target / "base.json").exists() and not forced:
        print(f"base: {shown(target)} is complete")
        return
    base.prepare(target)
    print(f"base: {shown(target)} is ready and read-only\nnext: make train ADAPTER=unimed")


if __name__ == "__main__":
    main_of(main)
