"""The README.md of an adapter that is published: what it is, how well it does, and what it was made of.

Everything in it comes from the run: manifest.json, eval/metrics.json, and the adapter's own YAML.
"""

from collections.abc import Sequence

#: Licences of the bases that are allowed here; an adapter is bound by its base's.
LICENCES = {
    "Qwen/Qwen2.5-32B-Instruct": "apache-2.0",
    "meta-llama/Meta-Llama-3-8B-Instruct": "llama3",
    "smollm2-135m-instruct": "apache-2.0",
}
#: Where a base that was made here comes from.
ORIGINS = {"smollm2-135m-instruct": "HuggingFaceTB/SmolLM2-135M-Instruct"}
KEYS = ("adapter", "lora_r", "lora_alpha", "lora_dropout", "learning_rate", "lr_scheduler", "warmup_ratio",
        "num_epochs", "max_steps", "micro_batch_size", "gradient_accumulation_steps", "batch_tokens",
        "repeated_answers", "sequence_len", "optimizer", "seed")  # fmt: skip

USE = """\
```python
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("{repo}")  # with the chat template that it was trained with
said = [{{"role": "user", "content": "oi"}}]
base = AutoModelForCausalLM.from_pretrained("{origin}"{revision}, dtype="auto", device_map="auto")
model = PeftModel.from_pretrained(base, "{repo}")
ids = tokenizer.apply_chat_template(said, add_generation_prompt=True, return_tensors="pt", return_dict=True)
print(tokenizer.decode(model.generate(**ids.to(model.device), max_new_tokens=128)[0]))
```"""


def markdown(name: str, purpose: str, written: dict, figures: Sequence[dict], data: dict, repo: str = "") -> str:
    """The whole card. `figures` are the lines of metrics.json, `data` is data.lock.json; both may be empty."""
    base = written["base"]["name"]
    origin = ORIGINS.get(base, base)
    parts = [head(origin, LICENCES.get(base, "other")), f"# {name}\n\n{purpose}"]
    parts += [f"A LoRA adapter for `{origin}`. It needs no system prompt: none was there when it was trained."]
    parts += ["## Use\n\n" + use(repo or f"<owner>/{name}", origin, written["base"].get("revision", ""))]
    parts += ["## Figures\n\n" + scores(figures), "## Data\n\n" + rows(data), "## Training\n\n" + training(written)]
    parts += ["## Limits\n\n" + limits(written), "## Provenance\n\n" + provenance(written)]
    return "\n\n".join(parts) + "\n"


def head(origin: str, licence: str) -> str:
    """The YAML that the Hub reads."""
    tags = "tags: [lora, axolotl]\nlanguage: [pt]\npipeline_tag: text-generation"
    return f"---\nbase_model: {origin}\nlibrary_name: peft\nlicense: {licence}\n{tags}\n---"


def use(repo: str, origin: str, revision: str) -> str:
    """Code that loads it."""
    return USE.format(repo=repo, origin=origin, revision=f', revision="{revision}"' if revision else "")


def table(titles: Sequence[str], lines: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    cells = [titles, ["---"] * len(titles), *lines]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in cells)


def scores(figures: Sequence[dict]) -> str:
    """Held-out figures of base and adapter with their gates."""
    if not figures:
        return "Not evaluated yet."
    lines = [
        [
            f"{each['suite']}: {each['metric']}",
            each["n"],
            shown(each["base"]),
            shown(each["adapter"]),
            shown(each["gate"]),
            passed(each),
        ]
        for each in figures
    ]
    return "On rows whose phrasings training never saw.\n\n" + table(
        ("metric", "n", "base", "adapter", "gate", "passed"), lines
    )


def passed(line: dict) -> str:
    """Of a metric without a gate nothing is said."""
    return "" if line["gate"] is None else "yes" if line["passed"] else "**no**"


def shown(value: object) -> str:
    """A share or another number with three digits; nothing for none."""
    return "" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)


def rows(data: dict) -> str:
    """How many rows of which kinds."""
    if not data:
        return "Rows of the owner's own; their hashes are below."
    train = data["train"]
    kinds = table(("kind", "rows"), sorted(train.get("kinds", {}).items()))
    whole = f"{train['rows']:,} conversations, {train.get('tokens', 0):,} tokens; a run may take a part of them."
    return f"{whole}\n\n{kinds}"


def training(written: dict) -> str:
    """Settings and what came of them."""
    config, metrics = written["config"], written["metrics"]
    lines = [[key, config[key]] for key in KEYS if key in config]
    lines += [["target modules", ", ".join(config.get("lora_target_modules", ["all linear"]))]]
    done = f"{metrics['steps']} steps, {metrics['tokens']:,.0f} tokens in {metrics['seconds'] / 60:.0f} min; "
    done += f"loss {metrics['first_loss']:.2f} to {metrics['loss']:.2f}."
    return f"{done}\n\n{table(('setting', 'value'), lines)}"


def limits(written: dict) -> str:
    """What nobody should expect of it."""
    told = "It says what its data says: facts and figures age. A tool call is text until something outside the model "
    told += "executes it; check there who may be asked about."
    small = " Its base is a very small one, for trying things out: do not put it before people. It was trained over a "
    small += "copy of that base dequantised from 4 bits (Q4_1); over the base's own weights it was not measured."
    return told + (small if written["base"]["name"] in ORIGINS else "")


def provenance(written: dict) -> str:
    """Hashes, versions, commit and command."""
    commit = written.get("git") or {}
    lines = [
        ["adapter_model.safetensors", f"`{written['weights']}`"],
        ["fingerprint of all inputs", f"`{written['fingerprint']}`"],
    ]
    lines += [[each["path"], f"`{each['sha256']}`"] for each in written["data"]["files"]]
    lines += [[f"base: {name}", f"`{value}`"] for name, value in written["base"]["sha256"].items()]
    lines += [["base: revision", written["base"]["revision"]]] if written["base"].get("revision") else []
    dirty = " (with changes that were not committed)" if commit.get("dirty") else ""
    lines += [["commit", commit.get("commit", "none") + dirty], ["made", written["made"]]]
    lines += [["versions", ", ".join(f"{name} {version}" for name, version in written["versions"].items())]]
    return "All sha256.\n\n" + table(("what", "value"), lines)
