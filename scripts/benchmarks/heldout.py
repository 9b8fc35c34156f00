"""One loss after each training, over rows that none of them saw: whether what is faster has learned as much."""

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from scripts.benchmarks import machine
from scripts.files import write_lines

HELD = 64
#: How far apart two of these losses may be where two ways learned the same.
APART = 0.005


def aside(lines: Sequence[str], target: Path, count: int | None = None) -> list[list[dict]]:
    """Writes `count` rows at random, or all, to train on; the conversations kept from them, the same ones each time."""
    drawn = random.Random(0).sample(lines, len(lines))
    held = min(HELD, len(lines) // 8)
    write_lines(target, drawn[held:][:count])
    return [json.loads(line)["messages"] for line in drawn[:held]]


def losses(base: Path, ways: Mapping[str, tuple[Path, Path]], rows: Sequence[list[dict]]) -> dict[str, float]:
    """Of each way's adapter over the base, under the chat template that it was trained with (a file)."""
    where = machine.device()
    dtype = torch.bfloat16 if where == "cuda" else torch.float32
    model, found = AutoModelForCausalLM.from_pretrained(base, dtype=dtype, device_map=where), {}
    for label, (run, template) in ways.items():
        tokenizer = AutoTokenizer.from_pretrained(base)
        tokenizer.chat_template = template.read_text(encoding="utf-8")
        tuned = PeftModel.from_pretrained(model, run).eval()
        found[label] = round(loss(tuned, tokenizer, rows), 4)
        model = tuned.unload()
    return found


@torch.inference_mode()
def loss(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: Sequence[list[dict]]) -> float:
    """The mean over all tokens of each row's last answer, its end included."""
    total, count = 0.0, 0
    for messages in rows:
        asked = tokenizer.apply_chat_template(messages[:-1], add_generation_prompt=True, return_dict=False)
        whole = tokenizer.apply_chat_template(messages, return_dict=False)
        end = len(whole) - whole[::-1].index(tokenizer.eos_token_id)  # a newline after it is not trained
        ids = torch.tensor([whole[:end]], device=model.device)
        logits = model(input_ids=ids).logits[0, len(asked) - 1 : -1].float()
        answer = ids[0, len(asked) :]
        total += float(torch.nn.functional.cross_entropy(logits, answer, reduction="sum"))
        count += len(answer)
    return total / count
