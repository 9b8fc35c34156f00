"""What no single file shows: whether the files that a config names exist, fit it, and fit one another."""

import re
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from jinja2 import TemplateError

from scripts.config import adapter, profile, template
from scripts.config.yamlfile import Document
from scripts.data import jsonl
from scripts.errors import Problem, suggestion
from scripts.paths import CODE, DATASETS, OUTPUTS, ROOT, shown

#: Of each base: what ends a turn, and what may fill a batch without being that.
TOKENS = {
    "meta-llama/Meta-Llama-3-8B-Instruct": ("<|eot_id|>", ("<|end_of_text|>", "<|reserved_special_token_0|>")),
    "Qwen/Qwen2.5-32B-Instruct": ("<|im_end|>", ("<|endoftext|>",)),
    "outputs/smollm2-135m-instruct/base": ("<|im_end|>", ("<|endoftext|>",)),
}
PLUGIN = re.compile(r"^class (\w+)\(BasePlugin\)", re.MULTILINE)
RESERVED = "outputs/<base>/ has one folder for each base, adapter, stack and <name>-merged"
UNLEARNED = re.compile(rb'"train"\s*:\s*false')
LEAST = 1.8  # bytes of a row, its JSON included, to a token: no row that is shorter needs counting
CHARACTERS = 2.0  # of Portuguese to a token: fewer than any of these tokenizers has (2.07), to estimate high


def adapter_problems(document: Document) -> Iterator[Problem]:
    """An adapter's config against its data, its template, its base and its own name."""
    config, name = document.value, document.file.stem
    if adapter.reserved(name):
        yield document.problem("$", f"{name!r} can't be an adapter's name: {RESERVED}")
    if Path(config["output_dir"]).name != name:
        hint = f"output_dir: {Path(config['output_dir']).parent}/{name}"
        yield document.problem("$.output_dir", f"does not end with the adapter's name, {name!r} [house]", hint)
    for key in ("datasets", "test_datasets"):
        for index, each in enumerate(config.get(key, ())):
            yield from data_problems(document, f"$.{key}[{index}].path", each["path"])
            if "message_field_training" not in each and has_unlearned(ROOT / each["path"]):
                message = f"turns of {each['path']} have `train: false`, and Axolotl would train them"
                yield document.problem(f"$.{key}[{index}]", message, "message_field_training: train")
    yield from run_problems(document, config)


def data_problems(document: Document, path: str, file: str) -> Iterator[Problem]:
    """A data file is there or can be built, and really lies inside datasets/."""
    target = ROOT / file
    if not target.resolve().is_relative_to(DATASETS.resolve()):
        yield document.problem(path, f"{file} leads out of datasets/")
    elif not target.exists() and not (target.parent / "recipe.yml").exists():
        near = suggestion(file, [shown(each) for each in DATASETS.glob("*/*.jsonl")])
        yield document.problem(path, f"{file}: no such file, and no recipe.yml beside it to build it from", near)


def has_unlearned(file: Path) -> bool:
    """Whether a turn of these rows is to be kept out of the loss."""
    with open(file, "rb") if file.is_file() else nullcontext(()) as lines:
        return any(UNLEARNED.search(line) for line in lines)


def run_problems(document: Document, config: dict) -> Iterator[Problem]:
    """What holds of a config alone and under a profile: template, tokens, DeepSpeed file."""
    tokens, base = config.get("special_tokens", {}), config.get("base_model", "")
    end, fillers = TOKENS.get(base, ("", ()))
    if end and tokens.get("eos_token", end) != end:
        yield document.problem("$.special_tokens.eos_token", f"a turn of {base} ends with {end}", f"eos_token: '{end}'")
    if tokens.get("pad_token") in {tokens.get("eos_token"), end}:
        yield document.problem(
            "$.special_tokens.pad_token",
            "the end of a turn can't be the padding as well",
            f"one of {', '.join(fillers)}",
        )
    elif end and tokens.get("pad_token", fillers[0]) not in fillers:
        yield document.problem(
            "$.special_tokens.pad_token",
            f"{base} has no such token to pad with [house]",
            f"one of {', '.join(fillers)}",
        )
    if file := config.get("chat_template_jinja"):
        yield from template_problems(document, ROOT / file, {"eos_token": end} | tokens)
    yield from plugin_problems(document, config.get("plugins", []))
    if (file := config.get("deepspeed")) and not (ROOT / file).is_file():
        near = suggestion(file, [shown(each) for each in (ROOT / "configs/deepspeed").glob("*.json")])
        yield document.problem("$.deepspeed", f"{file}: no such file", near)


def plugin_problems(document: Document, names: list[str]) -> Iterator[Problem]:
    """Each plugin is a class of this repository that Axolotl can load."""
    for index, name in enumerate(names):
        known = [f"scripts.run.{each.stem}.{found}" for each in (CODE / "scripts/run").glob("*.py")
                 for found in PLUGIN.findall(each.read_text(encoding="utf-8"))]  # fmt: skip
        if name not in known:
            yield document.problem(f"$.plugins[{index}]", f"there is no plugin {name!r}", suggestion(name, known))


