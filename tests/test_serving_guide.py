"""docs/serving.md says what the code says: every name, limit, endpoint, metric and message in it exists."""

import json
import re

import pytest

from scripts.paths import CODE
from scripts.serve.engine import Size
from scripts.serve.executor import REFUSALS
from scripts.serve.front import Settings
from scripts.serve.limits import Limits
from scripts.serve.metrics import Metrics

GUIDE = (CODE / "docs/serving.md").read_text(encoding="utf-8")
MAKEFILE = (CODE / "Makefile").read_text(encoding="utf-8")
SERVE = {path.name: path.read_text(encoding="utf-8") for path in (CODE / "scripts/serve").glob("*.py")}
SCHEMA = CODE / "scripts/serve/request.schema.json"
SOURCES = "\n".join([*SERVE.values(), (CODE / "scripts/run/ready.py").read_text(encoding="utf-8")])
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE))
VARIABLES = set(re.search(r"^NAMES := (.*?[^\\])\n", MAKEFILE, re.MULTILINE | re.DOTALL).group(1).split()) - {"\\"}
NOT_OURS = {"CPF", "AAAAMMDD", "PATH", "PYTHONPATH", "HF_HOME"}  # words, and what others read
ELSEWHERE = {*NOT_OURS, "VLLM_API_KEY"}  # what make serve sets
SPANS = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", GUIDE, flags=re.DOTALL))


def block(language: str) -> str:
    return re.search(rf"^```{language}\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL).group(1)


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under that heading, without its head."""
    section = GUIDE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    table = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    assert len(table) > 1, heading
    return table[1:]


def unit(key: str) -> str:
    return re.search(rf"^{key}=(.*)$", block("ini"), re.MULTILINE).group(1)


def test_every_variable_is_one_of_make_and_is_read():
    assigned = re.findall(r"\b([A-Z][A-Z_]{2,})=", GUIDE)
    alone = [span for span in SPANS if re.fullmatch(r"[A-Z][A-Z_]{2,}", span)]
    named = {*assigned, *alone}
    assert {"HOST", "PORT", "API_KEY", "SLOTS", "CONTEXT"} <= named <= VARIABLES | ELSEWHERE
    for name in named - NOT_OURS:
        assert f'"{name}"' in SOURCES, f"nothing in scripts/serve reads {name}"


def test_every_endpoint_is_a_route():
    routes = set(re.findall(r'add_(?:get|post)\("([^"]+)"', SOURCES))
    named = set(re.findall(r"/(?:v1/\w[\w/]*|health|metrics)\b", GUIDE))
    assert {"/v1/models", "/health", "/metrics"} <= named <= routes


def test_the_metrics_are_all_there_with_their_labels():
    metrics = Metrics()
    metrics.requests["m", 200] = metrics.tokens["m", "prompt"] = 1
    text = metrics.text(0, {"found": 1})
    real = {name: set(re.findall(rf"{name}{{([^}}]*)}}", text)) for name in re.findall(r"^# TYPE (\S+)", text, re.M)}
    cells = [re.findall(r"`(\w+)`", row[0]) for row in rows("What to watch")]
    named = [name for cell in cells for name in cell if name in real]
    assert sorted(named) == sorted(real)
    for cell in cells:
        for label in (name for name in cell if name not in real):
            assert any(f'{label}="' in labels for labels in real[cell[0]]), label
    alike = {span for span in SPANS if re.fullmatch(r"\w+_(?:total|active|seconds)", span)}
    assert alike <= set(real) | set(vars(Settings()))
    outcomes = next(row[1] for row in rows("What to watch") if "tool_calls_total" in row[0])
    assert set(re.findall(r"`(\w+)`", outcomes)) <= set(REFUSALS)


def test_the_limits_are_those_of_the_code():
    known = vars(Settings()) | vars(Limits())
    known |= {"SLOTS": Size.slots, "CONTEXT": Size.context}
    known["PORT"] = int(re.search(r'"PORT",.*"(\d+)"', SERVE["__main__.py"]).group(1))
    named = {row[0].strip("`"): int(row[1]) for row in rows("Limits")}
    assert named == {name: known[name] for name in named}
    assert f"`HOST` ({known['host']}) and `PORT` ({known['PORT']})" in GUIDE
    assert f"for {known['stop_seconds']} s" in GUIDE and "of 16 characters or more" in GUIDE
    assert "len(self.key) < 16" in SERVE["front.py"]
    assert "(512, or `max_tokens`)" in GUIDE and "or 512" in SERVE["request.py"]


def test_the_units_command_is_a_verb_and_its_stop_waits_for_ours():
    assert re.fullmatch(r"/usr/bin/make (\S+)", unit("ExecStart")).group(1) in TARGETS
    assert int(unit("TimeoutStopSec")) > 2 * Settings().stop_seconds
    assert {pair.split("=")[0] for pair in unit("Environment").split()} <= VARIABLES


def test_the_proxy_lets_through_what_the_server_takes():
    proxy = block("nginx")
    assert int(re.search(r"client_max_body_size (\d+)m;", proxy).group(1)) * 2**20 == Settings().body_bytes
    assert int(re.search(r"proxy_read_timeout (\d+)s;", proxy).group(1)) > Settings().request_seconds
    assert "proxy_buffering off;" in proxy


def test_every_verb_and_path_exists():
    verbs = set(re.findall(r"\bmake ([a-z][a-z-]*)`", GUIDE))
    assert verbs and verbs <= TARGETS
    paths = {path for path in re.findall(r"\b(?:requirements|scripts|datasets)/[\w./-]*\w", GUIDE)}
    assert paths and all((CODE / path).exists() for path in paths), paths


@pytest.mark.parametrize("readme", ["README.md", "README.pt-BR.md"])
def test_the_readmes_link_it(readme):
    assert "](docs/serving.md)" in (CODE / readme).read_text(encoding="utf-8")


def test_the_fields_of_a_request_are_those_of_its_schema():
    fields = json.loads(SCHEMA.read_text(encoding="utf-8"))["properties"]
    weights = fields["weights"]["additionalProperties"]
    named = {"model", "weights", "execute_tools", "conversation", "max_tokens"}
    assert all(any(name in span for span in SPANS) for name in named) and named <= set(fields)
    assert f"({weights['minimum']} to {weights['maximum']};" in GUIDE


def test_every_message_is_said_with_its_status():
    for status, message, _ in rows("Errors"):
        assert message.strip("`") in SOURCES, message
        assert status == "start" or re.search(rf"\b{status}\b", SOURCES), status
    said = " ".join(SPANS)
    for text in (
        "not served:",
        "an answer broke off",
        "unexpected",
        "Retry-After",
        "vllm.yml",
        "hermes",
        "vllm>=0.22.0",
    ):
        assert text in said and text in SOURCES, text
