"""Writes a trained adapter in the form that another engine reads, loads it there and compares with what it is.

Run as: make export ADAPTER=unimed FORMAT=gguf|ollama|vllm|merged-gguf [BASE=…] [CHECK=0] / python -m scripts.export
gguf: the LoRA for llama.cpp. merged-gguf: base and LoRA as one model. ollama: a folder with a Modelfile. vllm: a
folder with the adapter, its template and vllm.yml. CHECK=0 skips loading and comparing the answers with PEFT's.
"""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import yaml

from scripts import arguments
from scripts.errors import UserError, main_of, suggestion
from scripts.files import write
from scripts.model import gguf
from scripts.model.modelfile import modelfile
from scripts.paths import shown
from scripts.run import ready
from scripts.serve import catalog as catalogs
from scripts.serve.catalog import Catalog


def main(argv: Sequence[str]) -> None:
    """Exports one adapter and prints where it is and how to use it."""
    parser = arguments.parser(__doc__)
    arguments.add(parser, "ADAPTER", "the adapter, or a stack that make stack has made")
    arguments.add(parser, "FORMAT", "one of: " + ", ".join(FORMATS), "gguf")
    arguments.add(parser, "BASE", "a folder of outputs/ (default: the embedded base without CUDA)")
    arguments.add(parser, "CHECK", "0 skips the comparison with PEFT", "1")
    options = parser.parse_args(argv)
    if options.format not in FORMATS:
        hint = suggestion(options.format, FORMATS)
        raise UserError(
            f"there is no format {options.format!r}; there are: {', '.join(FORMATS)}" + f" ({hint})" * bool(hint)
        )
    found = catalogs.of(ready.runs_of(options.base))
    adapter = adapter_of(found, options.adapter)
    target = adapter / "export"
    target.mkdir(exist_ok=True)
    made, use = FORMATS[options.format](found, adapter, target)
    print(f"{shown(made)} is ready")
    if arguments.flag(options.check) and options.format != "vllm":
        compare(found, adapter, made, merged=options.format == "merged-gguf")
    print(f"next: {use}")


def adapter_of(found: Catalog, name: str) -> Path:
    """The run of that adapter (or of the only one it begins), or of a stack that was made."""
    choices = found.adapters | {each: found.runs / each for each in found.stacks if (found.runs / each).exists()}
    matches = [name] if name in choices else [each for each in choices if name and each.startswith(name)]
    if len(matches) != 1:
        reasons = "; ".join(found.left_out)
        said = f"no trained adapter {name!r}" if name else "which adapter?"
        known = f"{said}; there are: {', '.join(matches or choices) or 'none'}" + (
            f" (left out: {reasons})" if reasons else ""
        )
        raise UserError(known, next="make train ADAPTER=<one>, or make stack STACK=<one>")
    return choices[matches[0]]


def as_gguf(found: Catalog, adapter: Path, target: Path) -> tuple[Path, str]:
    """export/<adapter>-lora.gguf"""
    made = target / f"{adapter.name}-lora.gguf"
    gguf.write_adapter(adapter, config_of(found), made)
    return made, f"llama-server -m {shown(found.base / 'base.gguf')} --lora {shown(made)} --cache-ram 0"


def as_merged(found: Catalog, adapter: Path, target: Path) -> tuple[Path, str]:
    """export/<adapter>-merged.gguf, with our chat template inside"""
    made = target / f"{adapter.name}-merged.gguf"
    template = (adapter / "chat_template.jinja").read_text(encoding="utf-8")
    gguf.write_merged(adapter, config_of(found), base_gguf(found), made, template)
    return made, f"llama-server -m {shown(made)} --jinja"


def as_ollama(found: Catalog, adapter: Path, target: Path) -> tuple[Path, str]:
    """export/ollama/: Modelfile, adapter.gguf and a hard link to the base, as Ollama reads only what is beside it"""
    folder = target / "ollama"
    folder.mkdir(exist_ok=True)
    gguf.write_adapter(adapter, config_of(found), folder / "adapter.gguf")
    beside = folder / "base.gguf"
    beside.unlink(missing_ok=True)
    try:
        beside.hardlink_to(base_gguf(found))
    except OSError:
        shutil.copyfile(base_gguf(found), beside)
    settings = json.loads((found.base / "tokenizer_config.json").read_text(encoding="utf-8"))
    end = settings["eos_token"]["content"] if isinstance(settings["eos_token"], dict) else settings["eos_token"]
    write(folder / "Modelfile", modelfile("base.gguf", "adapter.gguf", end, 2048))
    return folder, f"cd {shown(folder)} && ollama create {adapter.name} -f Modelfile && ollama run {adapter.name}"


def as_vllm(found: Catalog, adapter: Path, target: Path) -> tuple[Path, str]:
    """export/vllm/: the adapter as it is, its template, and the configuration of a server for it alone"""
    from scripts.serve import vllm
    from scripts.serve.front import Settings

    folder = target / "vllm"
    folder.mkdir(exist_ok=True)
    for name in ("adapter_config.json", "adapter_model.safetensors", "chat_template.jinja", "manifest.json"):
        shutil.copyfile(adapter / name, folder / name)
    alone = Catalog(found.runs, {adapter.name: folder})
    values = vllm.configuration(alone, Settings())
    relative = {"lora-modules": [f"{adapter.name}=."], "chat-template": "chat_template.jinja"}
    write(folder / "vllm.yml", yaml.safe_dump(values | relative, sort_keys=False))
    return folder, f"cd {shown(folder)} && vllm serve {values['model']} --config vllm.yml"


FORMATS: dict[str, Callable[[Catalog, Path, Path], tuple[Path, str]]] = {
    "gguf": as_gguf,
    "ollama": as_ollama,
    "vllm": as_vllm,
    "merged-gguf": as_merged,
}


def compare(found: Catalog, adapter: Path, made: Path, merged: bool) -> None:
    """Prints how many answers and first tokens agree with PEFT's; UserError where the export answers otherwise."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    from scripts.serve.agreement import agreement

    lora = made / "adapter.gguf" if made.is_dir() else made
    result = agreement(found, adapter, lora, merged)
    print(result)
    if result.tokens < 0.9:
        raise UserError(f"{shown(made)} does not answer as the adapter does: {result}")


def config_of(found: Catalog) -> dict:
    """config.json of the base."""
    return json.loads((found.base / "config.json").read_text(encoding="utf-8"))


def base_gguf(found: Catalog) -> Path:
    """The base as GGUF; UserError where it is not there."""
    file = found.base / "base.gguf"
    if not file.exists():
        raise UserError(f"{shown(file)}: no such file", next="llama.cpp's convert_hf_to_gguf.py makes it from the base")
    return file


if __name__ == "__main__":
    main_of(main)
