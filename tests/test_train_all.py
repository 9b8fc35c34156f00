"""make train-all: every adapter, in turn or on Ray; one that fails is told and does not stop the others."""

import os
import time
from pathlib import Path

import pytest

from scripts import train_all
from scripts.errors import UserError


@pytest.fixture
def trained(monkeypatch) -> list[str]:
    """Names in the order in which they were trained; kpi fails."""
    called: list[str] = []

    def train(name, chosen, threads, told=True):
        called.append(name)
        return int(name == "kpi"), 1.0, ""

    monkeypatch.setattr(train_all, "train", train)
    monkeypatch.setattr(train_all.importlib.util, "find_spec", lambda name: None)
    return called


def test_all_are_trained_though_one_fails(trained: list[str], capsys):
    assert train_all.main(["--profile", "cpu"]) == 1
    told = capsys.readouterr().out
    assert set(trained) == set(train_all.adapter.names()) and len(trained) > 2
    assert "failed in 1 s" in told and told.count("done in 1 s") == len(trained) - 1
    assert "next: make train ADAPTER=kpi" in told and "one after the other" in told


def test_only_those_that_are_named(trained: list[str], capsys):
    assert train_all.main(["--adapter", "unimed, schema,unimed", "--profile", "cpu"]) == 0
    assert trained == ["unimed-attendant", "schema"]


def test_an_unknown_name_stops_before_anything(trained: list[str]):
    with pytest.raises(UserError, match="there is no adapter 'shema'"):
        train_all.main(["--adapter", "kpi,shema"])
    assert trained == []


@pytest.mark.slow
def test_two_workers_of_a_local_ray_run_at_the_same_time(monkeypatch, tmp_path, capsys):
    """Real Ray, two tasks that each wait for the other's mark: one after the other they would never end."""
    pytest.importorskip("ray", reason="ray is an extra: requirements/gpu.txt")
    monkeypatch.setenv("MARKS", str(tmp_path))
    monkeypatch.setattr(train_all, "train", meet)
    # Ray's workers import what they run by its name.
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
    results = train_all.on_ray(["kpi", "schema"], "cpu")
    assert {name: code for name, (code, _) in results.items()} == {"kpi": 0, "schema": 0}
    assert "met" in capsys.readouterr().out


def meet(name, chosen, threads, told=True):
    """Leaves a mark and waits for the second one."""
    folder = Path(os.environ["MARKS"])
    (folder / name).touch()
    until = time.monotonic() + 60
    while len(list(folder.iterdir())) < 2 and time.monotonic() < until:
        time.sleep(0.1)
    return int(len(list(folder.iterdir())) < 2), 1.0, "met"
