# ruff: noqa: E501 (tables of examples)
"""Configs made at random from the schema, and valid ones broken in twenty ways; what the tests of check feed on."""

import copy
import random
import re
import string
from collections.abc import Callable, Iterator, Sequence

import yaml

from scripts.config import schema
from scripts.paths import ROOT

KEYS = schema.schema("adapter")["$defs"]["keys"]["properties"]
VALID = {path.stem: path.read_text(encoding="utf-8") for path in sorted((ROOT / "configs").glob("*.yml"))}


def sample(node: dict, rng: random.Random) -> object:
    """A value that fits one property of the schema, often at an edge of it."""
    if "$ref" in node:
        return sample(schema.schema("adapter")["$defs"][node["$ref"].rsplit("/", 1)[1]], rng)
    if "enum" in node:
        return rng.choice(node["enum"])
    kind = node["type"][0] if isinstance(node["type"], list) else node["type"]
    if kind == "object":
        required = node.get("required", [])
        chosen = [key for key in node["properties"] if key in required or rng.random() < 0.4] or list(
            node["properties"]
        )[:1]
        return {key: sample(node["properties"][key], rng) for key in chosen}
    if kind == "array":
        return [sample(node["items"], rng)]
    if kind == "boolean":
        return rng.random() < 0.5
    if kind == "string":
        return texts(node, rng)
    low = node.get("minimum", node.get("exclusiveMinimum", 0))
    high = node.get("maximum", node.get("exclusiveMaximum", low + 100))
    if kind == "integer":
        return rng.choice([int(low), int(high), int(low) + 1, rng.randint(int(low), int(high))])
    return rng.choice(
        [low + (high - low) * 0.001, low + (high - low) * 0.9, low + (high - low) * rng.uniform(0.01, 0.99)]
    )


def texts(node: dict, rng: random.Random) -> str:
    """Text for the patterns that the schema has."""
    wanted = node.get("pattern", "")
    known = {"datasets/": "datasets/kpi/train.jsonl", "templates/": "configs/templates/llama3.jinja", "deepspeed/": "configs/deepspeed/zero3.json",
             "{40}": "0" * 40, "scripts": "scripts.run.token_batches.TokenBatches", "^[A-Za-z0-9]": "run-1", "Meta-Llama": "Qwen/Qwen2.5-32B-Instruct", "outputs/": "outputs/base/kpi"}  # fmt: skip
    return next(
        (text for part, text in known.items() if part in wanted), "<|" + rng.choice(string.ascii_lowercase) * 5 + "|>"
    )


def accepted(rng: random.Random, name: str = "run") -> Iterator[dict]:
    """Configs that the schema accepts: a real one with some of its keys changed, some taken away and others added."""
    starts = [yaml.safe_load(text) for text in VALID.values()]
    while True:
        config = copy.deepcopy(rng.choice(starts))
        for key in rng.sample(list(config), rng.randint(0, 3)):
            del config[key]
        for key in rng.sample(list(KEYS), rng.randint(1, 14)):
            config[key] = sample(KEYS[key], rng)
        for key, needed in schema.schema("adapter")["$defs"]["complete"]["dependentRequired"].items():
            if key in config and needed[0] not in config:
                config[needed[0]] = sample(KEYS[needed[0]], rng)
        if not schema.findings(config, name):
            yield config


#: Breaks one thing: lines of a valid config and a source of chance -> (lines, the key that was meant or "").
def _key_lines(lines: list[str], nested: bool = False) -> list[int]:
    pattern = re.compile(r"^(  - |    |  )[a-z_0-9]+:" if nested else r"^[a-z_0-9]+:")
    return [n for n, line in enumerate(lines) if pattern.match(line)]


def _typo(change: Callable[[str, random.Random], str], nested: bool = False) -> Callable:
    def broken(lines: list[str], rng: random.Random) -> tuple[list[str], str]:
        for _ in range(50):
            where = rng.choice(_key_lines(lines, nested))
            before, key, after = re.match(r"^([ -]*)([a-z_0-9]+)(:.*)$", lines[where], re.DOTALL).groups()
            wrong = change(key, rng)
            if wrong != key and wrong not in ALL_KEYS and wrong and wrong[0].isalpha():
                return [*lines[:where], before + wrong + after, *lines[where + 1 :]], key
        raise AssertionError("no key to break")

    return broken


def _at(key: str, rng: random.Random) -> int:
    return rng.randrange(1, len(key))


def _drop(key, rng):
    at = _at(key, rng)
    return key[:at] + key[at + 1 :]


def _double(key, rng):
    at = _at(key, rng)
    return key[:at] + key[at] + key[at:]


def _swap(key, rng):
    at = rng.randrange(len(key) - 1)
    return key[:at] + key[at + 1] + key[at] + key[at + 2 :]


def _replace(key, rng):
    at = _at(key, rng)
    return key[:at] + rng.choice(string.ascii_lowercase) + key[at + 1 :]


