"""Variables that say yes or no mean the same at every verb."""

import pytest

from scripts import arguments, base, merge, publish, stack


@pytest.mark.parametrize(("text", "yes"), [("", False), ("0", False), ("1", True), ("yes", True), ("00", True)])
def test_nothing_and_0_say_no(text: str, yes: bool):
    assert arguments.flag(text) == yes


@pytest.mark.parametrize(("value", "yes"), [("0", False), ("1", True)])
def test_every_verb_reads_its_flag_so(tmp_path, monkeypatch, value: str, yes: bool):
    said = {}
    (tmp_path / "base.json").touch()
    monkeypatch.setattr(base.base, "folder", lambda: tmp_path)
    monkeypatch.setattr(base.base, "prepare", lambda folder: said.update(base=True))
    base.main(["--force", value])
    monkeypatch.setattr(stack, "make", lambda found, profile, force: said.update(stack=force))
    monkeypatch.setattr(stack, "compare", lambda *_: said.update(compare=True))
    stack.main(["--stack", "schema-kpi", "--force", value])
    stack.main(["--stack", "schema-kpi", "--compare", value])
    monkeypatch.setattr(merge, "merge", lambda run, force: said.update(merge=force))
    merge.main(["--adapter", "kpi", "--force", value])
    monkeypatch.setattr(publish.ready, "run", lambda *_: tmp_path)
    monkeypatch.setattr(publish, "card", lambda *_: None)
    monkeypatch.setattr(publish, "publish", lambda run, repo, dry: said.update(dry=dry))
    publish.main(["--adapter", "kpi", "--push", "me/kpi", "--dry", value])
    done = {"stack": yes, "merge": yes, "dry": yes}  # what is told the answer; the others are called only for a yes
    assert said == (done | {"base": True, "compare": True} if yes else done)
