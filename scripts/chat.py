"""Talks to an adapter in the terminal; answers appear as they are made. An empty line or Ctrl-D ends it.

Over the server's own engine where its base has a GGUF: tool calls (→) are run (←), by what BACKEND names.
A base without one is asked through transformers and PEFT, and its tool calls are only shown.
Run as: make chat ADAPTER=unimed / python -m scripts.chat --adapter unimed
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from scripts.arguments import add, parser
from scripts.errors import UserError, main_of
from scripts.run import ready


def main(argv: Sequence[str]) -> None:
    """Loads the model and takes turns."""
    options = parser(__doc__)
    add(options, "ADAPTER", "which adapter or stack, or base")
    add(options, "PROFILE", "the profile that it was trained under")
    add(options, "BASE", "a folder of outputs/, for ADAPTER=base (default: the profile's, or the only one with runs)")
    add(options, "BACKEND", "module:callable that makes what tools consult (default: sample people)")
    arguments = options.parse_args(argv)
    run = None if arguments.adapter == "base" else ready.run(arguments.adapter, arguments.profile)
    runs = run.parent if run else ready.runs_of(arguments.base, arguments.profile)
    print("loading the model …", end="", flush=True)
    name, speaker = speaker_of(run, runs, arguments.backend)
    print(f"\r\x1b[K{name}: say something (an empty line ends it)", flush=True)
    speaker.close(ended(speaker))


def speaker_of(run: Path | None, runs: Path, backend: str):
    """The name of what is talked to, and what answers: the server's engine where it can, else PEFT."""
    name = run.name if run else "base"
    if (runs / "base" / "base.gguf").exists():
        from scripts.serve import catalog
        from scripts.serve.local import Local

        found = catalog.of(runs)
        if name in found.names:
            return name, Local(found, name, backend)
    return name, Peft(run, runs)


class Peft:
    """Answers of transformers and PEFT."""

    def __init__(self, run: Path | None, runs: Path):
        from scripts.model.generate import BASE, of_base, of_run

        self.generator = of_run(run) if run else of_base(runs)
        self.name = run.name if run else BASE

    def reply(self, messages: list[dict]) -> Iterator[str]:
        """Text as it comes; then `messages` has the answer."""
        from scripts.model.toolcall import message_of

        pieces = []
        for piece in self.generator.stream(messages, self.name):
            yield piece
            pieces.append(piece)
        messages.append(message_of("".join(pieces)))

    def close(self, code: int) -> None:
        """Ends the process."""
        sys.exit(code)


def ended(speaker) -> int:
    """Talks; the exit code. What went wrong is said here, as closing may end the process at once."""
    try:
        talk(speaker)
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130
    except UserError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


def talk(speaker) -> None:
    """Turns until the input ends; the conversation is kept, as the model was trained on several turns."""
    messages: list[dict] = []
    while True:
        try:
            said = input("> " if sys.stdin.isatty() else "").strip()
        except EOFError:
            return
        if not said:
            return
        messages.append({"role": "user", "content": said})
        for piece in speaker.reply(messages):
            print(piece, end="", flush=True)
        print(flush=True)


if __name__ == "__main__":
    main_of(main)
