"""The plan's exact figures against the libraries that they foresee: PEFT, transformers, Axolotl, autograd."""

import json
from collections import Counter
from functools import partial

import pytest

from scripts.config import adapter, profile
from scripts.cost import adapterfile, architecture, memory, steps, tokens
from scripts.cost.steps import Steps
from scripts.paths import ROOT
from scripts.run import repeated
from scripts.run.progress_file import merged

torch = pytest.importorskip("torch")
TINY = {"hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 11, "num_attention_heads": 4,
        "num_key_value_heads": 2, "vocab_size": 300, "tie_word_embeddings": False}  # fmt: skip
LORA = {
    "lora_r": 8,
    "lora_alpha": 8,
    "lora_target_modules": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
}


def with_lora(value: dict, config: dict, dtype=None, **more):
    """A random model of that config.json, with PEFT's LoRA as Axolotl asks for it."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoConfig, AutoModelForCausalLM

    made = AutoModelForCausalLM.from_config(AutoConfig.for_model(**value), dtype=dtype or torch.float32, **more)
    options = {
        "r": config["lora_r"],
        "lora_alpha": config["lora_alpha"],
        "lora_dropout": config.get("lora_dropout", 0.0),
    }
    lora = LoraConfig(**options, target_modules=list(config["lora_target_modules"]), task_type="CAUSAL_LM")
    return get_peft_model(made, lora)


@pytest.mark.parametrize("chosen", ["gpu", "cpu"])
@pytest.mark.parametrize("name", adapter.names())
def test_parameters_and_tensors_are_peft_s(name, chosen):
    from peft import get_peft_model_state_dict

    config = profile.resolve(name, chosen)
    file = architecture.file_of(config)
    if not file.exists():
        pytest.skip("the embedded base is not made here (make base)")
    value, planned = json.loads(file.read_text()), architecture.of(config)
    dtype = torch.bfloat16 if config.get("bf16") else torch.float32
    with torch.device("meta"):
        model = with_lora({key: value[key] for key in value if key not in ("dtype", "architectures")}, config, dtype)
    learned = [each for each in model.parameters() if each.requires_grad]
    assert adapterfile.trainable(planned, config) == sum(each.numel() for each in learned)
    assert planned.parameters == sum(each.numel() for each in model.parameters()) - sum(
        each.numel() for each in learned
    )
    assert {each.dtype for each in learned} == {torch.float32} and adapterfile.width(config) == 4
    saved = {key: list(each.shape) for key, each in get_peft_model_state_dict(model).items()}
    assert adapterfile.tensors(planned, config) == saved


@pytest.mark.parametrize("kind", ["llama", "qwen2"])
@pytest.mark.parametrize("config", [LORA, LORA | {"lora_r": 3, "lora_target_modules": ["q_proj", "down_proj"]},
                                    LORA | {"bf16": True, "peft_autocast_adapter_dtype": False}])  # fmt: skip
def test_file_bytes_are_those_that_peft_writes(kind, config, tmp_path):
    value = TINY | {"model_type": kind}
    model = with_lora(value, config)
    if adapterfile.width(config) == 2:
        model = model.to(torch.bfloat16)
    model.save_pretrained(tmp_path)
    written = (tmp_path / "adapter_model.safetensors").stat().st_size
    assert adapterfile.file_bytes(architecture.parse(value), config) == written


def test_file_bytes_of_every_run_here():
    seen = 0
    for file in ROOT.glob("outputs/*/*/manifest.json"):
        written = json.loads(file.read_text())
        if written.get("kind") == "adapter" and written["adapter"] in adapter.names():
            planned = architecture.of(written["config"])
            assert (
                adapterfile.file_bytes(planned, written["config"])
                == (file.parent / "adapter_model.safetensors").stat().st_size
            )
            seen += 1
    if not seen:
        pytest.skip("no run here yet")


def test_steps_and_tokens_of_every_run_here():
    """Each step of a complete run over the data that is here: tokens, trained tokens and slots, as Axolotl did them."""
    seen = 0
    for file in ROOT.glob("outputs/*/*/manifest.json"):
        written = json.loads(file.read_text())
        name, config = written.get("adapter", ""), written.get("config", {})
        if written.get("kind") != "adapter" or name not in adapter.names() or "batch_tokens" not in config:
            continue
        from scripts.files import sha256

        if any(
            not (ROOT / each["path"]).exists() or sha256(ROOT / each["path"]) != each["sha256"]
            for each in written["data"]["files"]
        ):
            continue
        done = merged(file.parent / "progress.jsonl")
        if any(each.get("resumed") for each in done):
            continue
        found = steps.plan(config, tokens.measure(name, config))
        last = done[-1]
        assert (found.steps, found.tokens, found.trained, found.slots) == (
            last["step"],
            last["tokens"],
            last["trained"],
            last["slots"],
        )
        seen += 1
    if not seen:
        pytest.skip("no run over the data that is here")


@pytest.mark.parametrize("name", adapter.names())
def test_hardly_any_padding_is_computed_on_a_cpu(name):
    """A row's batch is padded, its layers are not: the plugin keeps what the loss needs and a few positions more."""
    from scripts.run.cpu_step import needed

    config = profile.resolve(name, "cpu")
    lengths, _, _ = steps.taken(config, tokens.measure(name, config))
    first = steps.epoch(config, lengths, 0)
    computed = padding = 0
    for batch in steps.run(config, lengths, first, config["max_steps"], 1):
        ends = torch.tensor([[lengths[row]] for row in batch])
        place = torch.arange(steps.slots(config, [lengths[row] for row in batch]) // len(batch))
        # The template's last tokens are the end of the turn, the last that is trained, and a newline.
        kept = needed(place == ends - 3, torch.ones(len(batch), len(place), dtype=torch.bool))
        computed += int(kept.sum())
        padding += int((kept & (place >= ends)).sum())
    assert padding < 0.01 * computed
    assert padding or len({*lengths}) == 1  # rows that are not built yet have their mean length each


@pytest.mark.parametrize(
    "attention, half, cast, dropout",
    [
        ("sdpa", False, False, 0.0),
        ("eager", False, False, 0.0),
        ("eager", False, True, 0.0),
        ("sdpa", True, True, 0.0),
        ("sdpa", True, True, 0.05),
    ],
)
def test_activations_are_what_autograd_keeps(attention, half, cast, dropout, monkeypatch):
    """Bytes of the tensors that the forward pass of nine blocks saves, each storage once; within 2 %.

    With dropout within 5 %: the first block's inputs need no gradient, so its masks for q, k and v are not kept.
    """
    monkeypatch.setattr(memory, "cpu_has_bf16", lambda: True)
    value = TINY | {"model_type": "llama", "num_hidden_layers": 9, "hidden_size": 192, "intermediate_size": 512,
                    "num_attention_heads": 6}  # fmt: skip
    config = LORA | {"attn_implementation": attention, "lora_dropout": dropout, "bf16": half}
    config["plugins"] = ["scripts.run.cpu_step.CpuStep"] if cast and not half else []
    model = with_lora(value, config, torch.bfloat16 if half else torch.float32, attn_implementation=attention).train()
    inner = model.get_base_model().model
    if config["plugins"]:
        from scripts.run import cpu_layer, cpu_step

        trained = torch.ones(8, 50, dtype=torch.bool)
        run = partial(cpu_step.unpadded, inner, cpu_layer.halves(inner, torch.bfloat16), trained=trained)
    else:
        run = partial(inner, use_cache=False)
    rows, length = 8, 50
    measured = kept_by_autograd(model, run, rows, length, cast)
    planned = architecture.parse(value)
    shape = Steps("", 1, 1.0, 0, 0, 0, rows, 0, rows * length, frozenset({(rows * length, length)}), 0, True)
    expected = memory.activations(planned, config, shape, cuda=False)
    assert measured == pytest.approx(expected, rel=0.05 if dropout else 0.02)


def kept_by_autograd(model, run, rows: int, length: int, cast: bool) -> int:
    """Bytes of what the forward pass `run` saves for backward, without the model's own weights."""
    own = {each.untyped_storage().data_ptr() for each in [*model.parameters(), *model.buffers()]}
    held = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            held[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    tokens_in = torch.randint(5, 299, (rows, length))
    mask = torch.ones_like(tokens_in)
    mask[0, -1] = 0
    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda each: each),
        torch.autocast("cpu", torch.bfloat16, enabled=cast),
    ):
        run(input_ids=tokens_in, attention_mask=mask)
    return sum(size for size, _ in held.values())


