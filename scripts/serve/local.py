"""A conversation with one model of the server, in this process and without HTTP: engine, strict calls and executor."""

import asyncio
import json
import logging
import os
import secrets
from collections.abc import Iterator, Mapping

from scripts.errors import UserError
from scripts.serve import start
from scripts.serve.catalog import Catalog
from scripts.serve.chat import Answer
from scripts.serve.engine import EngineError, Size
from scripts.serve.request import BadRequest, parse


class Local:
    """What `make serve` would answer; tools consult what `backend` names, or the sample people."""

    def __init__(self, found: Catalog, model: str, backend: str = ""):
        logging.getLogger("executor").setLevel(logging.WARNING)  # its outcomes are seen in the conversation
        self.model, self.conversation = model, secrets.token_hex(8)
        size = Size(slots=1, threads=os.cpu_count() or 1)
        self.service = start.service(found, size, start.backend(backend))
        self.run = asyncio.new_event_loop().run_until_complete
        self.run(self.service.engine.open())

    def reply(self, messages: list[dict]) -> Iterator[str]:
        """Text for a screen as it comes; then `messages` has what was answered, with calls and their results.

        UserError where the conversation has outgrown the context.
        """
        fields, answer = {"model": self.model, "execute_tools": True, "conversation": self.conversation}, Answer()
        try:
            asked = parse(json.dumps({**fields, "messages": messages}).encode())
            deltas = self.service.answer(asked, *self.run(self.service.checked(asked)), answer, client="")
            while delta := self.run(anext(deltas, None)):
                yield shown(delta)
        except BadRequest as error:
            raise UserError(str(error), next="begin a new conversation") from None
        except EngineError as error:
            raise UserError(f"the engine could not answer: {error}") from None
        messages += answer.messages

    def close(self, code: int) -> None:
        """Ends the process."""
        start.leave(code)


def shown(delta: Mapping) -> str:
    """A delta as people read it: text as it is, a call and its result as lines."""
    if delta.get("role") == "tool":
        return f"  ← {delta['content']}\n"
    calls = [call["function"] for call in delta.get("tool_calls", [])]
    return delta.get("content") or "".join(f"  → {call['name']} {call['arguments']}\n" for call in calls)
