"""The compare page and the rows that are kept from it."""

import asyncio
import base64
import hashlib
import json
import re
from pathlib import Path

from aiohttp import web

from scripts.data.gates import Gate, gates_of
from scripts.model.toolcall import strict_json
from scripts.paths import DATASETS, shown
from scripts.serve.front import failure

_PAGE = Path(__file__).with_name("compare.html")
_LOCK = asyncio.Lock()


def add(app: web.Application) -> None:
    """Adds `/`, and `/v1/rows` for what is kept."""
    html = _PAGE.read_text(encoding="utf-8")
    headers = {
        "Content-Security-Policy": _policy(html),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }

    async def page(_: web.Request) -> web.Response:
        return web.Response(text=html, content_type="text/html", headers=headers)

    app.router.add_get("/", page)
    app.router.add_get("/v1/rows", targets)
    app.router.add_post("/v1/rows", keep)


async def targets(_: web.Request) -> web.Response:
    """GET /v1/rows: the data sets that a row can be kept in."""
    return web.json_response({"adapters": sorted(path.parent.name for path in DATASETS.glob("*/recipe.yml"))})


async def keep(request: web.Request) -> web.Response:
    """POST /v1/rows: appends a conversation to datasets/<adapter>/rows/kept.jsonl, if it passes every row's gates."""
    try:
        value = strict_json((await request.read()).decode("utf-8"))
        adapter, messages = value["adapter"], [_row_message(message) for message in value["messages"]]
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
        return failure(400, "a row is {adapter, messages}", "invalid_request_error")
    folder = DATASETS / str(adapter)
    if not isinstance(adapter, str) or adapter not in {path.parent.name for path in DATASETS.glob("*/recipe.yml")}:
        return failure(404, "there is no such data set", "invalid_request_error", "adapter")
    row = {"messages": messages, "kind": "kept"}
    problems = list(Gate(**gates_of(folder)).row(row))
    if problems:
        return failure(
            400, "; ".join(f"{where}: {message}" for where, message in problems[:3]), "invalid_request_error"
        )
    file = folder / "rows" / "kept.jsonl"
    async with _LOCK:
        line = await asyncio.to_thread(_append, file, json.dumps(row, ensure_ascii=False) + "\n")
    return web.json_response({"file": shown(file), "line": line}, status=201)


def _row_message(message: dict) -> dict:
    """A message as rows have it: no ids, arguments as they were generated."""
    kept = {"role": message["role"], "content": message.get("content")}
    if calls := message.get("tool_calls"):
        functions = [{key: call["function"][key] for key in ("name", "arguments")} for call in calls]
        kept["tool_calls"] = [{"type": "function", "function": function} for function in functions]
    return kept


def _append(file: Path, line: str) -> int:
    """Adds one whole line and returns its number."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+", encoding="utf-8") as stream:
        stream.seek(0)
        number = sum(1 for _ in stream) + 1
        stream.write(line)
    return number


def _policy(html: str) -> str:
    """Only this page's own script and style run, and it talks only to its own server."""
    script, style = (re.search(rf"<{tag}>(.*?)</{tag}>", html, re.S)[1] for tag in ("script", "style"))
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (script, style)]
    return (
        f"default-src 'none'; script-src 'sha256-{hashes[0]}'; style-src 'sha256-{hashes[1]}'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
