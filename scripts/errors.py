"""A user's mistake: found all at once, said once, with the place, the choices and the next command.

`Problem` is one finding in one file. `UserError` carries one sentence or many problems to the edge,
where `main_of` prints them and exits 1. A traceback is a bug of ours, never an answer to a user.
"""

import difflib
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Problem:
    """One finding; line and col count from 1, 0 means the whole file; path is a JSONPath from `$`."""

    file: str
    line: int
    col: int
    path: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = ":".join([self.file, *(str(n) for n in (self.line, self.col) if n)])
        path = f" {self.path}:" if self.path else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{place}:{path} {self.message}{hint}"


class UserError(Exception):
    """What the user can mend: a sentence or problems, and the next command to run."""

    def __init__(self, message: str = "", *, problems: Iterable[Problem] = (), next: str = ""):
        self.message, self.problems, self.next = message, sorted(set(problems)), next
        super().__init__(str(self))

    def __str__(self) -> str:
        lines = [str(problem) for problem in self.problems]
        lines += [self.message] if self.message else []
        lines += [f"next: {self.next}"] if self.next else []
        return "\n".join(lines)


def suggestion(word: str, choices: Iterable[str]) -> str:
    """`did you mean 'x'?` for the nearest choice, or nothing."""
    near = difflib.get_close_matches(word, list(choices), n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else ""


def main_of(verb: Callable[[Sequence[str]], int | None]) -> None:
    """Runs a verb's main(argv); prints a UserError without a traceback and exits 1, Ctrl-C exits 130."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(verb(sys.argv[1:]) or 0)
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("\nstopped; what was complete is kept", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(141)
    except OSError as error:
        print(f"{error.filename or 'system'}: {error.strerror or error}", file=sys.stderr)
        sys.exit(1)
