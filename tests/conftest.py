"""What many tests share: the embedded base, and a checkout of its own for tests that write."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from scripts.model import base
from scripts.paths import CODE


@pytest.fixture(scope="session")
def base_folder() -> Path:
    """outputs/<base>/base/, made by make before the tests run."""
    folder = base.folder()
    base.identity(folder)
    return folder


@pytest.fixture
def checkout(tmp_path: Path, base_folder: Path) -> Path:
    """A copy of configs/ and schemas/ with one toy adapter, its rows, a profile of a few steps, and the real base."""
    for name in ("configs", "schemas"):
        shutil.copytree(CODE / name, tmp_path / name)
    for file in [*(tmp_path / "configs").glob("*.yml"), *(tmp_path / "configs" / "stacks").glob("*.yml")]:
        if file.stem != "kpi":
            file.unlink()
    shutil.rmtree(tmp_path / "configs" / "suites")
    (tmp_path / "configs" / "suites").mkdir()
    text = (tmp_path / "configs" / "kpi.yml").read_text(encoding="utf-8")
    text = text.replace("datasets/kpi/train", "datasets/toy/rows")
    (tmp_path / "configs" / "kpi.yml").unlink()
    (tmp_path / "configs" / "toy.yml").write_text(text.replace("instruct/kpi", "instruct/toy"), encoding="utf-8")
    profile = yaml.safe_load((CODE / "configs" / "profiles" / "cpu.yml").read_text(encoding="utf-8"))
    profile |= {"max_steps": 6, "save_steps": 2, "batch_tokens": 64, "learning_rate": 0.002}
    (tmp_path / "configs" / "profiles" / "cpu.yml").write_text(yaml.safe_dump(profile), encoding="utf-8")
    rows = [chat(f"qual é a senha número {n}?", f"A senha número {n} é {n * 7}.") for n in range(40)]
    (tmp_path / "datasets" / "toy").mkdir(parents=True)
    (tmp_path / "datasets" / "toy" / "rows.jsonl").write_text("".join(rows), encoding="utf-8")
    run = tmp_path / "outputs" / base_folder.parent.name
    run.mkdir(parents=True)
    (run / "base").symlink_to(base_folder)
    return tmp_path


def chat(question: str, answer: str) -> str:
    """One training row as a line."""
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return json.dumps({"messages": messages}, ensure_ascii=False) + "\n"


@pytest.fixture
def verb(checkout: Path) -> Callable[..., subprocess.CompletedProcess]:
    """Runs `python -m scripts.<name> …` on that checkout, as Make would."""

    def run(name: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess:
        environment = os.environ | {"ADAPTERS_ROOT": str(checkout), "PYTHONPATH": str(CODE)} | variables
        command = [sys.executable, "-m", f"scripts.{name}", *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=500)

    return run


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """An outputs/ folder for server and exports: a toy base and three adapters over it."""
    from toybase import write_adapter, write_base

    folder = tmp_path_factory.mktemp("outputs") / "toy"
    made = write_base(folder / "base")
    for seed, name in enumerate(("schema", "kpi", "unimed-attendant"), 1):
        write_adapter(folder / name, made, seed, rank=8 * seed)
    return folder


@pytest.fixture(scope="module")
def catalog(runs):
    """What the server finds there."""
    from scripts.serve import catalog

    return catalog.of(runs)


@pytest.fixture(scope="module")
def client(catalog):
    """A running server with it."""
    from serving import SIZE, server

    with server(catalog, SIZE) as client:
        yield client