@pytest.mark.slow
def test_tokens_are_axolotl_s():
    """Axolotl's own strategy on 300 rows of each adapter: length and trained tokens of every row."""
    from axolotl.prompt_strategies.chat_template import load
    from axolotl.utils.dict import DictDefault
    from transformers import AutoTokenizer

    from scripts.run.token_batches import shortened

    for name in adapter.names():
        config = profile.resolve(name, "cpu")
        file = ROOT / config["datasets"][0]["path"]
        folder = profile.base_folder(config)
        if not file.exists() or not (folder / "tokenizer.json").exists():
            pytest.skip("data or base is not made here")
        template = (ROOT / config["chat_template_jinja"]).read_text()
        own = AutoTokenizer.from_pretrained(folder)
        own.chat_template = template
        strategy = load(
            own, DictDefault(config | {"chat_template_jinja": template}), ds_cfg=DictDefault(config["datasets"][0])
        )
        rows = [json.loads(line) for line in file.read_text().splitlines()[:300]]
        made = [strategy.tokenize_prompt(dict(row)) for row in rows]
        lengths, trained = tokens.count(
            [row["messages"] for row in rows], template, config["special_tokens"], folder / "tokenizer.json"
        )
        assert lengths == [len(each["input_ids"]) for each in made]
        assert trained == [sum(label != -100 for label in each["labels"]) for each in made]
        often = 3
        keep = repeated.decided(Counter(repeated.ending(each["labels"])[0] for each in made), often)
        cut = shortened({name: [each[name] for each in made] for name in ("input_ids", "labels")}, keep)
        lengths, trained = tokens.count(
            [row["messages"] for row in rows], template, config["special_tokens"], folder / "tokenizer.json", often
        )
        assert lengths == [len(each) for each in cut["input_ids"]]
        assert trained == [sum(label != -100 for label in each) for each in cut["labels"]]


@pytest.mark.slow
def test_packing_is_axolotl_s():
    """The same bins as Axolotl's own packer over the same order."""
    import numpy as np
    from axolotl.utils.samplers.multipack import pack_group

    lengths = np.random.default_rng(1).integers(20, 600, 3000)
    theirs = pack_group(lengths, 0, 2048, len(lengths), 200, True)
    assert steps.packed(range(len(lengths)), lengths.tolist(), 2048, 200) == [list(each) for each in theirs]
