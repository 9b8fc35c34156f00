"""Who may ask the server what: keys, addresses, limits, errors, what hostile requests get; how it starts and stops."""

import asyncio
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import pytest
from serving import MODELS, SIZE, Client, Scripted, server
from toybase import write_adapter, write_base

from scripts.errors import UserError
from scripts.paths import CODE
from scripts.serve import catalog as catalogs
from scripts.serve import front, request
from scripts.serve import start as start_module
from scripts.serve.engine import QUIET, Engine, EngineError, converted
from scripts.serve.front import Settings


def test_a_non_loopback_address_without_a_key_is_refused():
    for host in ("0.0.0.0", "::", "192.168.0.7", "example.org", ""):
        with pytest.raises(UserError, match="no API key"):
            Settings(host)
    assert Settings("127.0.0.1") and Settings("::1") and Settings("localhost") and Settings("0.0.0.0", key="k" * 32)
    with pytest.raises(UserError, match="shorter than 16"):
        Settings(key="short")


def test_limits_are_set_by_name():
    settings, limits = start_module.limited(Settings(), "waiting=2, client_per_minute=60,proxies=1")
    assert (settings.waiting, settings.proxies, limits.client_per_minute) == (2, 1, 60)
    assert (settings.request_seconds, limits.conversation_attempts) == (120, 3)
    with pytest.raises(UserError, match="did you mean 'waiting'"):
        start_module.limited(Settings(), "waitin=2")
    for wrong in ("waiting=many", "remembered=0", "body_bytes=0"):
        with pytest.raises(UserError, match="is not a number from 1"):
            start_module.limited(Settings(), wrong)


@pytest.mark.parametrize(("proxies", "client"), [(0, "10.0.0.9"), (1, "3.3.3.3"), (2, "2.2.2.2"), (9, "10.0.0.9")])
def test_behind_proxies_a_client_is_who_the_outermost_of_them_saw(proxies, client):
    from aiohttp.test_utils import make_mocked_request
    from multidict import CIMultiDict

    # The first of these may be anybody's invention; some proxies add a line of their own.
    headers = CIMultiDict([("X-Forwarded-For", "1.1.1.1, 2.2.2.2"), ("X-Forwarded-For", "3.3.3.3")])
    request = make_mocked_request("POST", "/", headers=headers).clone(remote="10.0.0.9")
    assert front.client_of(request, proxies) == client
    assert front.client_of(make_mocked_request("POST", "/").clone(remote="10.0.0.9"), proxies) == "10.0.0.9"


def test_a_server_whose_engine_died_ends_with_an_error(catalog, monkeypatch):
    class Dead(Scripted):
        async def healthy(self):
            return False

    left = []
    monkeypatch.setattr(start_module, "Engine", lambda *_: Dead())
    monkeypatch.setattr(start_module, "PULSE", 0.01)
    monkeypatch.setattr(start_module, "leave", left.append)
    settings = Settings(port=0)
    start_module.run(front.application(start_module.service(catalog, SIZE), settings), settings)
    assert left == [1]


def test_a_stream_that_breaks_off_is_counted_as_an_error(catalog, monkeypatch):
    class Breaking(Scripted):
        async def complete(self, prompt, lora, options):
            yield {"content": "Seu plano", "stop": False}
            raise EngineError(500, "out of memory")

    monkeypatch.setattr(start_module, "Engine", lambda *_: Breaking())
    with server(catalog, SIZE) as client:
        assert "error" in client.events("oi", "kpi")[-1]
        assert 'requests_total{model="kpi",status="503"} 1' in client.ask("/metrics")[1]


def test_a_key_is_asked_for_everywhere_but_at_health(catalog):
    with server(catalog, SIZE, Settings(key="k" * 32)) as client:
        client.key = ""
        assert client.ask("/health")[0] == 200
        for path in ("/v1/models", "/metrics", "/nowhere"):
            assert client.ask(path)[0] == 401
        for wrong in ("Bearer x", "Bearer ", "k" * 31, "Bearer é"):
            assert client.ask("/v1/models", headers={"Authorization": wrong.encode().decode("latin-1")})[0] == 401
        assert client.ask("/v1/models", headers={"Authorization": "Bearer " + "k" * 32})[0] == 200


def test_a_page_on_the_web_cannot_ask_a_server_without_a_key(client):
    body = json.dumps({"model": "base", "messages": [{"role": "user", "content": "oi"}]}).encode()
    assert client.ask("/v1/chat/completions", body, {"Content-Type": "text/plain"})[0] == 415
    assert client.ask("/v1/models", headers={"Host": "evil.example:8000"})[0] == 403


