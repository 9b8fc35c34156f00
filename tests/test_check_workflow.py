"""The workflow and the hooks: actions pinned by commit, least permissions, nothing of a stranger's in a shell line."""

import re

import pytest
import yaml

from scripts.paths import ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.y*ml"))
VERBS = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def steps(workflow: dict) -> list[dict]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


@pytest.fixture(params=WORKFLOWS, ids=lambda file: file.name)
def text(request):
    return request.param.read_text(encoding="utf-8")


@pytest.fixture
def workflow(text):
    return yaml.safe_load(text)


def test_there_is_one():
    assert [file.name for file in WORKFLOWS] == ["check.yml"]


def test_every_action_is_pinned_by_a_full_commit_with_its_version(text):
    uses = re.findall(r"uses: (.*)", text)
    assert (
        uses
        and [each for each in uses if not re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each)] == []
    )


def test_permissions_are_the_least(workflow):
    assert workflow["permissions"] == {}
    given = {name: job["permissions"] for name, job in workflow["jobs"].items()}
    assert given == {"check": {"contents": "read"}, "comment": {"pull-requests": "write"}}


def test_what_may_write_runs_nothing_of_the_pull_request(workflow):
    writers = [job for job in workflow["jobs"].values() if "write" in job["permissions"].values()]
    for job in writers:
        assert not any(
            "checkout" in step.get("uses", "") or "make" in step.get("run", "").split() for step in job["steps"]
        )
        assert "head.repo.full_name == github.repository" in job["if"]


def test_no_secret_is_needed_and_no_dangerous_trigger_is_used(text, workflow):
    assert "secrets." not in text and "pull_request_target" not in text and "workflow_run" not in text
    assert set(workflow[True]) == {"pull_request", "push"}  # YAML 1.1 reads `on` as true


def test_no_expression_stands_in_a_shell_line(workflow):
    assert [step["run"] for step in steps(workflow) if "${{" in step.get("run", "")] == []


def test_checkouts_keep_no_credentials_and_every_job_ends(workflow):
    checkouts = [step for step in steps(workflow) if "checkout" in step.get("uses", "")]
    assert checkouts and all(step["with"]["persist-credentials"] is False for step in checkouts)
    assert all(job["timeout-minutes"] <= 10 for job in workflow["jobs"].values())


def commands() -> list[str]:
    """Every `make <verb>` that the workflows and the hooks call."""
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    lines = [hook["entry"] for repo in hooks["repos"] for hook in repo["hooks"]]
    lines += [step["run"] for file in WORKFLOWS for step in steps(yaml.safe_load(file.read_text())) if "run" in step]
    return [verb for line in lines for verb in re.findall(r"\bmake ([a-z-]+)", line)]


def test_every_command_is_a_target_of_make():
    assert set(commands()) == {"check", "plan", "lint"}
    assert set(commands()) <= VERBS


def test_hooks_are_local_and_find_what_they_are_for():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert [repo["repo"] for repo in hooks] == ["local"]
    by_name = {hook["id"]: hook for hook in hooks[0]["hooks"]}
    assert all(hook["language"] == "system" and hook["pass_filenames"] is False for hook in by_name.values())
    pattern = re.compile(by_name["check"]["files"])
    assert (
        pattern.search("configs/kpi.yml")
        and pattern.search("datasets/kpi/recipe.yml")
        and not pattern.search("README.md")
    )
