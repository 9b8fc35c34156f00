"""A generated turn as OpenAI's stream deltas: content as it comes, tool calls once they are known to be whole.

Joined, the deltas of a turn are exactly `message_of` its text, however the text was cut into pieces.
"""

import secrets
from collections.abc import Iterator

from scripts.model.toolcall import OPEN, message_of

_MARK = "\n" + OPEN


class Deltas:
    """Feed it pieces, then `end` it; `message` is then the whole turn, with ids on its calls."""

    def __init__(self, calls: bool = True):
        self._calls, self.held = calls, ""  # held: what may turn out to be a call
        self.message: dict = {"role": "assistant", "content": None}

    def feed(self, piece: str) -> Iterator[dict]:
        """Deltas that can already be said: all but what may turn out to be a call."""
        if not self._calls:
            yield from self._content(piece)
            return
        self.held += piece
        start = self.held.find(OPEN)
        if start > 0 and self.held[start - 1] == "\n":
            start -= 1
        if start < 0:
            start = len(self.held) - _overlap(self.held)
        ready, self.held = self.held[:start], self.held[start:]
        yield from self._content(ready)

    def end(self) -> Iterator[dict]:
        """The rest: content that was held back for nothing, then the calls."""
        rest, self.held = message_of(self.held), ""
        yield from self._content(rest["content"] or "")
        if "tool_calls" in rest:
            self.message["tool_calls"] = [
                {"id": f"call_{secrets.token_hex(12)}", **call} for call in rest["tool_calls"]
            ]
            for index, call in enumerate(self.message["tool_calls"]):
                yield {"tool_calls": [{"index": index, **call}]}
        elif self.message["content"] is None:
            self.message["content"] = ""

    def _content(self, text: str) -> Iterator[dict]:
        if text:
            self.message["content"] = (self.message["content"] or "") + text
            yield {"content": text}


def _overlap(text: str) -> int:
    """How many of the last characters may be the beginning of a call."""
    sizes = range(min(len(_MARK), len(text)), 0, -1)
    return next((n for n in sizes if text.endswith((_MARK[:n], OPEN[:n]))), 0)
