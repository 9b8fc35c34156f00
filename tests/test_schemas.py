"""The schemas: current, sound, and saying what editors show."""

import json
import subprocess
import sys

import jsonschema_rs
import pytest
import yaml

from scripts.config import schema
from scripts.paths import SCHEMAS
from scripts.score import metrics

NAMES = sorted(path.name.removesuffix(".schema.json") for path in SCHEMAS.glob("*.schema.json"))


@pytest.mark.parametrize("name", NAMES)
def test_sound(name):
    content = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    jsonschema_rs.meta.validate(content)
    assert content["$schema"] == "https://json-schema.org/draft/2020-12/schema" and content["title"]


def test_the_kinds_of_config_have_one():
    assert {"adapter", "profile", "stack", "suite", "deepspeed", "run"} <= set(NAMES)


def objects(node, path="$"):
    """Every object of a schema that has properties, with its path."""
    if isinstance(node, dict):
        if node.get("type") == "object":
            yield path, node
        for key, value in node.items():
            if key not in ("not", "x-refused", "x-means"):
                yield from objects(value, f"{path}.{key}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from objects(value, f"{path}[{index}]")


@pytest.mark.parametrize("name", ["adapter", "profile", "stack", "suite", "deepspeed"])
def test_closed_at_every_depth(name):
    found = list(objects(schema.schema(name)))
    assert found and [path for path, node in found if node.get("additionalProperties") is not False] == []


def test_every_key_has_words_for_the_editor():
    keys = schema.schema("adapter")["$defs"]["keys"]["properties"]
    silent = [key for key, node in keys.items() if not node.get("description")]
    assert len(keys) > 100 and silent == []


def test_every_number_is_bounded():
    def numbers(node, path="$"):
        if isinstance(node, dict):
            if node.get("type") in ("integer", "number") or {"integer", "number"} & set(
                node["type"] if isinstance(node.get("type"), list) else ()
            ):
                yield path, node
            for key, value in node.items():
                yield from numbers(value, f"{path}.{key}")

    found = list(numbers(schema.schema("adapter")["$defs"]))
    loose = [
        path
        for path, node in found
        if not (
            "enum" in node
            or ({"minimum", "exclusiveMinimum"} & set(node) and {"maximum", "exclusiveMaximum"} & set(node))
        )
    ]
    assert found and loose == []


def test_every_text_is_bounded():
    keys = schema.schema("adapter")["$defs"]["keys"]["properties"]
    inner = [
        node
        for part in ("dataset", "tokens", "fsdp")
        for node in schema.schema("adapter")["$defs"][part]["properties"].values()
    ]
    texts = [node for node in [*keys.values(), *inner] if node.get("type") == "string"]
    assert texts and [node for node in texts if not {"enum", "pattern", "maxLength"} & set(node)] == []


def test_house_rules_are_shown_where_they_fit():
    house = yaml.safe_load((SCHEMAS / "house.yml").read_text(encoding="utf-8"))
    keys = schema.schema("adapter")["$defs"]["keys"]
    assert set(keys["properties"]) == {*house["keys"], *house["own"]}
    assert {*house["means"].values()} - {*keys["properties"], "field_messages"} == set()
    assert not set(keys["properties"]) & set(keys["x-axolotl"])


def test_suites_know_every_metric():
    known = schema.schema("suite")["properties"]["metrics"]["items"]["properties"]["metric"]["enum"]
    assert known == list(metrics.NAMES)


@pytest.mark.slow
def test_not_stale():
    """`make schemas` would change nothing. In a process of its own: importing Axolotl takes long and much."""
    code = "import json; from scripts import schemas; print('made:' + json.dumps(schemas.texts()))"
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=True).stdout
    texts = json.loads(next(line for line in made.splitlines() if line.startswith("made:"))[5:])
    for name, text in texts.items():
        assert (SCHEMAS / name).read_text(encoding="utf-8") == text, f"schemas/{name} is stale: make schemas"