def _value(pattern: str, values: Sequence[str]) -> Callable:
    """Another value for one of the keys whose line fits the pattern."""

    def broken(lines: list[str], rng: random.Random) -> tuple[list[str], str]:
        where = rng.choice([n for n, line in enumerate(lines) if re.match(pattern, line)])
        key = lines[where].split(":", 1)[0]
        return [*lines[:where], f"{key}: {rng.choice(values)}", *lines[where + 1 :]], ""

    return broken


def _added(values: Sequence[str]) -> Callable:
    """One more line at the end."""

    def broken(lines: list[str], rng: random.Random) -> tuple[list[str], str]:
        return [*lines, rng.choice(values)], ""

    return broken


def _repeated(lines: list[str], rng: random.Random) -> tuple[list[str], str]:
    where = rng.choice([n for n in _key_lines(lines) if not lines[n].rstrip().endswith(":")])
    return [*lines, lines[where]], ""


def _missing(lines: list[str], rng: random.Random) -> tuple[list[str], str]:
    needed = [
        "base_model",
        "adapter",
        "lora_r",
        "lora_alpha",
        "learning_rate",
        "output_dir",
        "sequence_len",
        "revision_of_model",
        "seed",
    ]
    key = rng.choice(needed)
    return [line for line in lines if not line.startswith(f"{key}:")], ""


NUMBER = r"^(lora_r|lora_alpha|sequence_len|num_epochs|micro_batch_size|gradient_accumulation_steps|seed|learning_rate|lora_dropout):"
MUTATIONS = {
    "letter dropped": _typo(_drop),
    "letter doubled": _typo(_double),
    "letters swapped": _typo(_swap),
    "letter replaced": _typo(_replace),
    "capital": _typo(lambda key, rng: key[: (at := _at(key, rng))] + key[at:].upper()),
    "hyphens": _typo(lambda key, rng: key.replace("_", "-")),
    "letter dropped inside": _typo(_drop, nested=True),
    "letters swapped inside": _typo(_swap, nested=True),
    "text for a number": _value(NUMBER, ["many", "'32'", "32 layers", "[]", "{}"]),
    "negative": _value(NUMBER, ["-1", "-0.5", "-1000"]),
    "too much": _value(NUMBER, ["99999999999999", "1.7976931348623157e+308", ".inf", ".nan", "1" * 5000]),
    "scientific": _value(NUMBER, ["2e-5", "1e3", "5E-4", "+1e-2"]),
    "old YAML numbers": _value(NUMBER, ["010", "1_000", "1:30", "0b11", "0o17", "2024-05-01"]),
    "yes and no": _value(r"^(bf16|gradient_checkpointing):", ["yes", "no", "on", "off", "Yes", "NO"]),
    "not a choice": _value(r"^(adapter|optimizer|lr_scheduler|attn_implementation|chat_template|save_strategy):", ["lorra", "adam", "x", "5", "null"]),
    "key twice": _repeated,
    "key missing": _missing,
    "path elsewhere": _value(r"^(output_dir|chat_template_jinja):", ["/etc/passwd", "../x", "outputs/../../x", "~/x", "https://a.b/c", "s3://b/c"]),
    "foreign base": _value(r"^base_model:", ["evil/model", "./model", "/models/x", "meta-llama/Meta-Llama-3-8B-instruct", "https://x.y/z"]),
    "code": _added(["trust_remote_code: true", "plugins: [os.system]", "trainer_cls: a.b.C", "trl: {reward_funcs: [a.b]}", "tokenizer_config: x/y"]),
    "network": _added(["hub_model_id: a/b", "use_wandb: true", "wandb_project: x", "mlflow_tracking_uri: http://x", "push_dataset_to_hub: a/b"]),
    "broken YAML": _added(["x: [", "\tx: 1", "x: 'a", "x", "x: {a: }}", "x: a: b", "\x07"]),
    "tags and anchors": _added(["x: &a 1", "x: !!python/object:os.system ls", "x: *b", "<<: {seed: 1}", "x: !!str 1"]),
    "combination": _added(["load_in_8bit: true\nload_in_4bit: true", "warmup_steps: 10\nwarmup_ratio: 0.1", "eval_steps: 5\nevals_per_epoch: 2",
                           "save_steps: 5\nsaves_per_epoch: 2", "activation_offloading: true\ngradient_checkpointing: false",
                           "fsdp_version: 2\ndeepspeed: configs/deepspeed/zero3.json\nfsdp_config: {offload_params: true}"]),
}  # fmt: skip
TYPOS = {name for name, each in MUTATIONS.items() if each.__qualname__.startswith("_typo")}
ALL_KEYS = {*KEYS, *schema.schema("adapter")["$defs"]["keys"]["x-axolotl"]}
ALL_KEYS |= {
    key for part in ("dataset", "tokens", "fsdp") for key in schema.schema("adapter")["$defs"][part]["properties"]
}
