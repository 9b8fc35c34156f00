"""What there was before: the last run of an adapter, and its config, profile and lock at a git ref."""

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from scripts.config import adapter, profile, yamlfile
from scripts.errors import UserError
from scripts.paths import PROFILES, ROOT, shown
from scripts.run import manifest

#: A branch, tag or commit, with ~2 and ^ and @{1}; nothing that git would take for an option, a range or a path.
REF = re.compile(r"[A-Za-z0-9_@][A-Za-z0-9_./@{}~^+-]{0,199}")


@dataclass(frozen=True)
class Revision:
    """An adapter at a git ref: resolved config (empty where it was not there) and data.lock.json."""

    ref: str
    commit: str
    config: dict
    lock: dict


def at(ref: str, name: str, chosen: str) -> Revision:
    """The adapter's files at a ref; UserError where the ref is none or its YAML can't be read."""
    commit = commit_of(ref)
    own, laid = (document(commit, path) for path in (adapter.config_of(name), PROFILES / f"{chosen}.yml"))
    config = profile.overlay(own, laid) if own else {}
    text = show(commit, adapter.data_of(name) / "data.lock.json")
    try:
        lock = json.loads(text) if text else {}
    except ValueError:
        lock = {}
    return Revision(ref, commit, config, lock)


def commit_of(ref: str) -> str:
    """The 40 digits that a ref stands for; UserError where it is none."""
    if not REF.fullmatch(ref) or ".." in ref:
        raise UserError(f"AGAINST={ref!r} is not a branch, tag or commit", next="git branch --all")
    done = git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    commit = done.stdout.decode("ascii", "replace").strip()
    if done.returncode or not re.fullmatch(r"[0-9a-f]{40,64}", commit):
        raise UserError(f"AGAINST={ref}: git knows no such branch, tag or commit here", next=f"git fetch origin {ref}")
    return commit


def git(*arguments: str) -> subprocess.CompletedProcess:
    """git in the checkout, without a shell; UserError where there is no git."""
    try:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UserError(f"AGAINST needs git: {error}") from None


def show(commit: str, file: Path) -> str:
    """A file's text at a commit; empty where it was not there."""
    # "./" makes the path relative to the checkout, which may lie deeper than the root of git's tree.
    done = git("show", "--no-textconv", f"{commit}:./{file.relative_to(ROOT).as_posix()}")
    return done.stdout[: yamlfile.MAX_BYTES * 16].decode("utf-8", "replace") if not done.returncode else ""


def document(commit: str, file: Path) -> dict:
    """A YAML mapping at a commit; empty where it was not there; UserError where it was none."""
    text = show(commit, file)
    if not text:
        return {}
    found, problems = yamlfile.parse(text, file)
    if found is None or not isinstance(found.value, dict):
        raise UserError(problems=problems, message=f"{shown(file)} at {commit[:10]} is no config")
    return found.value


def state(run: Path, resolved: dict, data: list[Path]) -> tuple[str, dict]:
    """Whether the run is up to date and, where not, why; and its manifest."""
    written = manifest.read(run)
    if not written:
        work = profile.work_folder(run)
        left = "; a stopped training lies beside it and resumes" if list(work.glob("checkpoint-*/complete")) else ""
        return f"{shown(run)}: not trained yet{left}", {}
    if not all(file.exists() for file in data):
        return f"{shown(run)}: trained; whether it is up to date shows once the data is built", written
    made_from = manifest.inputs(resolved, data)
    if manifest.is_current(run, manifest.fingerprint(made_from)):
        return f"{shown(run)}: up to date", written
    told = {"config": "the config", "data": "the data", "base": "the base", "template": "the chat template",
            "code": "training code", "versions": "versions of libraries"}  # fmt: skip
    changed = [words for key, words in told.items() if written.get(key) != made_from[key]]
    old, new = written.get("code", {}), made_from["code"]
    files = ", ".join(sorted(each for each in {**old, **new} if old.get(each) != new.get(each)))
    changed = [f"{each} ({files})" if each == told["code"] else each for each in changed]
    return f"{shown(run)}: trained, and out of date: {', '.join(changed) or 'its weights'} changed since", written
