"""Whether adapters may be summed: same base by hash, plain LoRA, ranks that fit. Reads small files only.

PEFT compares neither base nor weights when it loads an adapter, and rsLoRA, DoRA and trained biases come
out of its sums silently wrong; so what can't be summed rightly is refused here, before any compute.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from scripts.errors import Problem, UserError
from scripts.files import sha256
from scripts.paths import shown

NEEDED = ("manifest.json", "adapter_config.json", "adapter_model.safetensors")
NOT_PLAIN = {
    "use_rslora": "rsLoRA scales by alpha / √rank, which a sum of ranks changes",
    "use_dora": "DoRA's magnitudes don't add up",
    "lora_bias": "trained biases don't add up",
    "modules_to_save": "whole trained modules can't be summed as LoRA",
    "target_parameters": "LoRA on bare parameters is not supported",
    "trainable_token_indices": "trained tokens can't be summed as LoRA",
    "fan_in_fan_out": "transposed layers are not supported",
}
WORDS = {
    "config.json": "another size or architecture",
    "tokenizer.json": "another tokenizer",
    "chat_template.jinja": "another chat template",
    "model.safetensors": "other base weights",
}
EQUAL_RANKS = ("linear", "ties", "dare_linear", "dare_ties", "magnitude_prune")


def refuse(members: dict[str, Path], base: Path, method: str, source: str) -> None:
    """UserError with every reason why these adapter folders (by name) can't be one stack on that base."""
    problems = [Problem(source, 0, 0, "", reason) for reason in reasons(members, base, method)]
    if problems:
        raise UserError(problems=problems, next="make train ADAPTER=<member> for what is missing, or edit the stack")


def reasons(members: dict[str, Path], base: Path, method: str) -> Iterator[str]:
    """Each reason as a sentence that names the member."""
    manifests = {}
    for name, folder in members.items():
        missing = [file for file in NEEDED if not (folder / file).exists()]
        if missing:
            yield f"{name}: {shown(folder)} has no {', '.join(missing)}: not a finished run"
            continue
        manifest = manifests[name] = manifest_of(folder)
        yield from _not_a_member(name, manifest)
        yield from _not_plain(name, json.loads((folder / "adapter_config.json").read_text(encoding="utf-8")))
        if sha256(folder / "adapter_model.safetensors") != manifest.get("weights"):
            yield f"{name}: adapter_model.safetensors is not the one its manifest names: damaged or edited"
    yield from other_bases(manifests, base)
    yield from unequal_ranks({name: members[name] for name in manifests}, method)


def manifest_of(folder: Path) -> dict:
    """manifest.json of a run."""
    return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))


def _not_a_member(name: str, manifest: dict) -> Iterator[str]:
    if manifest.get("kind") == "merged":
        yield f"{name}: already merged into a full model; name the adapter itself"
    elif manifest.get("kind") == "stack":
        inner = ", ".join(each["adapter"] for each in manifest.get("members", []))
        yield f"{name}: already a stack; name its members ({inner})"


def _not_plain(name: str, config: dict) -> Iterator[str]:
    if config.get("peft_type") != "LORA":
        yield f"{name}: {config.get('peft_type')} instead of LoRA"
    if config.get("bias", "none") != "none":
        yield f"{name}: bias: {config['bias']}: trained biases don't add up"
    for key, reason in NOT_PLAIN.items():
        if config.get(key):
            yield f"{name}: {key}: {reason}"


def other_bases(manifests: dict[str, dict], base: Path) -> Iterator[str]:
    """Compares each member's base with the base on disk, or with the first member's where it lies elsewhere.

    A base is what its four hashes say; one of the Hub is its name, its pinned revision and our template's hash.
    """
    known = {name: manifest.get("base") or {} for name, manifest in manifests.items()}
    if (base / "base.json").exists():
        against, want = shown(base), json.loads((base / "base.json").read_text(encoding="utf-8"))
    elif known:
        against, want = next((f"{name}'s", its) for name, its in known.items())
    else:
        return
    for name, its in known.items():
        if what := _differing(its, want):
            names = f"{its.get('name')}, not {want.get('name')}"
            yield f"{name}: trained on another base than {against}: {', '.join(what)} ({names})"


def _differing(its: dict, want: dict) -> list[str]:
    hashes, wanted = its.get("sha256") or {}, want.get("sha256") or {}
    what = [word for file, word in WORDS.items() if hashes.get(file) != wanted.get(file)]
    pinned = bool(its.get("revision")) or set(WORDS) <= hashes.keys()
    what += [] if its.get("revision") == want.get("revision") else ["another revision"]
    what += [] if its.get("name") == want.get("name") or what else ["another name"]
    return what if what or pinned else ["nothing says which weights it had"]


def unequal_ranks(members: dict[str, Path], method: str) -> Iterator[str]:
    """A sentence where the method combines factors one by one and the members' ranks differ."""
    if method not in EQUAL_RANKS:
        return
    configs = {
        name: json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        for name, folder in members.items()
    }
    found = {name: (config["r"], config.get("rank_pattern") or {}) for name, config in configs.items()}
    if len({str(rank) for rank in found.values()}) > 1:
        listed = ", ".join(f"{name} has rank {rank}" for name, (rank, _) in found.items())
        yield f"method {method} needs equal ranks, but {listed}; cat and the svd methods take any"
