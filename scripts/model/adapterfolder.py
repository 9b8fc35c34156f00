"""An adapter folder made by arithmetic: written beside its place, then put there in one step."""

import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from safetensors.torch import save_file

from scripts.errors import UserError
from scripts.files import sha256, write_json
from scripts.model import stack, strict
from scripts.model.lora import Deltas, Lora
from scripts.paths import shown

COMPANIONS = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")


def free(folder: Path, made_from: dict, force: bool) -> bool:
    """True where `folder` is free or `force` frees it, False where the same is there already; else UserError.

    `made_from` are those manifest entries that decide what comes out.
    """
    if not folder.exists() or force:
        return True
    try:
        there = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        there = {}
    if all(there.get(key) == value for key, value in made_from.items()):
        return False
    raise UserError(
        f"{shown(folder)} exists and was made from something else", next="another name, or the same with FORCE=1"
    )


def build(folder: Path, fill: Callable[[Path], None]) -> None:
    """Calls fill(empty folder beside it) and renames the result over `folder`: whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        fill(work)
        work.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        work.replace(folder)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise


def write(work: Path, delta: Deltas, members: list[Lora], folders: Sequence[Path], manifest: dict) -> None:
    """What an adapter folder holds; of the members in `folders` come the tools, of the first tokenizer and template."""
    tensors = stack.tensors(delta)
    rank = max(len(down) for down, _ in delta.values())
    save_file(tensors, work / "adapter_model.safetensors", metadata={"format": "pt"})
    (work / "adapter_model.safetensors").chmod(0o644)  # safetensors lets nobody else read it
    write_json(work / "adapter_config.json", stack.config(members, rank))
    for name in COMPANIONS:
        if (folders[0] / name).exists():
            shutil.copyfile(folders[0] / name, work / name)
    if strict.files(folders):
        write_json(work / strict.NAME, strict.tools(folders))
    write_json(work / "manifest.json", manifest | {"weights": sha256(work / "adapter_model.safetensors")})
