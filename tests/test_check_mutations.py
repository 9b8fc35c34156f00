"""Valid configs broken in twenty-four ways: refused with a place, without a traceback, with the right suggestion."""

import random
import statistics
import time
from pathlib import Path

import made_configs
import pytest
import yaml

from scripts import check
from scripts.paths import CONFIGS

FILE = CONFIGS / "kpi.yml"


def problems_of(text: str, file: Path = FILE):
    return check.looked(text, file, "adapter")[1]


def mutated(count: int, seed: int):
    """`count` broken configs: (kind of mutation, text, the key that was meant or '')."""
    rng = random.Random(seed)
    made = made_configs.accepted(rng, "adapter")
    texts = list(made_configs.VALID.values()) + [yaml.safe_dump(next(made), sort_keys=False) for _ in range(40)]
    for number in range(count):
        kind = list(made_configs.MUTATIONS)[number % len(made_configs.MUTATIONS)]
        lines, meant = made_configs.MUTATIONS[kind](rng.choice(texts).splitlines(), rng)
        yield kind, "\n".join(lines) + "\n", meant


def look(count: int, seed: int) -> dict:
    """What became of the mutations: how many passed, had no place, were suggested rightly, and the time each took."""
    passed, placeless, right, typos, spent = [], [], 0, 0, []
    for kind, text, meant in mutated(count, seed):
        start = time.perf_counter()
        found = problems_of(text)
        spent.append(time.perf_counter() - start)
        if not found:
            passed.append((kind, text))
        placeless += [str(each) for each in found if not (each.line and each.col)]
        if meant:
            typos += 1
            right += any(f"did you mean '{meant}'" in each.hint for each in found)
    return {
        "passed": passed,
        "placeless": placeless,
        "share": right / typos,
        "typos": typos,
        "median": statistics.median(spent),
    }


def test_the_configs_that_are_broken_are_valid_before():
    for text in made_configs.VALID.values():
        assert problems_of(text) == []


def test_every_kind_of_mutation_is_refused():
    seen = look(40 * len(made_configs.MUTATIONS), seed=1)
    assert seen["passed"] == [] and seen["placeless"] == []
    assert seen["share"] >= 0.95, seen["share"]
    assert seen["median"] < 0.05


@pytest.mark.slow
def test_six_thousand_mutations():
    assert len(made_configs.MUTATIONS) >= 20
    seen = look(6_000, seed=2)
    print({key: value for key, value in seen.items() if key not in ("passed", "placeless")})
    assert seen["passed"] == [] and seen["placeless"] == []
    assert seen["share"] >= 0.95, seen["share"]
    assert seen["median"] < 0.05
