"""Talks to an adapter in the terminal; answers appear as they are made. An empty line or Ctrl-D ends it.

Run as: make chat ADAPTER=unimed / python -m scripts.chat --adapter unimed
"""

import sys
from collections.abc import Sequence

from scripts.arguments import add, parser
from scripts.errors import main_of
from scripts.run import ready


def main(argv: Sequence[str]) -> None:
    """Loads the model and takes turns."""
    options = parser(__doc__)
    add(options, "ADAPTER", "which adapter or stack, or base")
    add(options, "PROFILE", "the profile that it was trained under")
    arguments = options.parse_args(argv)
    run = None if arguments.adapter == "base" else ready.run(arguments.adapter, arguments.profile)
    folder = None if run else ready.base_folder(arguments.profile)
    print("loading the model …", end="", flush=True)
    from scripts.model.generate import BASE, Generator, of_run

    generator = of_run(run) if run else Generator(folder)
    name = run.name if run else BASE
    print(f"\r\x1b[K{name}: say something (an empty line ends it)", flush=True)
    talk(generator, name)


def talk(generator, name: str) -> None:
    """Turns until the input ends; the conversation is kept, as the model was trained on several turns."""
    from scripts.model.toolcall import message_of

    messages: list[dict] = []
    while True:
        try:
            said = input("> " if sys.stdin.isatty() else "").strip()
        except EOFError:
            return
        if not said:
            return
        messages.append({"role": "user", "content": said})
        pieces = []
        for piece in generator.stream(messages, name):
            print(piece, end="", flush=True)
            pieces.append(piece)
        print(flush=True)
        messages.append(message_of("".join(pieces)))


if __name__ == "__main__":
    main_of(main)
