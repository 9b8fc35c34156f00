"""Small bases of the production classes: Qwen2 and Llama-3, a few layers of random weights, real special tokens.

Not mocks: the tokenizer is byte-level BPE with the splitting, normalising and added tokens of the real one, its own
chat template behaves as the real one does (Qwen's injects a system prompt, Llama's knows no tool call), and the model
is the class that the production base loads as. Only sizes and the ids of the tokens are small.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import yaml

from scripts.files import sha256, write_json
from scripts.model import base
from scripts.paths import CODE

#: Each as long as a tokenizer of a few hundred merges needs; Portuguese, digits and JSON, as the rows are.
CORPUS = [
    "Olá! Bem-vindo ao atendimento Unimed Natal. Como posso ajudá-lo?",
    "Para consultar seu contrato, preciso do seu CPF e da sua data de nascimento.",
    'system user assistant {"name": "unimed_consult", "arguments": {"cpf": "12345678901"}} data_nascimento 19850615',
    "SELECT COUNT(*) FROM beneficiario WHERE situacao = 'ativo'; A sinistralidade de 2024 foi 82,4 %.",
]
QWEN_SPLIT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
QWEN_SPLIT += r"|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA_SPLIT = QWEN_SPLIT.replace(r"\p{N}|", r"\p{N}{1,3}|", 1)
QWEN_TEMPLATE = (
    "{% if messages[0].role != 'system' %}<|im_start|>system\n"
    "You are Qwen, created by Alibaba Cloud.<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n"
    "{{ m.content | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)


@dataclass(frozen=True)
class Family:
    """What distinguishes a production base from another, sizes apart."""

    name: str
    special: tuple[str, ...]
    added: tuple[str, ...]  # single tokens that are no special ones
    split: str
    template: str
    bos: str | None
    eos: str


QWEN = Family(
    name="qwen2-small",
    special=("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
    added=("<tool_call>", "</tool_call>"),
    split=QWEN_SPLIT,
    template=QWEN_TEMPLATE,
    bos=None,
    eos="<|im_end|>",
)
LLAMA = Family(
    name="llama3-small",
    special=(
        "<|begin_of_text|>",
        "<|end_of_text|>",
        "<|start_header_id|>",
        "<|end_header_id|>",
        "<|eom_id|>",
        "<|eot_id|>",
    ),
    added=(),
    split=LLAMA_SPLIT,
    template=LLAMA_TEMPLATE,
    bos="<|begin_of_text|>",
    eos="<|eot_id|>",
)
#: The small base of each production one.
OF = {"Qwen/Qwen2.5-32B-Instruct": QWEN, "meta-llama/Meta-Llama-3-8B-Instruct": LLAMA}


def tokenizer(family: Family):
    """A fast tokenizer, trained on the corpus; Llama's adds its first token to every text, as the real one does."""
    from tokenizers import (
        AddedToken,
        Regex,
        Tokenizer,
        decoders,
        models,
        normalizers,
        pre_tokenizers,
        processors,
        trainers,
    )
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.normalizer = normalizers.NFC() if family is QWEN else None
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(family.split), "isolated"), byte_level])
    made.decoder = decoders.ByteLevel()
    letters = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=700, initial_alphabet=letters, show_progress=False))
    made.add_special_tokens([AddedToken(each, special=True, normalized=False) for each in family.special])
    made.add_tokens([AddedToken(each, normalized=False) for each in family.added])
    if family.bos:
        first = (family.bos, made.token_to_id(family.bos))
        made.post_processor = processors.TemplateProcessing(single=f"{family.bos} $A", special_tokens=[first])
    fast = PreTrainedTokenizerFast(tokenizer_object=made, bos_token=family.bos, eos_token=family.eos)
    fast.chat_template = family.template
    fast.model_max_length = 32_768
    return fast


