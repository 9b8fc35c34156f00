"""What Axolotl will read: an adapter's YAML with a profile laid over it, and where the run goes."""

from pathlib import Path

from scripts.config import adapter, yamlfile
from scripts.errors import UserError, suggestion
from scripts.paths import OUTPUTS, PROFILES, ROOT, shown

#: Every run reports its progress; on a cluster, too.
PROGRESS = "scripts.run.progress.Progress"


def names() -> list[str]:
    """Every profile: the YAML files under configs/profiles/."""
    return sorted(path.stem for path in PROFILES.glob("*.yml"))


def cuda() -> bool:
    """Whether an NVIDIA device is here, without importing torch."""
    return Path("/dev/nvidia0").exists() or Path("/dev/dxg").exists()


def choose(name: str = "") -> str:
    """The profile asked for, else `gpu` where there is a CUDA device and `cpu` where there is none."""
    if not name:
        return "gpu" if cuda() else "cpu"
    if name not in names():
        hint = suggestion(name, names())
        told = f"there is no profile {name!r}; there are: {', '.join(names())}"
        raise UserError(told + (f" ({hint})" if hint else ""))
    return name


def overlay(config: dict, profile: dict) -> dict:
    """The config with the profile's keys in place of its own; a null removes the key."""
    merged = {**config, **profile}
    return {key: value for key, value in merged.items() if value is not None}


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
    overlaid = yamlfile.load(PROFILES / f"{choose(profile)}.yml").value
    base = overlaid.get("base_model") or yamlfile.load(adapter.config_of(name)).value["base_model"]
    return OUTPUTS / base_name({"base_model": base}) / name


def work_folder(run: Path) -> Path:
    """Where a run is made, beside its place: checkpoints and log, until the whole run is moved over."""
    return run.parent / f".{run.name}.work"


def resolve(name: str, profile: str, data_sha256: str = "") -> dict:
    """The whole config of a run of adapter `name` (exact) under `profile` (exact), ready to be dumped for Axolotl.

    Prepared tokens go into a path that contains the data's hash: Axolotl's own cache ignores file contents.
    """
    config = overlay(yamlfile.load(adapter.config_of(name)).value, yamlfile.load(PROFILES / f"{profile}.yml").value)
    run = OUTPUTS / base_name(config) / name
    work = work_folder(run)
    config["output_dir"] = shown(work)
    config["dataset_prepared_path"] = shown(work / f"prepared-{data_sha256[:16] or 'unbuilt'}")
    config["plugins"] = [*config.get("plugins", []), PROGRESS]
    return config
