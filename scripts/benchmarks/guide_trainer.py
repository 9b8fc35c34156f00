"""The guide's section 3.2 as a baseline: transformers' plain Trainer, one pass over the rows.

Changed is only what keeps it from running as written: rows are rendered and tokenised (it passes them raw), fp16 and
4 bits are left to a GPU, arguments that transformers has renamed have their new names, and no checkpoint is saved.
Run as: python -m scripts.benchmarks.guide_trainer BASE ROWS TEMPLATE OUT ADAPTER
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from peft import LoraConfig, TaskType, get_peft_model, prepare_model_for_kbit_training
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    DataCollatorForLanguageModeling,
    Trainer,
    TrainingArguments,
)

from datasets import load_dataset
from scripts.files import write_json

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
LORA = LoraConfig(
    r=32, lora_alpha=64, target_modules=TARGETS, lora_dropout=0.05, bias="none", task_type=TaskType.CAUSAL_LM
)


def main(argv: Sequence[str]) -> None:
    """Trains; writes seconds, tokens and slots, and the adapter."""
    base, rows, template, out, adapter = argv
    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.chat_template = Path(template).read_text(encoding="utf-8")
    model = get_peft_model(loaded(base), LORA)
    data = load_dataset("json", data_files=rows, split="train")
    texts = data.map(
        lambda row: {"input_ids": tokenizer.apply_chat_template(row["messages"], return_dict=False)},
        remove_columns=data.column_names,
    )
    meter = Meter(DataCollatorForLanguageModeling(tokenizer, mlm=False))
    trainer = Trainer(model=model, args=settings(out), train_dataset=texts, data_collator=meter)
    began = time.monotonic()
    done = trainer.train()
    seconds = round(time.monotonic() - began, 2)
    model.save_pretrained(adapter)
    padding = round(1 - meter.tokens / meter.slots, 4)
    counted = {"tokens": meter.tokens, "slots": meter.slots, "seconds": seconds, "padding": padding}
    write_json(Path(out), counted | {"steps": done.global_step, "loss": done.training_loss})


def loaded(base: str):
    """The base as the guide loads it on a GPU, in fp32 where there is none."""
    if not torch.cuda.is_available():
        return AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    bits = BitsAndBytesConfig(load_in_4bit=True)
    model = AutoModelForCausalLM.from_pretrained(
        base, quantization_config=bits, device_map="auto", dtype=torch.bfloat16
    )
    return prepare_model_for_kbit_training(model)


def settings(out: str) -> TrainingArguments:
    """The guide's arguments, for one pass."""
    return TrainingArguments(
        output_dir=f"{out}.folder",
        num_train_epochs=1,
        per_device_train_batch_size=4,
        gradient_accumulation_steps=4,
        warmup_steps=0.03,
        learning_rate=2e-4,
        fp16=torch.cuda.is_available(),
        logging_steps=10,
        save_strategy="no",
        report_to=[],
    )


class Meter:
    """A collator that counts what passes through it."""

    def __init__(self, collate):
        self.collate, self.tokens, self.slots = collate, 0, 0

    def __call__(self, rows: list[dict]) -> dict:
        """The batch, counted: tokens of the rows, and slots with padding."""
        batch = self.collate(rows)
        self.tokens += sum(len(row["input_ids"]) for row in rows)
        self.slots += batch["input_ids"].numel()
        return batch


if __name__ == "__main__":
    main(sys.argv[1:])