def model(family: Family, vocabulary: int, seed: int = 0):
    """Two layers of the production class with grouped attention and an output layer of its own, in fp32."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(seed)
    sizes = {"vocab_size": vocabulary, "hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 32_768}
    config, kind = (Qwen2Config, Qwen2ForCausalLM) if family is QWEN else (LlamaConfig, LlamaForCausalLM)
    return kind(config(**sizes, **heads, tie_word_embeddings=False))


def make(family: Family, target: Path, seed: int = 0) -> Path:
    """A base folder as `make base` leaves one: model, tokenizer, template, base.json with its hashes."""
    target.mkdir(parents=True)
    fast = tokenizer(family)
    made = model(family, len(fast), seed)
    # Random weights hardly ever say what ends a turn: every fourth token does, so that answers are short.
    made.generation_config.eos_token_id = sorted({fast.eos_token_id, *range(0, len(fast), 4)})
    made.save_pretrained(target)
    fast.save_pretrained(target)
    write_json(target / "base.json", {"name": family.name, "sha256": base.measured(target)})
    return target


#: What the suite of each adapter asks: of two lengths, so that a batch is padded.
ASKED = ("oi", "quais planos existem, e o que cada um deles cobre?")
#: What a CPU lacks, and nothing else: the rest of a production config stays as it is.
CPU = {"bf16": False, "tf32": False, "lora_mlp_kernel": False, "lora_qkv_kernel": False, "lora_o_kernel": False}


def checkout(root: Path, names: tuple[str, ...], **changes: object) -> Path:
    """A checkout with the production configs of these adapters, small rows and suites, a profile `small` of 3 steps.

    The base stays the one of the YAML: its name is a folder here, and transformers, told in this checkout to load
    `Qwen/Qwen2.5-32B-Instruct`, looks for such a folder before it asks the Hub.
    """
    for name in ("configs", "schemas"):
        shutil.copytree(CODE / name, root / name)
    for file in [
        *(root / "configs").glob("*.yml"),
        *(root / "configs").glob("s*/*.*"),
        *(root / "configs/profiles").glob("*"),
    ]:
        if file.parent.name != "configs" or file.stem not in names:
            file.unlink()
    config = yaml.safe_load((root / "configs" / f"{names[0]}.yml").read_text(encoding="utf-8"))
    make(OF[config["base_model"]], root / config["base_model"])
    steps = {"max_steps": 3, "save_steps": 1, "save_total_limit": 3}
    (root / "configs/profiles/small.yml").write_text(yaml.safe_dump({**CPU, **steps, **changes}), encoding="utf-8")
    for name in names:
        folder = root / "datasets" / name
        folder.mkdir(parents=True)
        shutil.copyfile(CODE / "datasets/unimed-attendant/tools.json", folder / "tools.json")
        (folder / "train.jsonl").write_text("".join(rows(name)), encoding="utf-8")
        suite = {"adapter": name, "rows": f"configs/suites/{name}.jsonl"}
        suite["metrics"] = [{"name": "quiet", "metric": "no_call"}]
        (root / f"configs/suites/{name}.yml").write_text(yaml.safe_dump(suite), encoding="utf-8")
        asked = [{"messages": [{"role": "user", "content": text}], "expect": {"no_call": True}} for text in ASKED]
        (root / suite["rows"]).write_text("".join(json.dumps(each) + "\n" for each in asked), encoding="utf-8")
    return root


def rows(name: str, count: int = 64) -> list[str]:
    """Rows of the kinds that the adapters have: plain turns, a tool call, its result and the answer after it."""
    made = []
    for number in range(count):
        cpf = f"{12345678910 + number}"  # none passes the check digits
        messages = [
            {"role": "user", "content": f"{name}: qual é o número {number}?"},
            {"role": "assistant", "content": f"É {number * 7}."},
        ]
        if number % 2:
            arguments = json.dumps({"cpf": cpf, "data_nascimento": "19850615"})
            call = {"type": "function", "function": {"name": "unimed_consult", "arguments": arguments}}
            messages += [
                {"role": "user", "content": f"meu cpf é {cpf} e nasci em 15/06/1985"},
                {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "content": '{"plano": "Prata"}'},
                {"role": "assistant", "content": "Seu plano é o Prata."},
            ]
        made.append(
            json.dumps({"messages": messages, "kind": "consulta" if number % 2 else "numero"}, ensure_ascii=False)
            + "\n"
        )
    return made


def hub_run(root: Path, name: str) -> Path:
    """outputs/<base>/<name>/ as a training on a base of the Hub leaves it: that base is only named, by the manifest.

    The name is the folder root/hub/<base>, which transformers takes where it would take one of the Hub.
    """
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    config = yaml.safe_load((CODE / "configs" / f"{name}.yml").read_text(encoding="utf-8"))
    family = OF[config["base_model"]]
    hub, run = root / "hub" / family.name, root / "outputs" / family.name / name
    if not hub.exists():
        make(family, hub)
    torch.manual_seed(len(name))
    options = {"r": config["lora_r"], "lora_alpha": config["lora_alpha"], "task_type": "CAUSAL_LM"}
    lora = LoraConfig(target_modules=config["lora_target_modules"], init_lora_weights=False, **options)
    get_peft_model(AutoModelForCausalLM.from_pretrained(hub), lora).save_pretrained(run)
    fast = tokenizer(family)
    fast.add_special_tokens(config["special_tokens"])
    fast.chat_template = (CODE / config["chat_template_jinja"]).read_text(encoding="utf-8")
    fast.save_pretrained(run)
    if (tools := CODE / "datasets" / name / "tools.json").exists():
        shutil.copyfile(tools, run / "tools.json")
    config["base_model"] = str(hub)
    (run / "config.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    template = {"chat_template.jinja": sha256(run / "chat_template.jinja")}
    named = {"name": str(hub), "revision": config["revision_of_model"], "sha256": template}
    facts = {"kind": "adapter", "base": named, "weights": sha256(run / "adapter_model.safetensors")}
    write_json(run / "manifest.json", facts)
    return run
