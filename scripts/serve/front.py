"""The HTTP side: OpenAI's chat completions over the engine, models, health, metrics; keys and limits.

aiohttp, because it is server and client in one, streams, bounds bodies and stops gracefully, and is in the
training environment anyway (datasets and fsspec need it).
"""

import hmac
import ipaddress
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from scripts.errors import UserError
from scripts.serve.chat import Answer, Service
from scripts.serve.engine import EngineError
from scripts.serve.reply import BROKEN, status_of, streamed, whole
from scripts.serve.request import BadRequest, parse

log = logging.getLogger("serve")
SERVICE, SETTINGS, ACTIVE = web.AppKey("service", Service), web.AppKey("settings"), web.AppKey("active", dict)
MODEL = web.RequestKey("model", str)
OPEN_PATHS = {"/health", "/"}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Settings:
    """Where to listen, who may ask, and how much."""

    host: str = "127.0.0.1"
    port: int = 8000
    key: str = ""
    body_bytes: int = 2**20
    request_seconds: int = 120
    waiting: int = 64
    stop_seconds: int = 30
    proxies: int = 0  # how many in front of this server add the address of their client to X-Forwarded-For

    def __post_init__(self):
        if not self.key and not loopback(self.host):
            raise UserError(
                f"HOST={self.host} can be reached from other machines, and there is no API key",
                next="API_KEY=$(openssl rand -hex 32) make serve …, or leave HOST at 127.0.0.1",
            )
        if self.key and len(self.key) < 16:
            raise UserError(
                "API_KEY is shorter than 16 characters", next="API_KEY=$(openssl rand -hex 32) make serve …"
            )


def loopback(host: str) -> bool:
    """Whether only this machine can reach that address; an unknown name counts as reachable."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def application(service: Service, settings: Settings) -> web.Application:
    """The server, ready for `web.run_app` or a test."""
    app = web.Application(middlewares=[guarded], client_max_size=settings.body_bytes)
    app[SERVICE], app[SETTINGS], app[ACTIVE] = service, settings, {"now": 0}
    app.router.add_post("/v1/chat/completions", chat)
    app.router.add_get("/v1/models", models)
    app.router.add_get("/health", health)
    app.router.add_get("/metrics", metrics)

    async def engine(_: web.Application):
        await service.engine.open()
        yield
        await service.engine.close()

    app.cleanup_ctx.append(engine)
    return app


@web.middleware
async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Keys, hosts and errors for every path: whatever goes wrong is JSON, and one line of log without content."""
    started, response = time.perf_counter(), None
    try:
        response = refusal(request) or await handler(request)
    except web.HTTPException as error:
        response = failure(error.status, error.reason, "invalid_request_error")
    except BadRequest as error:
        response = failure(400, str(error), "invalid_request_error", error.field)
    except UserError as error:
        response = failure(404, str(error), "invalid_request_error", "model", "model_not_found")
    except TimeoutError:
        response = failure(504, "the time limit of a request is over", "timeout_error")
    except EngineError as error:
        log.error("engine: %s %s", error.status, error)
        response = failure(status_of(error), "the engine could not answer", "server_error")
    except Exception:
        log.exception("unexpected")
        response = failure(500, "internal error", "server_error")
    finally:
        known = request.match_info.route.resource
        status = request.get(BROKEN) or (response.status if response else 499)
        path = known.canonical if known else "unknown path"
        log.info("%s %s %s %.0f ms", request.method, path, status, 1000 * (time.perf_counter() - started))
        if request.method == "POST":
            request.app[SERVICE].metrics.requests[request.get(MODEL, "unknown"), status] += 1
    return response


def refusal(request: web.Request) -> web.Response | None:
    """Why this request is not even looked at; None where it may go on."""
    settings = request.app[SETTINGS]
    if settings.key:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ").encode("utf-8", "surrogateescape")
        if request.path not in OPEN_PATHS and not hmac.compare_digest(given, settings.key.encode()):
            return failure(401, "a valid API key is needed: Authorization: Bearer <key>", "authentication_error")
    elif not loopback((request.host or "").rsplit(":", 1)[0].strip("[]")):
        # A page on the web whose name was pointed at this machine would get here with its own host name.
        return failure(403, "this server answers to localhost only", "permission_error")
    if request.method == "POST" and request.content_type != "application/json":
        return failure(415, "Content-Type must be application/json", "invalid_request_error")
    return None


def failure(status: int, message: str, kind: str, field: str = "", code: str = "") -> web.Response:
    """An error as OpenAI's clients read it."""
    error = {"message": message, "type": kind, "param": field or None, "code": code or None}
    headers = {"Retry-After": "1"} if status in (429, 503) else {}
    return web.json_response({"error": error}, status=status, headers=headers)


async def models(request: web.Request) -> web.Response:
    """GET /v1/models"""
    catalog = request.app[SERVICE].catalog
    entry = {"object": "model", "created": 0, "owned_by": catalog.runs.name}
    data = [{"id": name, **entry, "weights": catalog.stacks.get(name)} for name in catalog.names]
    return web.json_response({"object": "list", "data": data})


async def health(request: web.Request) -> web.Response:
    """GET /health: 200 while the engine answers."""
    healthy = await request.app[SERVICE].engine.healthy()
    return web.json_response({"status": "ok" if healthy else "engine down"}, status=200 if healthy else 503)


async def metrics(request: web.Request) -> web.Response:
    """GET /metrics, for Prometheus."""
    service = request.app[SERVICE]
    text = service.metrics.text(request.app[ACTIVE]["now"], service.executor.outcomes)
    return web.Response(
        text=text, content_type="text/plain", charset="utf-8", headers={"X-Content-Type-Options": "nosniff"}
    )


async def chat(request: web.Request) -> web.StreamResponse:
    """POST /v1/chat/completions"""
    service, settings, active = request.app[SERVICE], request.app[SETTINGS], request.app[ACTIVE]
    if active["now"] >= settings.waiting:
        return failure(429, "too many requests are waiting", "rate_limit_error")
    active["now"] += 1
    try:
        asked = parse(await request.read())
        prompt, weights = await service.checked(asked)
        request[MODEL], answer = asked.model, Answer()
        deltas = service.answer(asked, prompt, weights, answer, client_of(request, settings.proxies))
        reply = streamed if asked.stream else whole
        return await reply(request, asked, deltas, answer, settings.request_seconds)
    finally:
        active["now"] -= 1


def client_of(request: web.Request, proxies: int) -> str:
    """The address of who asks: the peer's, or what the outermost of our proxies wrote; the rest anybody can send."""
    addresses = ",".join(request.headers.getall("X-Forwarded-For", [])).split(",")
    told = addresses[-proxies].strip() if 0 < proxies <= len(addresses) else ""
    return told or request.remote or ""
