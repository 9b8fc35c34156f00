"""The base and the runs that other verbs start from: found, complete and fitting, or one clear message."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from scripts.config import adapter, profile
from scripts.errors import UserError, suggestion
from scripts.model import base, compatible, stackfile
from scripts.paths import OUTPUTS, shown
from scripts.run import manifest


@dataclass(frozen=True)
class Base:
    """What runs are over: `source` is its folder, or its name on the Hub, where it is pinned by `revision`."""

    source: Path | str
    revision: str | None
    #: What the answers of the base alone are kept under.
    mark: str


def base_of(runs: Path) -> Base:
    """The base of outputs/<base>/: what lies there, else what the manifests name; UserError where they disagree."""
    if (runs / "base").exists():
        return _base(runs, {})
    written = {each.parent.name: manifest.read(each.parent) for each in sorted(runs.glob("[!.]*/manifest.json"))}
    if not written:
        raise UserError(f"{shown(runs)}: neither a base nor a run", next="make train ADAPTER=<one>, or make base")
    if reasons := list(compatible.other_bases(written, runs / "base")):
        raise UserError("; ".join(reasons), next="make train-all, and make stack or make merge with FORCE=1")
    return _base(runs, next(iter(written.values())))


def base_under(run: Path) -> Base:
    """The base of one complete run: what lies beside it, else what its own manifest names."""
    return _base(run.parent, manifest.read(run))


def _base(runs: Path, written: dict) -> Base:
    if (runs / "base").exists():
        return Base(runs / "base", None, base.identity(runs / "base")["sha256"]["model.safetensors"])
    named = written["base"]
    mark = hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()
    return Base(named["name"], named.get("revision") or None, mark)


def runs_of(named: str = "", chosen: str = "") -> Path:
    """outputs/<base>/: the one named, else the profile's, else the only one that has runs; UserError lists them."""
    trained = {path.parents[1] for path in OUTPUTS.glob("[!.]*/[!.]*/manifest.json")}
    found = trained | {path.parent for path in OUTPUTS.glob("[!.]*/base")}
    known = ", ".join(sorted(path.name for path in found)) or "none yet"
    if named:
        if OUTPUTS / named not in found:
            told = f"there is no base {named!r} in {shown(OUTPUTS)}; there are: {known}"
            raise UserError(told, next="make train ADAPTER=<one>, or make base")
        return OUTPUTS / named
    if folder := _of_profile(chosen):
        return folder.parent
    if len(trained or found) != 1:
        raise UserError(f"which base? There are: {known}", next="the same with BASE=<one of them>")
    return next(iter(trained or found))


def base_folder(chosen: str = "") -> Path:
    """outputs/<base>/base/ of the profile; UserError where it is not made."""
    folder = _of_profile(chosen)
    if folder is None:
        raise UserError("this profile takes each adapter's own base", next="the same with PROFILE=cpu")
    base.identity(folder)
    return folder


def _of_profile(chosen: str) -> Path | None:
    overlay = profile.load(profile.choose(chosen)).value
    return profile.base_folder(overlay) if overlay.get("base_model") else None


def names() -> list[str]:
    """Every adapter and stack that has a file in configs/."""
    return adapter.names() + stackfile.names()


def run(name: str, chosen: str = "") -> Path:
    """The folder of a complete run of an adapter, stack or merged model; UserError says how to make it."""
    known = names()
    made = sorted({each.parent.name for each in OUTPUTS.glob("*/*/manifest.json")})
    if name in set(known) | set(made):
        found = name
    elif any(each.startswith(name) for each in adapter.names()) or not name:
        found = adapter.find(name)
    else:
        hint = suggestion(name, [*known, *made])
        listed = ", ".join(sorted({*known, *made}))
        raise UserError(f"there is no adapter or stack {name!r}; there are: {listed}" + (f" ({hint})" if hint else ""))
    folder = folder_of(found, chosen)
    written = manifest.read(folder)
    if not written:
        raise UserError(f"{shown(folder)}: not trained yet", next=made_by(found))
    fits(folder, written)
    return folder


def folder_of(name: str, chosen: str = "") -> Path:
    """Where the run of that name is: under its profile's base; what is no adapter, else where it was made."""
    source = name.removesuffix(adapter.MERGED)
    if name in adapter.names():
        return profile.run_folder(name, chosen)
    if source in stackfile.names():
        folder = stackfile.runs_of(stackfile.read(source), chosen) / name
    elif source in adapter.names():
        folder = profile.run_folder(source, chosen).with_name(name)
    else:
        folder = OUTPUTS / name
    if not (folder / manifest.NAME).exists():
        folder = next((each.parent for each in sorted(OUTPUTS.glob(f"*/{name}/{manifest.NAME}"))), folder)
    return folder


def made_by(name: str) -> str:
    """The command that makes the run of that name."""
    source = name.removesuffix(adapter.MERGED)
    variable = "STACK" if source in stackfile.names() else "ADAPTER"
    verb = "merge" if source != name else "stack" if variable == "STACK" else "train"
    return f"make {verb} {variable}={source}"


def fits(folder: Path, written: dict) -> None:
    """UserError where the run was trained on another base than the one beside it: PEFT would load it all the same."""
    local = folder.parent / "base"
    if local.exists() and base.identity(local)["sha256"] != written["base"]["sha256"]:
        changed = [k for k, v in base.identity(local)["sha256"].items() if written["base"]["sha256"].get(k) != v]
        raise UserError(
            f"{shown(folder)} was trained on another base than {shown(local)}: {', '.join(changed)} differ",
            next=f"{made_by(folder.name)} FORCE=1",
        )
