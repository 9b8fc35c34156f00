"""What can be served over one base: the base itself, every adapter trained on it, every stack of those.

An adapter is served only where its manifest names this very base, by hash; the others are listed with the reason.
A `cat` stack needs no files of its own: it is its members with weights, given to the engine with each request.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scripts.errors import UserError, suggestion
from scripts.files import sha256
from scripts.model import compatible, stackfile
from scripts.paths import shown
from scripts.run import ready

BASE = "base"
#: What a base of the Hub can be used with.
ELSEWHERE = "make serve ENGINE=vllm, or make export FORMAT=vllm; llama.cpp's convert_hf_to_gguf.py takes a make merge"


@dataclass(frozen=True)
class Catalog:
    """`adapters` in the order of the engine's ids; `stacks` by name, as weights of adapters."""

    runs: Path
    adapters: dict[str, Path]
    stacks: dict[str, dict[str, float]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    @property
    def base(self) -> Path:
        """The folder that llama.cpp's files of the base are in; UserError where the base is the Hub's."""
        found = ready.base_of(self.runs).source
        if isinstance(found, Path):
            return found
        raise UserError(f"llama.cpp needs the files of {found}, which is on the Hub", next=ELSEWHERE)

    @property
    def names(self) -> list[str]:
        """Everything a request may say as its model."""
        return [BASE, *self.adapters, *self.stacks]

    def weights(self, model: str, given: Mapping[str, float] | None = None) -> dict[str, float]:
        """Adapter weights of a request: none for the base, 1 for an adapter, a stack's own or given ones."""
        if model not in self.names:
            hint = suggestion(model, self.names)
            raise UserError(
                f"there is no model {model[:64]!r}; there are: {', '.join(self.names)}" + f" ({hint})" * bool(hint)
            )
        own = self.stacks.get(model) or ({} if model == BASE else {model: 1.0})
        if given and (strange := sorted(set(given) - set(own))):
            what = "takes weights of " + ", ".join(own) if own else "takes no weights"
            raise UserError(f"model {model!r} {what}; {strange[0][:64]!r} is none of them")
        return {name: weight for name, weight in {**own, **(given or {})}.items() if weight}

    def lora(self, weights: Mapping[str, float]) -> list[dict]:
        """The engine's form of those weights: every adapter by id, those that are not meant at 0.

        Never an empty list: llama.cpp takes that for "as before" and goes on from a prefix of another adapter.
        """
        return [{"id": index, "scale": float(weights.get(name, 0))} for index, name in enumerate(self.adapters)]


def of(runs: Path) -> Catalog:
    """Looks at outputs/<base>/; UserError where nothing says its base, or runs of several bases are there."""
    ready.base_of(runs)
    adapters, left_out = {}, []
    by_weights = _cat_stacks()
    for folder in sorted(path.parent for path in runs.glob("[!.]*/adapter_config.json")):
        if folder.name in by_weights or folder.name == BASE:
            continue
        if reason := _refused(folder, runs / "base"):
            left_out.append(reason)
        else:
            adapters[folder.name] = folder
    stacks = {name: weights for name, weights in by_weights.items() if set(weights) <= set(adapters)}
    left_out += [
        f"{name}: not all of {', '.join(by_weights[name])} are here" for name in by_weights.keys() - stacks.keys()
    ]
    return Catalog(runs, adapters, stacks, sorted(left_out))


def _cat_stacks() -> dict[str, dict[str, float]]:
    read = {}
    for name in stackfile.names():
        stack = stackfile.read(name)
        if stack.method == "cat":
            read[name] = stack.weights
    return read


def _refused(folder: Path, base: Path) -> str:
    """Why this adapter is not served; empty where it may be."""
    name = folder.name
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return f"{name}: {shown(folder)} has no manifest: not a finished run"
    for reason in compatible.other_bases({name: manifest}, base):
        return reason
    if sha256(folder / "adapter_model.safetensors") != manifest.get("weights"):
        return f"{name}: adapter_model.safetensors is not the one its manifest names: damaged or edited"
    return ""
