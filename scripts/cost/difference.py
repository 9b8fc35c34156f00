"""Two configs, and two data sets, compared by what the change means."""

from collections.abc import Iterator

from scripts.cost import figures
from scripts.cost.estimate import Estimate

#: Where a run is made; no property of what is trained.
PLACES = ("output_dir", "dataset_prepared_path", "plugins")
MEANS = {
    "learning_rate": "the size of each step",
    "lora_alpha": "the adapter's weight is alpha / rank",
    "lora_dropout": "inputs left out while training",
    "base_model": "another model: nothing of an earlier run fits",
    "chat_template_jinja": "other tokens around every turn: an adapter trained with the old one answers worse",
    "seed": "another order and another start",
    "warmup_ratio": "the share of steps before the full rate",
}


def configs(before: dict, after: dict) -> list[str]:
    """One sentence a key that differs, in the order of the newer config."""
    keys = [key for key in {**after, **before} if key not in PLACES and before.get(key) != after.get(key)]
    return [said(key, before.get(key), after.get(key), before, after) for key in keys]


def said(key: str, old: object, new: object, before: dict, after: dict) -> str:
    """`learning_rate 0.0002 -> 0.0001 (half)`"""
    if isinstance(old, list) and isinstance(new, list) and all(isinstance(each, str) for each in old + new):
        gone, come = [each for each in old if each not in new], [each for each in new if each not in old]
        told = ", ".join([f"without {each}" for each in gone] + [f"with {each}" for each in come]) or "another order"
        return f"{key}: {told}"
    notes = [figures.change(old, new)] if number(old) and number(new) else []
    both = all(each.get("lora_r") and each.get("lora_alpha") for each in (before, after))
    if key in ("lora_r", "lora_alpha") and both:
        scale = [each["lora_alpha"] / each["lora_r"] for each in (before, after)]
        notes.append(f"alpha / rank {scale[0]:g} → {scale[1]:g}" if scale[0] != scale[1] else "alpha / rank stays")
    elif key in MEANS:
        notes.append(MEANS[key])
    told = "; ".join(each for each in notes if each)
    return f"{key} {shown(old)} → {shown(new)}" + (f" ({told})" if told else "")


def number(value: object) -> bool:
    """Whether a value can be divided: a number and no boolean."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def shown(value: object) -> str:
    """A value of YAML on one line."""
    if value is None:
        return "(not set)"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def effects(old: Estimate, new: Estimate) -> Iterator[str]:
    """What the two plans differ in, figure by figure; nothing where they agree."""
    compared = {
        "trainable parameters": (old.trainable, new.trainable, figures.count),
        "adapter file": (old.file, new.file, figures.size),
        "steps": (old.steps.steps, new.steps.steps, figures.count),
        "tokens a step": (*(each.steps.tokens // max(1, each.steps.steps) for each in (old, new)), figures.count),
        "tokens in all": (old.steps.tokens, new.steps.tokens, figures.count),
        "memory": (round(old.total, -7), round(new.total, -7), figures.size),
    }
    for name, (before, after, form) in compared.items():
        if before != after:
            told = figures.change(before, after)
            yield f"{name} {form(before)} → {form(after)}" + (f" ({told})" if told else "")
    h100 = [next((place for place in each.places if place.name == "H100"), None) for each in (old, new)]
    if all(h100) and abs(h100[0].hours - h100[1].hours) > 0.005:
        many = new.steps.processes if new.steps.processes > 1 else "one"
        yield f"on {many} H100 {figures.hours(h100[0].hours)} → {figures.hours(h100[1].hours)}"


def data(before: dict, after: dict) -> Iterator[str]:
    """Two data.lock.json: rows, tokens, and rows by kind."""
    for part in ("train", "eval"):
        old, new = before.get(part, {}), after.get(part, {})
        if old.get("sha256") == new.get("sha256"):
            continue
        sizes = {each: (old.get(each, 0), new.get(each, 0)) for each in ("rows", "tokens")}
        numbers = [f"{each} {less:,} → {more:,}" for each, (less, more) in sizes.items() if less != more]
        kinds = [each.get("kinds", {}) for each in (old, new)]
        moved = {kind: kinds[1].get(kind, 0) - kinds[0].get(kind, 0) for kind in kinds[0] | kinds[1]}
        told = [f"{kind} {by:+,}" for kind, by in sorted(moved.items(), key=lambda item: -abs(item[1])) if by]
        more = f" and {len(told) - 8} more kinds" if len(told) > 8 else ""
        yield f"{part}.jsonl: " + (", ".join(numbers + told[:8]) + more or "other rows, as many of each kind")
