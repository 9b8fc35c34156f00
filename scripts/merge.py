"""Folds an adapter or a stack into a copy of its base: a full model in outputs/<base>/<name>-merged/.

Run as: make merge ADAPTER=kpi | STACK=schema-kpi [PROFILE=…] [FORCE=1] / python -m scripts.merge --adapter kpi
The base is only read. Logits are compared with the adapter's over the base as it was trained on. Over a
float32 base both are also computed in float64, where only what merging changed is left: more than 1e-4 there
is an error. For a 4-bit or half-precision base the difference is measured and stated.
"""

import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from scripts import arguments
from scripts.config import adapter, profile
from scripts.errors import UserError, main_of
from scripts.files import sha256, write_json
from scripts.model import compatible, stackfile
from scripts.paths import shown
from scripts.run import ready

PROMPTS = 8  # of the evaluation rows of each adapter in it; compared at every position


def main(argv: Sequence[str]) -> None:
    """Merges, measures, and prints what differs."""
    parser = arguments.parser(__doc__)
    arguments.add(parser, "ADAPTER", "the adapter")
    arguments.add(parser, "STACK", "or the stack")
    arguments.add(parser, "PROFILE", "whose base is meant (cpu, gpu …)")
    arguments.add(parser, "FORCE", "1 replaces what is there")
    options = parser.parse_args(argv)
    if bool(options.adapter) == bool(options.stack):
        raise UserError(
            "which adapter or which stack?", next="make merge ADAPTER=<adapter>, or make merge STACK=<stack>"
        )
    merge(_run(options), arguments.flag(options.force))


def _run(options) -> Path:
    """The folder of the adapter or stack; a stack that isn't there yet is made."""
    if options.stack:
        from scripts import stack

        return stack.make(stackfile.read(options.stack), options.profile, arguments.flag(options.force))
    return profile.run_folder(adapter.find(options.adapter), options.profile)


def merge(run: Path, force: bool = False) -> Path:
    """outputs/<base>/<name>-merged/ of a run's folder, measured against it."""
    missing = [file for file in compatible.NEEDED if not (run / file).exists()]
    if missing:
        raise UserError(
            f"{shown(run)} has no {', '.join(missing)}: not a finished run", next=f"make train ADAPTER={run.name}"
        )
    manifest = compatible.manifest_of(run)
    if manifest.get("kind") == "merged":
        raise UserError(f"{run.name} is already merged")
    if reasons := list(compatible.other_bases({run.name: manifest}, run.parent / "base")):
        raise UserError(reasons[0], next=f"make train ADAPTER={run.name} FORCE=1")
    made_from = {"kind": "merged", "of": {"name": run.name, "weights": sha256(run / "adapter_model.safetensors")}}
    from scripts.model import adapterfolder

    out = run.with_name(f"{run.name}{adapter.MERGED}")
    if not adapterfolder.free(out, made_from, force):
        print(f"{shown(out)} is up to date")
        return out
    base = base_of(run)
    _refuse_small_disk(base, run.parent)
    facts = {"name": out.name, "base": manifest["base"], **made_from}
    adapterfolder.build(out, lambda work: _write(base, run, work, facts))
    print(f"next: make predict ADAPTER={out.name} IN=… OUT=…, or serve the folder {shown(out)} as a whole model")
    return out


def base_of(run: Path) -> Path:
    """The base's folder: outputs/<base>/base, else the snapshot of the Hub that the run's manifest names."""
    base = ready.base_under(run)
    name = str(base.source)
    if Path(name).is_dir():
        return Path(name)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    kinds = ["*.safetensors", "*.json", "*.jinja"]
    try:
        return Path(snapshot_download(name, revision=base.revision, allow_patterns=kinds))
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise UserError(
            f"the base {name} is neither here nor can it be fetched: {error}", next=f"hf download {name}"
        ) from None


def _refuse_small_disk(base: Path, target: Path) -> None:
    needed, free = sum(file.stat().st_size for file in base.glob("*.safetensors")), shutil.disk_usage(target).free
    if free < needed * 1.05:
        raise UserError(f"{shown(target)} has {free / 1e9:.1f} GB free, the merged model needs {needed / 1e9:.1f} GB")


def _write(base: Path, run: Path, work: Path, facts: dict) -> None:
    from scripts.model import lora, strict
    from scripts.model import merge as arithmetic

    arithmetic.merge(base, lora.deltas(lora.read(run)), work)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", strict.NAME):
        if (run / name).exists():
            shutil.copyfile(run / name, work / name)
    measured, loaded = _measure(base, run, work)
    for precision, found in measured.items():
        print(f"{shown(run)}{adapter.MERGED}, in {precision}: {arithmetic.in_words(found)}")
    exact = measured.get("float64")
    if exact and exact.largest > arithmetic.TOLERANCE:
        raise UserError(
            f"the merged model is not the adapter's: {exact.largest:.1e} is more than {arithmetic.TOLERANCE:.0e}"
        )
    hashes = {file.name: sha256(file) for file in sorted(work.glob("*.safetensors"))}
    facts |= {"weights": hashes, "base_loaded_as": loaded}
    facts["difference"] = {precision: asdict(found) for precision, found in measured.items()}
    write_json(work / "manifest.json", facts)


def _measure(base: Path, run: Path, merged: Path) -> tuple[dict, str]:
    """Differences on the adapter's own questions by precision, and how the base was loaded when it was trained."""
    from scripts.model import merge as arithmetic
    from scripts.model.load import as_trained, plain, tokenizer_of

    prompts = _prompts(tokenizer_of(run), run)
    model, loaded = as_trained(base, run)
    before = {loaded: arithmetic.logits(model, prompts)}
    if loaded == "float32":  # its own rounding over many layers is as large as what is looked for
        before["float64"] = arithmetic.logits(model.double(), prompts)
    model = plain(merged)
    after = {loaded: arithmetic.logits(model, prompts)}
    if loaded == "float32":
        after["float64"] = arithmetic.logits(model.double(), prompts)
    return {precision: arithmetic.difference(before[precision], after[precision]) for precision in before}, loaded


def _prompts(tokenizer, run: Path) -> list[list[int]]:
    from scripts.score import suite

    names = [member["adapter"] for member in compatible.manifest_of(run).get("members", [])] or [run.name]
    rows = [row for name in names for each in suite.of(name) if each.adapter for row in suite.rows_of(each)[:PROMPTS]]
    chats = [row["messages"] for row in rows] or [[{"role": "user", "content": "Olá! Como você pode me ajudar?"}]]
    return [tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=False) for chat in chats]


if __name__ == "__main__":
    main_of(main)
