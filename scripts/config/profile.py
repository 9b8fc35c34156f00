"""What Axolotl will read: an adapter's YAML with a profile laid over it, and where the run goes."""

from dataclasses import replace
from pathlib import Path

from scripts.config import adapter, schema
from scripts.config.yamlfile import Document
from scripts.errors import Problem, UserError, suggestion
from scripts.paths import OUTPUTS, PROFILES, ROOT, shown

#: Every run reports its progress; on a cluster, too.
PROGRESS = "scripts.run.progress.Progress"
DEVICES = Path("/dev")


def names() -> list[str]:
    """Every profile: the YAML files under configs/profiles/."""
    return sorted(path.stem for path in PROFILES.glob("*.yml"))


def cuda() -> bool:
    """Whether an NVIDIA device is here, without importing torch; a container's only one may be /dev/nvidia3."""
    return any(DEVICES.glob("nvidia[0-9]*")) or (DEVICES / "dxg").exists()


def choose(name: str = "") -> str:
    """The profile asked for, else `gpu` where there is a CUDA device and `cpu` where there is none."""
    if not name:
        return "gpu" if cuda() else "cpu"
    if name not in names():
        hint = suggestion(name, names())
        told = f"there is no profile {name!r}; there are: {', '.join(names())}"
        raise UserError(told + (f" ({hint})" if hint else ""))
    return name


def load(name: str) -> Document:
    """configs/profiles/<name>.yml; UserError where it does not fit its schema."""
    return schema.load(PROFILES / f"{name}.yml", "profile")


def overlay(config: dict, profile: dict) -> dict:
    """The config with the profile's keys in place of its own; a null removes the key."""
    merged = {**config, **profile}
    return {key: value for key, value in merged.items() if value is not None}


def problems(config: dict, name: str, document: Document) -> list[Problem]:
    """What is wrong with the config of adapter `name` under the profile of that document, at its place there."""
    found = [schema.located(document, each) for each in schema.findings(config, "run")]
    return [replace(each, message=f"with adapter {name}: {each.message}") for each in found]


def base_name(config: dict) -> str:
    """The folder under outputs/ for a base: `Qwen/Qwen2.5-32B-Instruct` is qwen2.5-32b-instruct."""
    base = Path(config["base_model"])
    return (base.parent.name if base.name == "base" else base.name).lower()


def base_folder(config: dict) -> Path | None:
    """Where a local base lies; None where it comes from the Hub."""
    path = ROOT / config["base_model"]
    return path if Path(config["base_model"]).parts[0] == "outputs" else None


def run_folder(name: str, profile: str = "") -> Path:
    """outputs/<base>/<adapter>/ for an adapter (or a stack) under a profile."""
    base = load(choose(profile)).value.get("base_model") or adapter.load(name)["base_model"]
    return OUTPUTS / base_name({"base_model": base}) / name


def work_folder(run: Path) -> Path:
    """Where a run is made, beside its place: checkpoints and log, until the whole run is moved over."""
    return run.parent / f".{run.name}.work"


def resolve(name: str, profile: str, data_sha256: str = "") -> dict:
    """The whole config of a run of adapter `name` (exact) under `profile` (exact), ready to be dumped for Axolotl.

    Prepared tokens go into a path that contains the data's hash: Axolotl's own cache ignores file contents.
    """
    document = load(profile)
    config = overlay(adapter.load(name), document.value)
    if found := problems(config, name, document):
        raise UserError(problems=found, next=f"make check ADAPTER={name}")
    run = OUTPUTS / base_name(config) / name
    work = work_folder(run)
    config["output_dir"] = shown(work)
    config["dataset_prepared_path"] = shown(work / f"prepared-{data_sha256[:16] or 'unbuilt'}")
    config["plugins"] = [*config.get("plugins", []), PROGRESS]
    return config
