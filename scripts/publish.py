"""Writes the model card of a run, and uploads the run to the Hub where that is asked for.

PUSH=owner/name shows what would be uploaded and where to; nothing leaves this machine without DRY=0 beside it.
Run as: make card ADAPTER=unimed [PUSH=owner/name] [DRY=0] / python -m scripts.publish --adapter unimed
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from scripts.arguments import add, flag, parser
from scripts.config import adapter
from scripts.errors import UserError, main_of
from scripts.files import write
from scripts.paths import shown
from scripts.run import manifest, proof, ready
from scripts.score import evaluated, modelcard, suite

#: What is published; logs, prepared tokens and evaluated conversations stay here.
FILES = ("README.md", "adapter_config.json", "adapter_model.safetensors", "tokenizer.json", "tokenizer_config.json",
         "special_tokens_map.json", "chat_template.jinja", "manifest.json")  # fmt: skip
NEEDED = ("adapter_config.json", "adapter_model.safetensors", "tokenizer.json", "chat_template.jinja", "manifest.json")
#: Each part as the Hub's client takes it: neither -- nor .. in it, neither - nor . at its end.
REPO = re.compile(r"(?!.*(--|\.\.))[A-Za-z0-9][\w.-]{0,95}(?<![.-])/[A-Za-z0-9][\w.-]{0,95}(?<![.-])", re.ASCII)


def main(argv: Sequence[str]) -> None:
    """The card, then the dry run or the upload."""
    options = parser(__doc__)
    add(options, "ADAPTER", "a trained adapter")
    add(options, "PROFILE", "the profile that it was trained under")
    add(options, "PUSH", "the Hub's repository, owner/name")
    add(options, "DRY", "0 uploads; anything else shows what would be", "1")
    arguments = options.parse_args(argv)
    if arguments.push and not REPO.fullmatch(arguments.push):
        raise UserError(f"PUSH={arguments.push} is not a repository of the Hub", next="PUSH=owner/name")
    run = ready.run(arguments.adapter, arguments.profile)
    card(run, arguments.push)
    if arguments.push:
        publish(run, arguments.push, flag(arguments.dry))
    else:
        print(f"next: make card ADAPTER={run.name} PUSH=owner/name shows what would be published")


def card(run: Path, repo: str = "") -> None:
    """README.md of a run."""
    written = manifest.read(run)
    if written.get("kind") != "adapter":
        raise UserError(
            f"{run.name} is a {written.get('kind')}; a card tells how an adapter was trained",
            next="ADAPTER=<one of its members>",
        )
    known = run.name in adapter.names()
    data = read(adapter.data_of(run.name) / "data.lock.json", {}) if known else {}
    lacks = unmeasured(run)
    figures = [] if lacks else read(run / "eval" / "metrics.json", [])
    write(
        run / "README.md",
        modelcard.markdown(run.name, purpose(run.name) if known else "", written, figures, data, repo),
    )
    print(
        f"{shown(run / 'README.md')}: {len(figures)} figures"
        + (f" ({lacks}; make eval ADAPTER={run.name} gives them)" if lacks else "")
    )


def read(file: Path, otherwise):
    """A JSON file, or what stands for it where it is not there."""
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else otherwise


def unmeasured(run: Path) -> str:
    """Why there are no figures of all rows of every suite that the run faces; empty where there are."""
    return evaluated.lacking(run, [each.name for each in suite.of(run.name)])


def purpose(name: str) -> str:
    """The first sentence at the head of the adapter's YAML."""
    lines = adapter.config_of(name).read_text(encoding="utf-8").splitlines()
    told = [line.lstrip("# ") for line in lines if line.startswith("# ") and "yaml-language-server" not in line]
    return told[0] if told else ""


def publish(run: Path, repo: str, dry: bool) -> None:
    """Refuses what is not whole, lists what would go, and uploads it where that is meant."""
    refuse(run)
    there = [run / name for name in FILES if (run / name).exists()]
    for file in there:
        print(f"  {file.stat().st_size:>12,}  {file.name}")
    total = sum(file.stat().st_size for file in there) / 1e6
    if dry:
        print(f"dry run: {len(there)} files, {total:.0f} MB, to a private repository {repo}; nothing was uploaded")
        print(f"next: make card ADAPTER={run.name} PUSH={repo} DRY=0")
        return
    upload(run, repo, [file.name for file in there])


def refuse(run: Path) -> None:
    """UserError where files lack, a hash is wrong or a gate failed."""
    reasons = [f"{name} is not there" for name in NEEDED if not (run / name).exists()]
    reasons += [
        f"{each.what} {each.path} is not the recorded one"
        for each in proof.checks(run)
        if each.path.startswith(f"{shown(run)}/") and not each.right
    ]
    reasons += [lacks] if (lacks := unmeasured(run)) else []
    reasons += [
        f"gate failed: {each['suite']}/{each['metric']}"
        for each in read(run / "eval" / "metrics.json", [])
        if each["gate"] is not None and not each["passed"]
    ]
    if reasons:
        raise UserError(f"{run.name} can't be published: {'; '.join(reasons)}", next=f"make eval ADAPTER={run.name}")


def upload(run: Path, repo: str, names: list[str]) -> None:
    """Creates the repository, private, and commits the files; the token is the Hub client's own."""
    try:
        from httpx import TransportError
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError
    except ImportError:
        raise UserError("the Hub's client is not installed", next="make setup") from None
    try:
        api = HfApi()
        api.create_repo(repo, private=True, exist_ok=True)
        done = api.upload_folder(
            repo_id=repo,
            folder_path=run,
            allow_patterns=names,
            commit_message=f"{run.name}, trained from {manifest.read(run)['fingerprint'][:16]}",
        )
    except TransportError as error:
        again = f"make card ADAPTER={run.name} PUSH={repo} DRY=0, where there is a network"
        raise UserError(f"the Hub can't be reached: {error}", next=again) from None
    except HFValidationError as error:
        raise UserError(f"PUSH={repo}: {error}", next="PUSH=owner/name") from None
    except (HfHubHTTPError, LocalTokenNotFoundError, OSError) as error:
        raise UserError(f"the Hub refused: {str(error).splitlines()[0]}", next="hf auth login") from None
    print(f"uploaded: {done}")


if __name__ == "__main__":
    main_of(main)