def test_more_than_the_waiting_room_holds_is_told_to_come_again(catalog):
    with server(catalog, SIZE, Settings(waiting=1)) as client:
        body = {"model": "base", "messages": [{"role": "user", "content": "oi"}], "max_tokens": 400}
        statuses = []
        crowd = [
            threading.Thread(target=lambda: statuses.append(client.ask("/v1/chat/completions", body)[0]))
            for _ in range(12)
        ]
        for one in crowd:
            one.start()
        for one in crowd:
            one.join()
        assert set(statuses) == {200, 429}
        assert client.says("oi", max_tokens=1) is not None


def test_the_time_limit_ends_an_answer(catalog, monkeypatch):
    class Slow(Scripted):
        async def complete(self, prompt, lora, options):
            yield {"content": "Um", "stop": False}
            await asyncio.sleep(30)

    monkeypatch.setattr(start_module, "Engine", lambda *_: Slow())
    with server(catalog, SIZE, Settings(request_seconds=0.3)) as client:
        assert (
            client.ask("/v1/chat/completions", {"model": "base", "messages": [{"role": "user", "content": "x"}]})[0]
            == 504
        )
        events = client.events("x")
        assert events[-1]["error"]["message"] == "the answer broke off"


def malformed(rng: random.Random) -> bytes:
    """A request with something wrong: types, sizes, names, schemas, template arguments, bytes."""
    strange = rng.choice(
        [None, True, -1, 1e308, "", "x" * 3000, [], {}, [[]], {"a": {"b": []}}, "../x", "\u0000", "<|im_start|>", 2**70]
    )
    body = {"model": rng.choice(MODELS), "messages": [{"role": "user", "content": "oi"}], "max_tokens": 1}
    kind = rng.randrange(9)
    if kind == 0:
        body[rng.choice(["model", "messages", "temperature", "top_p", "seed", "stop", "stream", "weights", "n"])] = (
            strange
        )
    elif kind == 1:
        body["model"] = rng.choice(
            ["../x", "..", "/etc/passwd", "base/", "schema\n", "BASE", "kpi\u0000", "lora:0", "é", "a" * 300]
        )
    elif kind == 2:
        name = rng.choice(
            [
                "chat_template",
                "chat_template_kwargs",
                "lora",
                "grammar",
                "json_schema",
                "prompt",
                "id_slot",
                "temprature",
            ]
        )
        body[name] = rng.choice([strange, "{{ cycler.__init__ }}", {"enable": True}])
    elif kind == 3:
        body["tools"] = rng.choice(
            [strange, [strange], [{"type": "function"}], [{"type": "function", "function": strange}] * 200]
        )
    elif kind == 4:
        body["messages"] = rng.choice(
            [[strange], [{"role": strange, "content": "x"}], [{"role": "user", "content": strange}], [{}] * 9]
        )
    elif kind == 5:
        call = {"type": "function", "function": {"name": rng.choice(["../x", strange]), "arguments": strange}}
        body["messages"].append(
            {"role": "assistant", "content": None, "tool_calls": rng.choice([[call], call, strange])}
        )
    elif kind == 6:
        body["weights"] = rng.choice([{"../x": 1}, {"schema": strange}, {"schema": 99}, strange])
        body["model"] = rng.choice(["schema-kpi", "base"])
    elif kind == 7:
        body["messages"] = [{"role": "user", "content": "a" * rng.choice([10_000, 100_000, 1_200_000])}]
    text = json.dumps(body).encode()
    if kind == 8:
        text = rng.choice(
            [text[: rng.randrange(len(text))], b"\xff" + text, b"[" * 100_000, text.replace(b"oi", rb"\ud800"), b"",
             b"null", text.replace(b"1}", b"NaN}"), text[:-1] + b', "model": "base"}', text + text]
        )  # fmt: skip
    return text


def test_a_thousand_malformed_requests_are_told_what_is_wrong_and_nothing_breaks(client):
    rng, statuses = random.Random(6), []
    for _ in range(1000):
        status, text = client.ask("/v1/chat/completions", malformed(rng))
        statuses.append(status)
        assert status < 500, text
        assert status == 200 or json.loads(text)["error"]["message"]
    assert sum(status >= 400 for status in statuses) > 800 and {200, 400, 404, 413} <= set(statuses)
    assert client.says("oi", max_tokens=4) and client.ask("/health")[0] == 200


def test_what_openais_own_client_sends_is_taken():
    said = {"role": "assistant", "content": "oi", "refusal": None, "annotations": [], "audio": None}
    said |= {"function_call": None, "tool_calls": None}
    body = {"model": "base", "messages": [said, {"role": "user", "content": "oi"}], "temperature": None, "top_p": None}
    body |= {"logprobs": False, "logit_bias": None, "service_tier": "auto"}
    options = request.parse(json.dumps(body).encode()).options
    assert (options["temperature"], options["top_p"]) == (0, 1)
    with pytest.raises(request.BadRequest, match="true"):
        request.parse(json.dumps(body | {"logprobs": True}).encode())