def template_problems(document: Document, file: Path, tokens: dict) -> Iterator[Problem]:
    """The template is there, and trains what the rows contain with this base's tokens."""
    if not file.is_file():
        near = suggestion(shown(file), [shown(each) for each in file.parent.glob("*.jinja")])
        yield document.problem("$.chat_template_jinja", f"{shown(file)}: no such file", near)
        return
    for message in template.problems(file.read_text(encoding="utf-8", errors="replace"), tokens):
        yield document.problem("$.chat_template_jinja", f"{shown(file)} {message}")


def profile_problems(document: Document, adapters: list[Document]) -> Iterator[Problem]:
    """Each adapter under this profile is still a whole config that Axolotl would take."""
    for each in adapters:
        config = profile.overlay(each.value, document.value)
        found = profile.problems(config, each.file.stem, document)
        yield from found
        for problem in run_problems(document, config):
            yield replace(problem, message=f"with adapter {each.file.stem}: {problem.message}")
        if not found and config["sequence_len"] != each.value["sequence_len"]:
            yield from long_rows(config, f" under the profile {document.file.stem}")


def stack_problems(document: Document, configs: dict[str, dict]) -> Iterator[Problem]:
    """The name is nobody else's; the members exist, once each, over one base."""
    if document.file.stem in adapter.names() or adapter.reserved(document.file.stem):
        yield document.problem("$", f"{document.file.stem!r} can't be a stack's name: {RESERVED}")
    seen: dict[str, str] = {}
    for index, member in enumerate(document.value["members"]):
        name, path = member["adapter"], f"$.members[{index}].adapter"
        if name not in adapter.names():
            yield document.problem(path, f"there is no adapter {name!r}", suggestion(name, adapter.names()))
        elif name in seen:
            yield document.problem(path, f"{name!r} is there already", "give one of them the sum of the weights")
        seen[name] = configs.get(name, {}).get("base_model", "")
    bases = sorted({base for base in seen.values() if base})
    if len(bases) > 1 and "base" not in document.value:
        told = "; ".join(f"{name} is for {base}" for name, base in seen.items() if base)
        yield document.problem(
            "$.members", f"adapters of different bases can't be added: {told}", "name the base whose runs are meant"
        )


def suite_problems(document: Document) -> Iterator[Problem]:
    """The adapter exists, the rows exist or can be built, and they are of the kinds that are named."""
    value, file = document.value, ROOT / document.value["rows"]
    name = value.get("adapter")
    if name and name not in adapter.names():
        yield document.problem("$.adapter", f"there is no adapter {name!r}", suggestion(name, adapter.names()))
    if not file.exists():
        if not (file.parent / "recipe.yml").exists():
            yield document.problem(
                "$.rows", f"{value['rows']}: no such file, and no recipe.yml beside it to build it from"
            )
        return
    kinds = kinds_of(file)
    for index, metric in enumerate(value["metrics"]):
        for place, kind in enumerate(metric.get("kinds", ())):
            if kind not in kinds:
                hint = suggestion(kind, kinds)
                yield document.problem(
                    f"$.metrics[{index}].kinds[{place}]", f"{value['rows']} has no row of kind {kind!r}", hint
                )


def kinds_of(file: Path) -> set[str]:
    """The kinds of a file's rows; lines that are no rows are the gates' business."""
    found = set()
    for _, line in jsonl.lines(file):
        try:
            kind = jsonl.parse(line).get("kind")
        except ValueError:
            continue
        found |= {kind} if isinstance(kind, str) else set()
    return found


def long_rows(config: dict, where: str = "") -> Iterator[Problem]:
    """Rows that would not fit into sequence_len: Axolotl drops those without a word. Estimated from characters,
    counted where a base with its tokenizer lies in outputs/."""
    limit, tokens = config["sequence_len"], config.get("special_tokens", {})
    chat = ROOT / config["chat_template_jinja"]
    text = chat.read_text(encoding="utf-8") if chat.is_file() else ""
    counter = None
    for each in config["datasets"]:
        file = ROOT / each["path"]
        for number, line in jsonl.lines(file) if file.exists() else ():
            if len(line) < limit * LEAST:
                continue
            counter = counter or token_counter(config["base_model"])
            try:
                length = counter(template.render(text, jsonl.parse(line)["messages"], tokens))
            except (ValueError, LookupError, TypeError, TemplateError):
                continue  # the gates say what is wrong with it
            if length > limit:
                told = f"about {length} tokens, and sequence_len is {limit}{where}: Axolotl would drop the row"
                yield Problem(shown(file), number, 0, "$.messages", told, "shorten it, or raise sequence_len")


def token_counter(base: str):
    """Text -> tokens: by the base's own tokenizer where it is here, else estimated."""
    local = ROOT / base / "tokenizer.json"
    folder = OUTPUTS / Path(base).name.lower() / "base" / "tokenizer.json"
    file = local if local.exists() else folder
    if not file.exists():
        return lambda text: int(len(text) / CHARACTERS)
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(file))
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)
