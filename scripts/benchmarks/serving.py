"""The server as its clients see it: until it answers, until a first token, and tokens/s of eight clients at once.

Started as a user starts it (make serve), so on a CUDA machine this is vLLM. What is compared alternates within one run.
"""

import json
import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from scripts.errors import UserError
from scripts.paths import CODE

QUESTIONS = ("oi, bom dia", "quero ver meu contrato", "O que é sinistralidade?", "What is the capital of France?")
CLIENTS, TURNS, MOST = 8, 2, 48


def measure(times: int = 5) -> dict:
    """Seconds and tokens/s; a ratio is the median of `times` pairs."""
    print("serving: start, first tokens, eight clients", flush=True)
    with server() as (url, seconds):
        asked = [*(each for each in models(url) if each != "base"), "base"]
        same, switched = first_tokens(url, asked, 3 * times)
        pairs = [(tokens_per_second(url, asked[:3]), tokens_per_second(url, asked[:1])) for _ in range(times)]
    mixed, one = (round(statistics.median(each), 1) for each in zip(*pairs, strict=True))
    return {
        "start_seconds": round(seconds, 2),
        "first_token_ms": round(1000 * statistics.median(same)),
        "first_token_after_a_switch_ms": round(1000 * statistics.median(switched)),
        "mixed_against_one": round(statistics.median(both / alone for both, alone in pairs), 3),
        "mixed": ", ".join(asked[:3]),
        "variants": {"one model": {"tokens_per_second": one}, "mixed": {"tokens_per_second": mixed}},
    }


@contextmanager
def server(wait: float = 600) -> Iterator[tuple[str, float]]:
    """A server on a free port, and the seconds that it took until it answered."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url, began = f"http://127.0.0.1:{port}", time.perf_counter()
    environment = os.environ | {"PORT": str(port), "HOST": "127.0.0.1", "API_KEY": "", "API_KEY_FILE": ""}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([sys.executable, "-m", "scripts.serve"], cwd=CODE, env=environment, **quiet)
    try:
        while time.perf_counter() - began < wait and process.poll() is None:
            try:
                models(url)
                break
            except OSError:
                time.sleep(0.05)
        else:
            raise UserError("the server did not start", next="make serve, which says why")
        yield url, time.perf_counter() - began
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()


def models(url: str) -> list[str]:
    """What can be asked there, without stacks: each is one of the others again."""
    with urllib.request.urlopen(f"{url}/v1/models", timeout=10) as response:
        return [each["id"] for each in json.load(response)["data"] if not each.get("weights")]


def first_tokens(url: str, adapters: Sequence[str], times: int) -> tuple[list[float], list[float]]:
    """Seconds until the first piece of a short chat's answer: of the model asked before, and of another."""
    same, switched = [], []
    for turn in range(times):
        one, other = adapters[turn % len(adapters)], adapters[(turn + 1) % len(adapters)]
        first_piece(url, one, f"oi {turn}")
        same.append(first_piece(url, one, f"tudo bem {turn}?"))
        switched.append(first_piece(url, other, f"tudo bem {turn}?"))
    return same, switched


def first_piece(url: str, model: str, question: str) -> float:
    """Seconds until the first content of a stream; of all of it where there is none (a tool call comes whole)."""
    started = time.perf_counter()
    with ask(url, model, question, 8, stream=True) as response:
        for line in response:
            if b'"content"' in line and b'"content": ""' not in line and b'"content":""' not in line:
                break
        return time.perf_counter() - started


def tokens_per_second(url: str, mix: Sequence[str], turns: int = TURNS) -> float:
    """Generated tokens a second of all clients together; client i asks mix[i % len]."""

    def work(index: int) -> int:
        made = 0
        for turn in range(turns):
            question = f"{QUESTIONS[turn % len(QUESTIONS)]} Conte em detalhes, caso {index}."
            with ask(url, mix[index % len(mix)], question, MOST) as response:
                made += json.load(response)["usage"]["completion_tokens"]
        return made

    started = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as clients:
        made = sum(clients.map(work, range(CLIENTS)))
    return made / (time.perf_counter() - started)


def ask(url: str, model: str, question: str, most: int, **fields):
    """The open response to one question."""
    messages = [{"role": "user", "content": question}]
    body = {"model": model, "messages": messages, "max_tokens": most, "temperature": 0, **fields}
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/v1/chat/completions", json.dumps(body).encode(), headers)
    return urllib.request.urlopen(request, timeout=300)
