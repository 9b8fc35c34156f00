"""A web page that asks base, adapters and stacks side by side, over the same server as make serve.

Run as: make compare [BASE=…] [HOST=127.0.0.1] [PORT=8000] / python -m scripts.compare
Kept pairs go to datasets/<adapter>/rows/kept.jsonl, where the next make dataset takes them up.
"""

from collections.abc import Sequence

from scripts.errors import main_of
from scripts.run import ready
from scripts.serve import catalog
from scripts.serve.__main__ import parsed, served
from scripts.serve.front import Settings


def main(argv: Sequence[str]) -> None:
    """Serves the page until it is stopped."""
    from scripts.serve import page, start

    options = parsed(argv, __doc__)
    found = catalog.of(ready.runs_of(options.base))
    for reason in found.left_out:
        print(f"not served: {reason}", flush=True)
    settings = Settings(options.host, options.port, start.key_from_environment())
    served(found, settings, options, page.add)


if __name__ == "__main__":
    main_of(main)
