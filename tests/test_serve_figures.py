"""Serving figures on the embedded base with its trained adapters. Run as: pytest -m slow -s tests/test_serve_figures.py

Ratios are taken within one run, alternating what is compared; other load on the machine changes both sides.
"""

import os
import statistics
import time

import pytest
from serving import server

from scripts.benchmarks.serving import QUESTIONS, first_piece, first_tokens, tokens_per_second
from scripts.serve import catalog as catalogs
from scripts.serve.engine import Size

pytestmark = pytest.mark.slow
THREADS = int(os.environ.get("THREADS") or os.cpu_count() or 1)  # 1 where other work shares the cores


@pytest.fixture(scope="module")
def trained(base_folder):
    found = catalogs.of(base_folder.parent)
    if len(found.adapters) < 2:
        pytest.skip("fewer than two trained adapters: make train ADAPTER=…")
    return found


@pytest.fixture(scope="module")
def client(trained):
    with server(trained, Size(slots=8, context=1024, threads=THREADS)) as client:
        client.says("oi", max_tokens=4)
        yield client


def test_first_token_of_a_warm_short_chat(client, trained):
    seconds = [
        first_piece(client.url, m, f"{q} ({n})")
        for n in range(5)
        for q in QUESTIONS
        for m in ["base", *trained.adapters]
    ]
    print(f"\nfirst token: median {statistics.median(seconds):.3f} s, worst {max(seconds):.3f} s, n = {len(seconds)}")
    assert statistics.median(seconds) <= 0.3


def test_switching_against_loading_again(client, trained):
    """What a switch adds to the first token, against loading base and adapter with PEFT and with llama.cpp."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    other = list(trained.adapters)[1]
    same, switched = first_tokens(client.url, list(trained.adapters)[:2], 12)
    started = time.perf_counter()
    model = AutoModelForCausalLM.from_pretrained(trained.base, dtype=torch.float32)
    PeftModel.from_pretrained(model, trained.adapters[other])
    loading = time.perf_counter() - started
    started = time.perf_counter()
    with server(trained, Size(slots=1, context=1024, threads=THREADS)):
        engine = time.perf_counter() - started
    cost = max(statistics.median(switched) - statistics.median(same), 0.001)
    print(
        f"\nswitch: +{1000 * cost:.0f} ms; loading again: "
        f"PEFT {loading:.2f} s ({loading / cost:.0f}x), engine {engine:.2f} s"
    )
    assert loading >= 100 * cost


def test_mixed_adapters_against_one(client, trained):
    one = list(trained.adapters)[:1]
    mixes = {"all models": ["base", *trained.adapters], "adapters": list(trained.adapters)}
    tokens_per_second(client.url, one, turns=1)
    for name, mix in mixes.items():
        pairs = [(tokens_per_second(client.url, mix), tokens_per_second(client.url, one)) for _ in range(3)]
        ratio = statistics.median(mixed / alone for mixed, alone in pairs)
        print(f"\n{name}: " + ", ".join(f"{m:.0f}/{a:.0f}" for m, a in pairs) + f" tokens/s, median ratio {ratio:.2f}")
    assert ratio >= 0.5  # the aim is 0.9; llama.cpp decodes only slots of one adapter together


def test_there_and_back_equals_fresh_servers_token_for_token(trained):
    models = ["base", *trained.adapters]
    alone = {}
    for model in models:
        for question in QUESTIONS:
            with server(trained, Size(slots=1, context=1024, threads=THREADS)) as fresh:
                alone[model, question] = fresh.says(question, model, max_tokens=32)
    with server(trained, Size(slots=4, context=1024, threads=THREADS)) as client:
        order = [(m, q) for q in QUESTIONS for m in [*models, *models]]
        differing = [job for job in order if client.says(job[1], job[0], max_tokens=32) != alone[job]]
    print(f"\nA, B, A, B: {len(order) - len(differing)} of {len(order)} answers equal a fresh server's")
    assert not differing
