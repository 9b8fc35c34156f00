"""Every hash of a run recomputed: the run itself, the base under it, and what it was made from.

Reads files only; no torch. Three answers to each: the same, other bytes, or not here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from scripts.config import profile
from scripts.files import sha256
from scripts.paths import ROOT, shown
from scripts.run import manifest
from scripts.score import evaluated

INPUTS = ("config", "data", "base", "template", "versions", "code")


@dataclass(frozen=True)
class Check:
    """One hash: what it is of, as recorded, as it is now (empty: not here)."""

    what: str
    path: str
    recorded: str
    now: str

    @property
    def right(self) -> bool:
        """Whether the bytes are the recorded ones."""
        return bool(self.now) and self.recorded == self.now

    def __str__(self) -> str:
        verdict = "ok" if self.right else "CHANGED" if self.now else "NOT HERE"
        return f"{verdict:<8}  {self.what:<11}  {self.recorded[:16]:<16}  {self.path}"


def checks(run: Path) -> Iterator[Check]:
    """Every hash that the run's manifest records, recomputed."""
    written = manifest.read(run)
    by_kind = {"stack": stack_checks, "merged": merged_checks}
    yield from by_kind.get(written.get("kind", ""), adapter_checks)(run, written)
    yield from base_checks(run, written)
    yield from figure_checks(run, written)


def of(what: str, path: Path, recorded: str) -> Check:
    """The check of one file."""
    return Check(what, shown(path), recorded, sha256(path) if path.is_file() else "")


def adapter_checks(run: Path, written: dict) -> Iterator[Check]:
    """Weights, what is beside them, resolved config, fingerprint, and the data, template and code of the training."""
    yield of("weights", run / "adapter_model.safetensors", written["weights"])
    for name, recorded in written.get("files", {}).items():
        yield of("file", run / name, recorded)
    again = manifest.fingerprint({key: written[key] for key in INPUTS})
    yield Check("fingerprint", shown(run / manifest.NAME), written["fingerprint"], again)
    yield config_check(run, written)
    for each in written["data"]["files"]:
        yield of("data", ROOT / each["path"], each["sha256"])
    yield of("template", ROOT / written["config"]["chat_template_jinja"], written["template"])
    yield of("template", run / "chat_template.jinja", written["template"])
    for name, recorded in written["code"].items():
        yield of("code", manifest.SCRIPTS / name, recorded)


def config_check(run: Path, written: dict) -> Check:
    """config.yml says what the manifest says: both are hashed as canonical JSON."""
    file = run / "config.yml"
    try:
        now = manifest.fingerprint(yaml.safe_load(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, yaml.YAMLError):
        now = ""
    return Check("config", shown(file), manifest.fingerprint(written["config"]), now)


def stack_checks(run: Path, written: dict) -> Iterator[Check]:
    """The sum's weights, and those of its members as they were summed."""
    yield of("weights", run / "adapter_model.safetensors", written["weights"])
    for member in written["members"]:
        yield of("member", run.parent / member["adapter"] / "adapter_model.safetensors", member["weights"])


def merged_checks(run: Path, written: dict) -> Iterator[Check]:
    """Every shard of the merged model, and the adapter that is in it."""
    for name, recorded in written["weights"].items():
        yield of("weights", run / name, recorded)
    source = written["of"]
    yield of("adapter", run.parent / source["name"] / "adapter_model.safetensors", source["weights"])


def base_checks(run: Path, written: dict) -> Iterator[Check]:
    """The base's identity files. Of a base from the Hub only our template is here; its commit is in the manifest."""
    local = run.parent / "base"
    for name, recorded in written["base"]["sha256"].items():
        if local.exists():
            yield of("base", local / name, recorded)
        elif name == "chat_template.jinja" and "config" in written:
            yield of("base", ROOT / written["config"]["chat_template_jinja"], recorded)


def figure_checks(run: Path, written: dict) -> Iterator[Check]:
    """The figures are those that `make eval` wrote, of these weights; nothing where it was not asked."""
    if note := evaluated.read(run):
        yield of("figures", run / "eval" / "metrics.json", note["metrics"])
        yield Check("figures", shown(run / "eval" / "of.json"), written["weights"], note["weights"])


def version_notes(written: dict) -> list[str]:
    """Packages of another version here than trained: no hash, but made again the run would differ in its last bits."""
    here = manifest.versions()
    trained = written.get("versions", {})
    return [
        f"{name} {version} trained it, {here.get(name, 'none')} is here"
        for name, version in trained.items()
        if here.get(name) != version
    ]


def runs() -> list[Path]:
    """Every finished run in outputs/."""
    return sorted(each.parent for each in profile.OUTPUTS.glob("*/*/manifest.json"))
