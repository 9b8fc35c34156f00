"""What training one adapter would do, before it does: data, steps, parameters, memory, hours, and what has changed.

Imports no torch, no transformers and no Axolotl, needs no GPU, no network and no weights.
Run as: make plan ADAPTER=unimed [PROFILE=gpu] [PROCESSES=8] [AGAINST=main] [FORMAT=text|markdown]
/ python -m scripts.plan …
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from scripts import arguments
from scripts.config import adapter, profile
from scripts.cost import before, calibration, defaults, difference, figures, gpus, measured, page, tokens
from scripts.cost.estimate import Estimate, estimate
from scripts.cost.page import Section
from scripts.data import lock as data_lock
from scripts.errors import UserError, main_of, suggestion
from scripts.files import sha256
from scripts.paths import ROOT, shown
from scripts.run import launch


def main(argv: Sequence[str]) -> None:
    """Prints the plan."""
    parser = arguments.parser(__doc__)
    arguments.add(parser, "ADAPTER", "which adapter, such as unimed")
    arguments.add(parser, "PROFILE", "a file of configs/profiles/ (default: gpu or cpu, as is here)")
    arguments.add(parser, "PROCESSES", "how many processes would train together, on all machines", "1")
    arguments.add(parser, "AGAINST", "a branch, tag or commit to compare with, such as main")
    arguments.add(parser, "FORMAT", "text (default) or markdown", "text")
    options = parser.parse_args(argv)
    if options.format not in page.FORMATS:
        near = suggestion(options.format, page.FORMATS)
        hint = f" ({near})" if near else ""
        raise UserError(f"FORMAT={options.format} is not one of {', '.join(page.FORMATS)}{hint}")
    name, chosen = adapter.find(options.adapter), profile.choose(options.profile)
    processes = arguments.number("PROCESSES", options.processes, 1, launch.MOST)
    title, sections = planned(name, chosen, options.against, processes)
    print(page.FORMATS[options.format](title, sections))
    if options.format == "text":
        words = [f"PROFILE={chosen}"] * bool(options.profile) + [f"PROCESSES={processes}"] * (processes > 1)
        print("\n" + " ".join(["next: make train", f"ADAPTER={name}", *words]))


def planned(name: str, chosen: str, against: str = "", processes: int = 1) -> tuple[str, list[Section]]:
    """The title and all sections of a plan, for so many processes."""
    files = [ROOT / each["path"] for each in adapter.load(name)["datasets"]]
    built = sha256(files[0]) if files[0].exists() else ""
    resolved = profile.resolve(name, chosen, built)
    new = estimate(resolved, tokens.measure(name, resolved), gpus.table(), measured.runs(resolved), processes)
    told, written = before.state(profile.run_folder(name, chosen), resolved, files)
    sections = [Section("What is up to date", [told, data_state(name, files)])]
    sections += list(changes(name, chosen, new, written, against))
    sections += [rows(new), work(new), learned(new), memory(new), time(new), *calibration.sections(new.runs)]
    silent = [*defaults.switched_on(resolved)]
    if silent:
        sections.append(Section("What Axolotl switches on by itself", rows=silent))
    sections.append(Section("Axolotl's defaults that matter", rows=defaults.silent(resolved), folded=True))
    code = yaml.safe_dump(resolved, sort_keys=False, allow_unicode=True, width=120)
    sections.append(Section("The config that Axolotl reads", code=code, folded=True))
    return f"{name} on {resolved['base_model']}, profile {chosen}", sections


def data_state(name: str, files: Sequence[Path]) -> str:
    """Whether the rows are built from the recipe as it is now."""
    folder = adapter.data_of(name)
    if not (folder / "recipe.yml").exists():
        return f"{shown(folder)}: {'there' if all(file.exists() for file in files) else 'missing'}; it has no recipe"
    if data_lock.is_current(folder):
        return f"{shown(folder)}: up to date with its recipe"
    why = "its recipe or rows changed" if all(file.exists() for file in files) else "not built here"
    return f"{shown(folder)}: {why}; training builds it first (make dataset ADAPTER={name})"


def changes(name: str, chosen: str, new: Estimate, written: dict, against: str) -> Iterator[Section]:
    """What differs from the last run and from a git ref."""
    if written.get("config"):
        lines = difference.configs(written["config"], new.config)
        current = [file["sha256"] for file in written.get("data", {}).get("files", ())]
        paths = [ROOT / each["path"] for each in new.config["datasets"]]
        if current != [sha256(path) for path in paths if path.exists()]:
            lines.append("the rows are others")
        yield Section("Since the last run", lines + effects(written["config"], new) or ["nothing that is trained"])
    if against:
        there = before.at(against, name, chosen)
        lines = difference.configs(there.config, new.config) if there.config else [f"{name} is new"]
        lines += difference.data(there.lock, tokens.lock(name))
        lines += effects(there.config, new) if there.config else []
        yield Section(f"Against {against} ({there.commit[:10]})", lines or ["nothing that is trained"])


def effects(config: dict, new: Estimate) -> list[str]:
    """What the older config would come to over today's rows, where that differs."""
    try:
        old = estimate(config, new.rows, gpus.table(), processes=new.steps.processes)
        return [f"so: {each}" for each in difference.effects(old, new)]
    except (LookupError, TypeError, UserError):
        return []  # a config of another shape: its keys are told, its figures can't be


