"""Answers as OpenAI's clients read them: one JSON object, or server-sent events."""

import asyncio
import contextlib
import json
import logging
import secrets
import time
from collections.abc import AsyncGenerator

from aiohttp import web

from scripts.serve.chat import Answer
from scripts.serve.engine import EngineError
from scripts.serve.request import BadRequest, ChatRequest

log = logging.getLogger("serve")
Deltas = AsyncGenerator[dict, None]
#: On a request whose stream broke off: the status that it would have had, had it not begun with 200.
BROKEN = web.RequestKey("broken", int)


async def whole(
    request: web.Request, asked: ChatRequest, deltas: Deltas, answer: Answer, seconds: float
) -> web.Response:
    """The answer as one object; `steps` holds the calls and results on the way where the server ran tools."""
    async with asyncio.timeout(seconds), contextlib.aclosing(deltas):
        async for _ in deltas:
            pass
    choice = {"index": 0, "message": answer.messages[-1], "finish_reason": answer.finish, "logprobs": None}
    steps = {"steps": answer.messages[:-1]} if asked.execute else {}
    return web.json_response(_head(asked, "chat.completion") | {"choices": [choice], "usage": answer.usage(), **steps})


async def streamed(
    request: web.Request, asked: ChatRequest, deltas: Deltas, answer: Answer, seconds: float
) -> web.StreamResponse:
    """The answer as events. What fails before the first still gets a status; later it can only be an event itself."""
    deadline = asyncio.get_running_loop().time() + seconds
    async with contextlib.aclosing(deltas):
        async with asyncio.timeout_at(deadline):
            first = await anext(deltas, {})
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        with contextlib.suppress(ConnectionResetError):  # the client left; closing `deltas` stops the generation
            try:
                async with asyncio.timeout_at(deadline):
                    await _events(response, asked, first, deltas, answer)
            except (EngineError, BadRequest, TimeoutError) as error:
                request[BROKEN] = status_of(error)
                log.error("an answer broke off: %s", type(error).__name__)
                await _event(response, {"error": {"message": "the answer broke off", "type": "server_error"}})
            await response.write(b"data: [DONE]\n\n")
    return response


def status_of(error: Exception) -> int:
    """The status that answers it, or would have, had it come before the first event."""
    if isinstance(error, TimeoutError):
        return 504
    return 400 if isinstance(error, BadRequest) or getattr(error, "status", 0) == 400 else 503


async def _events(
    response: web.StreamResponse, asked: ChatRequest, first: dict, deltas: Deltas, answer: Answer
) -> None:
    same = _head(asked, "chat.completion.chunk")

    async def send(delta: dict, finish: str | None = None) -> None:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        await _event(response, same | {"choices": [choice]})

    await send({"role": "assistant", "content": None if "tool_calls" in first else ""})
    if first:
        await send(first)
    async for delta in deltas:
        await send(delta)
    await send({}, answer.finish)
    if asked.usage:
        await _event(response, same | {"choices": [], "usage": answer.usage()})


async def _event(response: web.StreamResponse, value: dict) -> None:
    await response.write(b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n")


def _head(asked: ChatRequest, kind: str) -> dict:
    return {
        "id": f"chatcmpl-{secrets.token_hex(12)}",
        "object": kind,
        "created": int(time.time()),
        "model": asked.model,
    }
