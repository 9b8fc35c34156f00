"""Answers in batches, as evaluation asks them, against transformers' generate of the same model, one by one."""

import time
from collections.abc import Sequence

import torch

from scripts.model.generate import BASE, Generator, of_run
from scripts.run import manifest, ready
from scripts.score import suite

MOST = 96


def measure(name: str, grid: int, single: int) -> dict:
    """Tokens/s of both ways on held-out rows, and how many answers are the same to the token."""
    generator, who = model_of(name)
    rows = [row["messages"] for each in suite.of(name) if each.adapter for row in suite.rows_of(each)][:grid]
    rows = rows or [[{"role": "user", "content": f"Pergunta {n}: como funciona o plano?"}] for n in range(grid)]
    print(f"evaluation: {len(rows)} answers in batches, {min(single, len(rows))} one by one", flush=True)
    began = time.monotonic()
    batched = generator.answers(rows, who, most=MOST)
    batched_seconds = time.monotonic() - began
    began = time.monotonic()
    alone = one_by_one(generator, who, rows[:single])
    alone_seconds = time.monotonic() - began
    return figures(generator, batched, batched_seconds, alone, alone_seconds) | {"model": who}


def model_of(name: str) -> tuple[Generator, str]:
    """The adapter where it is trained, else the embedded base alone: a GPU's own may have no weights here."""
    from scripts.config import profile

    run = profile.run_folder(name)
    return (of_run(run), run.name) if manifest.read(run) else (Generator(ready.base_folder("cpu")), BASE)


@torch.inference_mode()
def one_by_one(generator: Generator, who: str, rows: Sequence[list[dict]]) -> list[str]:
    """Greedy answers, each alone."""
    told = []
    with generator.using([who]):
        for messages in rows:
            ids = torch.tensor([generator.prompt(messages)], device=generator.model.device)
            options = {"max_new_tokens": MOST, "do_sample": False, "pad_token_id": generator.tokenizer.pad_token_id}
            mask = torch.ones_like(ids)
            out = generator.model.generate(
                input_ids=ids, attention_mask=mask, eos_token_id=list(generator.ends), **options
            )
            told.append(generator.tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True))
    return told


def figures(
    generator: Generator, batched: list[str], batched_seconds: float, alone: list[str], alone_seconds: float
) -> dict:
    """Both speeds, in new tokens a second, and their ratio."""
    count = lambda texts: sum(len(generator.tokenizer.encode(text)) + 1 for text in texts)  # noqa: E731
    fast, slow = count(batched) / batched_seconds, count(alone) / alone_seconds
    same = sum(one == other for one, other in zip(batched, alone, strict=False)) / max(len(alone), 1)
    told = {"batched_tokens_per_second": round(fast, 1), "one_by_one_tokens_per_second": round(slow, 1)}
    return told | {
        "times_faster": round(fast / slow, 2),
        "same_answers": round(same, 4),
        "n": len(batched),
        "n_alone": len(alone),
    }
