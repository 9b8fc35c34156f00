"""Puts a server together: catalog, engine, prompts, executor and front, from what a verb was told."""

import asyncio
import importlib
import logging
import os
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path

from aiohttp import web

from scripts.arguments import number
from scripts.errors import UserError, suggestion
from scripts.model import strict
from scripts.serve.catalog import Catalog
from scripts.serve.chat import Service
from scripts.serve.engine import Engine, Size
from scripts.serve.executor import Executor
from scripts.serve.front import SERVICE, Settings
from scripts.serve.limits import Limits
from scripts.serve.prompt import Prompts
from scripts.serve.stub import StubBackend

log = logging.getLogger("serve")
#: The engine is asked every PULSE seconds whether it is there; without DEAD answers in a row it is not.
PULSE, DEAD = 10, 3


def key_from_environment() -> str:
    """API_KEY, or the first line of the file that API_KEY_FILE names; never from the command line, which others see."""
    if file := os.environ.get("API_KEY_FILE"):
        try:
            return Path(file).read_text(encoding="utf-8").partition("\n")[0].strip()
        except OSError as error:
            raise UserError(f"API_KEY_FILE={file}: {error.strerror}") from None
    return os.environ.get("API_KEY", "")


def backend(name: str) -> object:
    """What consults: the stub, or what `module:callable` makes, with a method for each tool (see executor.Backend)."""
    if not name:
        return StubBackend()
    module, _, factory = name.partition(":")
    try:
        return getattr(importlib.import_module(module), factory)()
    except (ImportError, AttributeError, ValueError) as error:
        said = "BACKEND=module:callable, importable from PYTHONPATH"
        raise UserError(f"BACKEND={name}: {error}", next=said) from None


def limited(settings: Settings, text: str) -> tuple[Settings, Limits]:
    """Settings and limits with what LIMITS says of them: "waiting=32,client_per_minute=60"."""
    limits = Limits()
    known = {name: kind for kind in (settings, limits) for name, value in vars(kind).items() if type(value) is int}
    known.pop("port")
    given = dict(each.strip().partition("=")[::2] for each in text.split(",") if each.strip())
    for name in given:
        if name not in known:
            hint = suggestion(name, known)
            raise UserError(f"LIMITS: there is no {name!r}; there are: {', '.join(known)}" + f" ({hint})" * bool(hint))
    numbers = {
        name: number(name, text, int(name not in ("proxies", "stop_seconds")), 10**9) for name, text in given.items()
    }
    of = {kind: {n: value for n, value in numbers.items() if known[n] is kind} for kind in (settings, limits)}
    return replace(settings, **of[settings]), replace(limits, **of[limits])


def service(catalog: Catalog, size: Size, consults: object = None, limits: Limits | None = None) -> Service:
    """The engine with all adapters loaded, and what answers with it; takes a second or two."""
    engine = Engine(catalog.base, list(catalog.adapters.values()), size)
    executor = Executor(consults or backend(""), strict.tools(catalog.adapters.values()), limits)
    return Service(catalog, engine, Prompts(catalog.base), executor)


def run(app: web.Application, settings: Settings) -> None:
    """Serves until SIGTERM or Ctrl-C; then answers what it has begun, for `stop_seconds` at most. Ends the process.

    With exit code 1 where the engine no longer answers, so that whoever started the server starts it again.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    dead = threading.Event()

    async def watching(app: web.Application):
        task = asyncio.create_task(watched(app[SERVICE].engine, dead))
        yield
        task.cancel()

    app.cleanup_ctx.append(watching)
    try:
        web.run_app(
            app,
            host=settings.host,
            port=settings.port,
            shutdown_timeout=settings.stop_seconds,
            access_log=None,
            handler_cancellation=True,
            print=None,
        )
    except OSError as error:
        raise UserError(f"{settings.host}:{settings.port}: {error.strerror or error}", next="another PORT=") from None
    leave(int(dead.is_set()))


async def watched(engine: Engine, dead: threading.Event) -> None:
    """Stops the server when its engine has not answered DEAD times in a row."""
    missed = 0
    while missed < DEAD:
        await asyncio.sleep(PULSE)
        missed = 0 if await engine.healthy() else missed + 1
    log.critical("the engine does not answer; the server ends")
    dead.set()
    signal.raise_signal(signal.SIGTERM)


def leave(code: int) -> None:
    """Ends the process at once, without xllamacpp's destructor: see Engine.close."""
    logging.shutdown()
    sys.stdout.flush()
    os._exit(code)
