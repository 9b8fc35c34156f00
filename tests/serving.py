"""A server in the tests' own process: the toy base or a real one, asked over HTTP like any other."""

import asyncio
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

from scripts.model.toolcall import OPEN
from scripts.serve import front, start
from scripts.serve.catalog import Catalog
from scripts.serve.engine import Size
from scripts.serve.prompt import Prompts

SIZE = Size(slots=2, context=512, threads=1)
#: What the `catalog` of conftest.py has.
MODELS = ["base", "kpi", "schema", "unimed-attendant", "schema-kpi"]


class Scripted:
    """An engine that says what it is told to, turn by turn; of a call that is open already, the rest."""

    size = SIZE

    def __init__(self, *turns):
        self.turns, self.prompts, self.options, self.opening = list(turns), [], [], []

    def start(self, base, *_):
        self.opening = Prompts(base).opening
        return self

    async def open(self): ...

    async def close(self): ...

    async def complete(self, prompt, lora, options):
        self.prompts.append(prompt)
        self.options.append(options)
        text = self.turns.pop(0)
        if self.opening == prompt[-len(self.opening) :]:
            text = text.removeprefix(OPEN)
        for at in range(0, len(text), 3):
            yield {"content": text[at : at + 3], "stop": False}
        end = {"stop_type": "eos", "tokens_evaluated": len(prompt), "tokens_predicted": 7, "timings": {"cache_n": 0}}
        yield {"content": "", "stop": True} | end


class Client:
    """Asks one server; `key` goes with every request."""

    def __init__(self, url: str, service, key: str = "", loop=None):
        self.url, self.service, self.key, self.loop = url, service, key, loop

    def ask(self, path: str, body: object = None, headers: dict | None = None) -> tuple[int, str]:
        """Status and text of a GET, or of a POST where there is a body (bytes go as they are)."""
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        sent = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {self.key}"} if self.key else {})
        request = urllib.request.Request(self.url + path, data, sent | (headers or {}))
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def chat(self, content: str | list, model: str = "base", **fields) -> dict:
        """The completion's object; its `tokens` are not OpenAI's, so compare the text."""
        messages = content if isinstance(content, list) else [{"role": "user", "content": content}]
        status, text = self.ask("/v1/chat/completions", {"model": model, "messages": messages, **fields})
        assert status == 200, text
        return json.loads(text)

    def says(self, content: str | list, model: str = "base", **fields) -> str:
        return self.chat(content, model, **fields)["choices"][0]["message"]["content"]

    def events(self, content: str | list, model: str = "base", **fields) -> list[dict]:
        """The chunks of a streamed completion; the last line must be [DONE]."""
        messages = content if isinstance(content, list) else [{"role": "user", "content": content}]
        body = {"model": model, "messages": messages, "stream": True, **fields}
        status, text = self.ask("/v1/chat/completions", body)
        assert status == 200, text
        lines = [line.removeprefix("data: ") for line in text.split("\n\n") if line]
        assert lines.pop() == "[DONE]"
        return [json.loads(line) for line in lines]


@contextmanager
def server(
    catalog: Catalog, size: Size, settings: front.Settings | None = None, extend=None, backend=None
) -> Iterator[Client]:
    """A running server on a free port."""
    service = start.service(catalog, size, backend)
    settings = settings or front.Settings()
    loop, ready, stop, place = asyncio.new_event_loop(), threading.Event(), asyncio.Event(), {}

    async def main() -> None:
        app = front.application(service, settings)
        if extend:
            extend(app)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, shutdown_timeout=5)
        await site.start()
        place["port"] = site._server.sockets[0].getsockname()[1]
        ready.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=(main(),), daemon=True)
    thread.start()
    ready.wait(60)
    try:
        yield Client(f"http://127.0.0.1:{place['port']}", service, settings.key, loop)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
        loop.close()