def rows(new: Estimate) -> Section:
    """What there is to train on."""
    found, steps = new.rows, new.steps
    number = len(found.lengths)
    mean, longest = found.tokens / max(1, number), max(found.lengths, default=0)
    dropped = f"{steps.dropped:,} of them longer than sequence_len: dropped"
    table = [
        ("conversations", f"{number:,}", dropped if steps.dropped else "all fit"),
        ("tokens", f"{found.tokens:,}", f"mean {mean:.0f}, longest {longest:,}"),
        ("trained tokens", f"{sum(found.trained):,}", "the assistant's"),
    ]
    return Section("Data", rows=table, notes=[f"{'exact' if found.exact else 'about'}: {found.how}"])


def work(new: Estimate) -> Section:
    """Steps, and what passes through the model in them."""
    steps = new.steps
    table = [
        ("steps", f"{steps.steps:,}", steps.how),
        ("epochs", f"{steps.epochs:.2f}", f"{steps.rows:,} conversations"),
        ("tokens", f"{steps.tokens:,}", f"{steps.trained:,} trained, {steps.tokens / max(1, steps.steps):,.0f} a step"),
        ("padding", f"{steps.padding:.1%}", f"{steps.slots:,} slots, the widest batch {steps.widest:,}"),
    ]
    if new.other:
        packed = "not packed" if new.config.get("sample_packing") else "packed"
        table.append((packed, f"{new.other.steps:,}", f"steps, {new.other.padding:.1%} padding: {new.other.how}"))
    return Section("Training", rows=table, notes=[] if steps.exact else ["about: the order of rows is drawn by torch"])


def learned(new: Estimate) -> Section:
    """The adapter."""
    share = new.trainable / new.architecture.parameters
    name = "adapter_model.safetensors"
    table = [
        ("trainable parameters", f"{new.trainable:,}", f"{share:.2%} of {new.architecture.parameters:,}"),
        (name, f"{new.file:,}", f"bytes, {figures.size(new.file)}"),
    ]
    return Section("Adapter", rows=table)


def memory(new: Estimate) -> Section:
    """Memory by part, and what `make bench` or a run under the same settings took on a GPU."""
    table = [(part, figures.size(size)) for part, size in new.memory.items()]
    table.append(("at the peak, about", figures.size(new.total)))
    told = {place.run.where: place.run for place in new.places if place.run and place.run.memory}
    notes = [
        f"measured on {run.gpu} ({where}): {figures.size(run.memory)}, planned {new.total / run.memory - 1:+.0%}"
        for where, run in told.items()
    ]
    each = "Memory of each GPU" if new.steps.processes > 1 else "Memory of the GPU"
    return Section(each if new.cuda else "Memory", rows=table, notes=notes)


def time(new: Estimate) -> Section:
    """Hours and dollars by GPU; on a CPU hours. From what was measured, else on a GPU from an assumption."""
    if not new.cuda:
        run, hours = new.told_by, new.hours()
        if not run or not hours:
            return Section("Time", ["no run over this base is measured yet"])
        speed = run.tokens / run.seconds
        return Section("Time", [f"about {figures.hours(hours)} at {speed:.0f} tokens/s, as measured in {run.where}"])
    value = gpus.table()
    many = f"{new.steps.processes} x " if new.steps.processes > 1 else ""
    table = [
        (many + place.name, f"{place.memory:.0f} GB", "fits" if place.fits else "too small", f"{place.speed:,.0f}",
         figures.hours(place.hours), f"${place.dollars:.2f}", figures.hours(place.best),
         f"measured: {place.run.where}" if place.run else "assumed")
        for place in new.places
    ]  # fmt: skip
    heads = ("GPU", "memory", "", "slots/s", "time", "cost", "at best", "")
    share = f"{value['utilisation']:.0%} of its bf16 rate, at best {value['ceiling']:.0%}"
    note = f"assumed: each GPU at {share} ({shown(gpus.FILE)}); make bench there measures it"
    return Section("Time and cost", heads=heads, rows=table, notes=[note])


if __name__ == "__main__":
    main_of(main)
