"""The real sizes on the meta device: every target module is found, and parameters are counted, not estimated."""

import json
from math import prod

import pytest

from scripts.config import adapter
from scripts.config.profile import base_name
from scripts.paths import CONFIGS

torch = pytest.importorskip("torch")
#: Published counts of the whole models.
WHOLE = {"meta-llama/Meta-Llama-3-8B-Instruct": 8_030_261_248, "Qwen/Qwen2.5-32B-Instruct": 32_763_876_352}
#: r x (in + out) over seven projections of every layer, at rank 32: by hand, from the architecture numbers.
TRAINED = {"meta-llama/Meta-Llama-3-8B-Instruct": 83_886_080, "Qwen/Qwen2.5-32B-Instruct": 268_435_456}


def on_meta(config: dict):
    """The production model without a byte of weights."""
    from transformers import AutoConfig, AutoModelForCausalLM

    numbers = json.loads((CONFIGS / "architectures" / base_name(config) / "config.json").read_text(encoding="utf-8"))
    kind = numbers.pop("model_type")
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **numbers))


@pytest.mark.parametrize("name", adapter.names())
def test_every_target_is_found_and_counted(name: str):
    from peft import LoraConfig, get_peft_model

    config = adapter.load(name)
    model, targets = on_meta(config), config["lora_target_modules"]
    base, layers = config["base_model"], model.config.num_hidden_layers
    assert sum(prod(each.shape) for each in model.parameters()) == WHOLE[base]
    shapes = {key: tuple(each.weight.shape) for key, each in model.named_modules() if isinstance(each, torch.nn.Linear)}
    found = [key for key in shapes if key.rsplit(".", 1)[-1] in targets]
    assert len(found) == layers * len(targets) == len(shapes) - 1, "every linear layer but the output one"
    by_hand = sum(config["lora_r"] * sum(shapes[key]) for key in found)
    with torch.device("meta"):
        wrapped = get_peft_model(
            model, LoraConfig(r=config["lora_r"], lora_alpha=config["lora_alpha"], target_modules=targets)
        )
    trained = sum(prod(each.shape) for each in wrapped.parameters() if each.requires_grad)
    assert trained == by_hand and (config["lora_r"] != 32 or trained == TRAINED[base])
    assert all(each.device.type == "meta" for each in wrapped.parameters()), "nothing of this size may be allocated"
