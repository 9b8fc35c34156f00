# ruff: noqa: E501 (tables of examples)
"""Check against Axolotl itself: what we accept it takes, and uses every key of. Slow: importing it takes half a minute."""

import copy
import logging
import os
import random
from pathlib import Path

import made_configs
import pytest
import yaml

from scripts.config import adapter, profile, schema, yamlfile

pytestmark = pytest.mark.slow
MACHINES = [(1, "sm_90", True), (8, "sm_80", True), (1, None, False)]  # GPUs, compute capability, bf16
RENAMED = {
    "model_type": "type_of_model",
    "model_config": "overrides_of_model_config",
    "model_kwargs": "overrides_of_model_kwargs",
}
#: Old names that Axolotl moves to the new one.
MOVED = {"flash_attention", "sdp_attention", "xformers_attention", "flex_attention", "sage_attention", "eager_attention",
         "evaluation_strategy", "dataset_processes", "gc_steps", "fsdp_final_state_dict_type"}  # fmt: skip


@pytest.fixture(scope="module")
def verdict():
    """config, machine -> the config as Axolotl understands it; raises what Axolotl raises."""
    os.environ |= {"AXOLOTL_DO_NOT_TRACK": "1", "DO_NOT_TRACK": "1", "HF_HUB_OFFLINE": "1"}
    config = pytest.importorskip("axolotl.utils.config")
    from axolotl.integrations.base import PluginManager
    from axolotl.utils.dict import DictDefault

    logging.disable(logging.CRITICAL)

    def validated(given: dict, machine: tuple) -> dict:
        gpus, capability, bf16 = machine
        PluginManager.get_instance().plugins.clear()  # it keeps those of the config before
        made = DictDefault(copy.deepcopy(given))
        config.prepare_plugins(made)
        able = {"bf16": bf16, "fp8": False, "tf32": bf16, "n_gpu": gpus, "compute_capability": capability}
        return config.validate_config(made, capabilities=able, env_capabilities={"torch_version": "2.13.0"})

    yield validated
    logging.disable(logging.NOTSET)


def ignored(given: object, taken: object, path: str = "$"):
    """Every key of the given config that Axolotl's does not have any more."""
    if isinstance(given, dict):
        for key, value in given.items():
            name = (
                key.removeprefix("fsdp_")
                if path.endswith("fsdp_config") and key != "fsdp_version"
                else RENAMED.get(key, key)
            )
            if key in MOVED or (value is None and key in made_configs.ALL_KEYS):
                continue
            if not hasattr(taken, "get") or name not in taken:
                yield f"{path}.{key}"
            else:
                yield from ignored(value, taken[name], f"{path}.{key}")
    elif isinstance(given, list) and isinstance(taken, list | tuple):
        for index, (one, other) in enumerate(zip(given, taken, strict=False)):
            yield from ignored(one, other, f"{path}[{index}]")


def test_what_we_accept_axolotl_takes_and_uses(verdict):
    """1,000 configs over every key that is allowed, each on three machines."""
    made, used, wrong = made_configs.accepted(random.Random(4)), set(), []
    for config, _ in zip(made, range(1_000), strict=False):
        used |= set(config)
        for machine in MACHINES:
            try:
                wrong += list(ignored(config, verdict(config, machine)))
            except Exception as error:  # whatever Axolotl raises is a refusal
                wrong.append(f"{type(error).__name__}: {str(error)[:200]}")
    assert wrong == []
    assert set(made_configs.KEYS) - used == set(), "a key was never tried"


def test_every_adapter_under_every_profile(verdict):
    runs = [(name, each) for name in adapter.names() for each in profile.names()]
    assert len(runs) >= 6
    for name, each in runs:
        config = profile.resolve(name, each)
        for machine in MACHINES:
            assert list(ignored(config, verdict(config, machine))) == [], (name, each)


def test_axolotls_own_examples_are_told_apart(verdict):
    """Those that it takes whole break only house rules; those that it refuses or ignores a key of are called wrong."""
    folder = Path(os.environ.get("AXOLOTL_EXAMPLES", "/nonexistent"))
    if not folder.is_dir():
        pytest.skip("AXOLOTL_EXAMPLES names no folder with the examples of an Axolotl checkout")
    alike, apart = 0, []
    for file in sorted(folder.rglob("*.y*ml")):
        given = yaml.safe_load(file.read_text(encoding="utf-8"))
        if not isinstance(given, dict) or given.get("adapter") not in ("lora", "qlora"):
            continue
        try:
            right = not list(ignored(given, verdict(given, (1, "sm_90", True))))
        except Exception:  # a refusal
            right = False
        document, _ = yamlfile.parse(file.read_text(encoding="utf-8"), file)
        ours = [each for each in schema.findings(document.value, "adapter") if not each.house]
        alike, apart = alike + (right == (not ours)), apart + ([file.name] if right != (not ours) else [])
    print(f"told apart rightly: {alike} of {alike + len(apart)}; otherwise: {apart}")
    assert alike >= 100 and len(apart) <= 0.03 * alike, apart
