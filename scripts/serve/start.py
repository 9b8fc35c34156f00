"""Puts a server together: catalog, engine, prompts, executor and front, from what a verb was told."""

import importlib
import json
import logging
import os
from pathlib import Path

from aiohttp import web

from scripts.errors import UserError
from scripts.paths import DATASETS
from scripts.serve.catalog import Catalog
from scripts.serve.chat import Service
from scripts.serve.engine import Engine, Size
from scripts.serve.executor import Executor
from scripts.serve.front import Settings
from scripts.serve.prompt import Prompts
from scripts.serve.stub import StubBackend


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


def tools(catalog: Catalog) -> list[dict]:
    """The tools of every served adapter."""
    files = (DATASETS / name / "tools.json" for name in catalog.adapters)
    return [tool for file in files if file.exists() for tool in json.loads(file.read_text(encoding="utf-8"))]


def service(catalog: Catalog, size: Size, consults: object = None) -> Service:
    """The engine with all adapters loaded, and what answers with it; takes a second or two."""
    engine = Engine(catalog.base, list(catalog.adapters.values()), size)
    executor = Executor(consults or backend(""), tools(catalog))
    return Service(catalog, engine, Prompts(catalog.base), executor)


def run(app: web.Application, settings: Settings) -> None:
    """Serves until SIGTERM or Ctrl-C; then answers what it has begun, for `stop_seconds` at most."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
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
