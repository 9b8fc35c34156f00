"""llama.cpp in this process (the xllamacpp wheel): one base, every adapter loaded, weights given per request.

Its own HTTP server listens on a random loopback port behind a key that nobody else knows; the front talks to it.
Two things keep adapters apart. `cache_ram_mib = 0`: its host-memory prompt cache forgets which adapter computed a
prefix and hands it to another one. And every request names the weight of every adapter, 0 for those it does not mean:
with an empty list a slot goes on from the prefix that its last adapter computed.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from scripts.errors import UserError
from scripts.files import sha256
from scripts.model import gguf
from scripts.paths import shown

#: Seconds in which an engine without requests comes to rest.
QUIET = 0.3


@dataclass(frozen=True)
class Size:
    """Slots answer at once; `context` tokens (prompt and answer) for each of them; `threads` of the CPU."""

    slots: int = 8
    context: int = 2048
    threads: int = 2


class EngineError(Exception):
    """What the engine refused or could not do, with the HTTP status that it gave (0: it did not answer)."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


class Engine:
    """Started on creation; `open` and `close` its connections inside the event loop."""

    def __init__(self, base: Path, adapters: Sequence[Path], size: Size):
        model = base / "base.gguf"
        if not model.exists():
            raise UserError(f"{shown(model)}: no such file", next="make base, or put the base's GGUF there")
        self._key = secrets.token_urlsafe(32)
        self._server = start(model, [converted(path, base) for path in adapters], size, self._key)
        self.size, self.url = size, self._server.listening_address
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        self._session = aiohttp.ClientSession(
            self.url,
            headers={"Authorization": f"Bearer {self._key}"},
            connector=aiohttp.TCPConnector(limit=0, force_close=True),  # the engine drops idle connections unannounced
            timeout=aiohttp.ClientTimeout(total=None),
            read_bufsize=2**22,
        )

    async def close(self) -> None:
        """Ends the connections, and gives the engine's thread time to fall asleep before anybody forgets it.

        xllamacpp's destructor wakes that thread and waits for it; a thread still busy misses the call, for ever.
        """
        if self._session:
            await self._session.close()
            await asyncio.sleep(QUIET)

    async def complete(self, prompt: Sequence[int], lora: Sequence[dict], options: dict) -> AsyncIterator[dict]:
        """Pieces `{"content", "tokens"}`; the last has `stop: true`, counts and `stop_type`. Leaving early stops it."""
        body = {**options, "prompt": list(prompt), "lora": list(lora), "stream": True, "cache_prompt": True}
        try:
            async with self._session.post("/completion", json=body) as response:
                if response.status != 200:
                    raise EngineError(response.status, _message(await response.text()))
                async for line in response.content:
                    if line.startswith(b"error:"):
                        raise EngineError(500, _message(line[6:].decode()))
                    if line.startswith(b"data: "):
                        piece = json.loads(line[6:])
                        if "error" in piece:
                            raise EngineError(500, piece["error"].get("message", "engine error"))
                        yield piece
        except (aiohttp.ClientError, asyncio.IncompleteReadError) as error:
            raise EngineError(0, f"the engine does not answer ({type(error).__name__})") from None

    async def healthy(self) -> bool:
        """Whether the engine answers at all."""
        try:
            async with self._session.get("/health", timeout=aiohttp.ClientTimeout(total=5)) as response:
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False


def converted(adapter: Path, base: Path) -> Path:
    """The adapter as GGUF, made once for its weights and kept under export/ of its run."""
    made = adapter / "export" / f"lora-{sha256(adapter / 'adapter_model.safetensors')[:16]}.gguf"
    if not made.exists():
        made.parent.mkdir(exist_ok=True)
        for stale in made.parent.glob("lora-*.gguf"):
            stale.unlink()
        gguf.write_adapter(adapter, json.loads((base / "config.json").read_text(encoding="utf-8")), made)
    return made


def start(model: Path, loras: Sequence[Path], size: Size, key: str):
    """A running `xllamacpp.Server` for a model and LoRAs, all GGUF; it stops when it is forgotten."""
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(model)
    parameters.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(path), 0.0) for path in loras]
    parameters.n_parallel, parameters.n_ctx = size.slots, size.slots * size.context
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = size.threads
    parameters.cache_ram_mib = 0
    parameters.api_keys = [key]
    parameters.ui = parameters.endpoint_slots = parameters.endpoint_props = False
    parameters.verbosity = 0
    return xllamacpp.Server(parameters)


def _message(text: str) -> str:
    try:
        return str(json.loads(text)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return text[:200]
