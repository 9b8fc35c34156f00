"""A model with its adapter as it was trained, and a model as it lies in a folder: for comparing the two."""

import json
import re
from pathlib import Path

import torch
import yaml
from peft import PeftModel
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging

from scripts.errors import UserError
from scripts.model.compatible import manifest_of
from scripts.paths import shown

logging.disable_progress_bar()
DEVICE = "auto" if torch.cuda.is_available() else "cpu"


def tokenizer_of(run: Path) -> PreTrainedTokenizerBase:
    """The tokenizer that lies beside an adapter, with our chat template."""
    return AutoTokenizer.from_pretrained(run, local_files_only=True)


def plain(folder: Path) -> PreTrainedModel:
    """A model in the precision of its file."""
    refuse_foreign_shards(folder)
    options: dict = {"dtype": "auto", "device_map": DEVICE, "local_files_only": True, "use_safetensors": True}
    return AutoModelForCausalLM.from_pretrained(folder, **options).eval()


def as_trained(base: Path, run: Path) -> tuple[PeftModel, str]:
    """The adapter over its base, loaded in 4 bits where it was trained so; and in which precision that is."""
    refuse_foreign_shards(base)
    bits = quantisation(run)
    options: dict = {"dtype": "auto", "device_map": DEVICE, "local_files_only": True, "use_safetensors": True}
    model = AutoModelForCausalLM.from_pretrained(base, quantization_config=bits, **options).eval()
    loaded = "4-bit NF4" if bits else str(model.dtype).removeprefix("torch.")
    return PeftModel.from_pretrained(model, run).eval(), loaded


def quantisation(run: Path) -> BitsAndBytesConfig | None:
    """How the base of a run was quantised in its training; None where it was not."""
    settings = training_settings(run)
    if not settings.get("load_in_4bit"):
        return None
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=settings.get("bnb_4bit_quant_type", "nf4"),
        bnb_4bit_use_double_quant=settings.get("bnb_4bit_use_double_quant", True),
        bnb_4bit_compute_dtype=torch.bfloat16 if torch.cuda.is_available() else torch.float32,
    )


def refuse_foreign_shards(model: Path | str) -> None:
    """UserError where a model's index names what is no safetensors file beside it: transformers would load that, too.

    Of a name on the Hub nothing is read here: its shards are fetched from its own repository.
    """
    for index in Path(model).glob("*.safetensors.index.json"):
        named = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
        foreign = sorted(each for each in map(str, named) if not re.fullmatch(r"[\w-][\w.-]*\.safetensors", each))
        if foreign:
            raise UserError(f"{shown(index)}: $.weight_map: {foreign[0]!r} is no safetensors file of this folder")


def training_settings(run: Path) -> dict:
    """The resolved config that lies in a run; of a stack, that of its first member."""
    if manifest_of(run).get("kind") == "stack":
        run = run.parent / manifest_of(run)["members"][0]["adapter"]
    for file in sorted(run.glob("*.yml")):
        value = yaml.safe_load(file.read_text(encoding="utf-8"))
        if isinstance(value, dict) and "base_model" in value:
            return value
    return {}