@pytest.mark.parametrize(
    "fields,message",
    [
        ({"model": "shcema"}, "no model 'shcema'; there are: base, kpi, schema.*did you mean 'schema'"),
        ({"weights": {"nobody": 1}, "model": "schema-kpi"}, "takes weights of kpi, schema; 'nobody' is none of them"),
        ({"weights": {"schema": 1}}, "'base' takes no weights"),
        ({"chat_template": "x"}, "chat_template"),
        ({"messages": [{"role": "user", "content": "a" * 4000}]}, "tokens; the context has 512"),
        ({"max_tokens": 0}, "0 is less than the minimum"),
    ],
)
def test_errors_say_the_choices(client, fields, message):
    body = {"model": "base", "messages": [{"role": "user", "content": "oi"}]} | fields
    status, text = client.ask("/v1/chat/completions", body)
    assert status in (400, 404) and re.search(message, json.loads(text)["error"]["message"])


def test_another_bases_adapter_and_a_damaged_one_are_not_served(runs, tmp_path):
    folder = tmp_path / "toy"
    base = write_base(folder / "base", seed=1)
    write_adapter(folder / "kpi", base, 1)
    write_adapter(folder / "schema", runs / "base", 2)
    (folder / "kpi" / "adapter_model.safetensors").write_bytes(b"")
    (folder / "unfinished").mkdir()
    (folder / "unfinished" / "adapter_config.json").write_text("{}")
    found = catalogs.of(folder)
    assert found.names == ["base"]
    reasons = "\n".join(found.left_out)
    assert "kpi: adapter_model.safetensors is not the one" in reasons and "schema: trained on another base" in reasons
    assert "unfinished: " in reasons and "no manifest" in reasons


def test_metrics_are_prometheus_text(client):
    client.says("oi", "kpi", max_tokens=2)
    status, text = client.ask("/metrics")
    assert status == 200 and 'requests_total{model="kpi",status="200"}' in text
    assert 'tokens_total{model="kpi",kind="completion"}' in text and "first_token_seconds_bucket" in text
    for line in text.splitlines():
        assert line.startswith("# ") or float(line.rsplit(" ", 1)[1]) >= 0


def test_make_serve_stops_gracefully(runs, tmp_path):
    """The verb itself: starts, answers, and on SIGTERM finishes the answer that it has begun."""
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / "toy").symlink_to(runs)
    for name in ("configs", "datasets", "schemas"):
        (tmp_path / name).symlink_to(CODE / name)
    environment = os.environ | {
        "ADAPTERS_ROOT": str(tmp_path),
        "BASE": "toy",
        "PORT": "18437",
        "CONTEXT": "512",
        "API_KEY": "",
        "THREADS": "1",
    }
    command = [sys.executable, "-m", "scripts.serve"]
    process = subprocess.Popen(
        command, env=environment, cwd=CODE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        client, answers = Client("http://127.0.0.1:18437", None), []
        eventually(lambda: client.ask("/health")[0] == 200)
        ask = threading.Thread(target=lambda: answers.append(client.says("oi", "schema", max_tokens=400)))
        ask.start()
        eventually(lambda: "requests_active 1" in client.ask("/metrics")[1] or answers)
        process.send_signal(signal.SIGTERM)
        ask.join(60)
        assert process.wait(60) == 0 and answers
    finally:
        process.kill()
    assert "serving base, kpi, schema" in process.stdout.read()


def eventually(true, seconds: float = 120) -> None:
    """Waits until it is so; a server that is not up yet refuses connections."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if true():
                return
        except OSError:
            pass
        time.sleep(0.02)
    raise AssertionError("it never became true")


def test_adapters_are_converted_once(runs):
    made = converted(runs / "kpi", runs / "base")
    before = made.stat().st_mtime_ns
    assert converted(runs / "kpi", runs / "base") == made and made.stat().st_mtime_ns == before


def test_the_engines_own_port_is_closed_to_others(catalog):
    engine = Engine(catalog.base, [], SIZE)
    request = urllib.request.Request(engine.url + "/completion", b"{}", {"Content-Type": "application/json"})
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(request)
    time.sleep(2 * QUIET)  # before it is forgotten: see Engine.close


def test_a_real_back_end_is_named_and_a_wrong_name_is_said():
    assert type(start_module.backend("scripts.serve.stub:StubBackend")) is type(start_module.backend(""))
    for name in ("scripts.serve.stub", "scripts.serve.stub:Missing", "no_such_module:Back", ":x"):
        with pytest.raises(UserError, match=f"BACKEND={name}: "):
            start_module.backend(name)
