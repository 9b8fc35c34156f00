"""Puts rows to a model and scores what it says: the one place where the grid meets a generator."""

from collections.abc import Sequence

from scripts.model.generate import Generator, of_base, of_run
from scripts.model.likelihood import likelihoods
from scripts.score import answers
from scripts.score.grid import Target
from scripts.score.metrics import Figures, score
from scripts.score.suite import Suite

Scored = list[tuple[dict, Figures]]


def load(target: Target, generator: Generator | None) -> Generator:
    """A generator that can speak as the target: the shared one with the target added, or a merged model's own."""
    if target.kind == "merged":
        return of_run(target.folder)
    generator = generator or of_base(target.folder.parent)
    if target.kind != "base" and target.name not in generator.adapters:
        generator.add(target.name, target.folder)
    return generator


def ask(target: Target, generator: Generator, asked: Sequence[tuple[Suite, dict]]) -> Scored:
    """(answer, figures) for each (suite, row), in order; sentences get their likelihood."""
    rows = [row for _, row in asked if "messages" in row]
    said = iter(answers.ask(generator, target.name, target.mark, rows, target.folder.parent))
    texts = [row["text"] for _, row in asked if "text" in row]
    with generator.using([target.name]):
        likely = iter(likelihoods(generator.model, generator.tokenizer, texts) if texts else ())
    spoken = [next(said) if "messages" in row else {"likelihood": next(likely)} for _, row in asked]
    return [(answer, score(row, answer, each.database)) for (each, row), answer in zip(asked, spoken, strict=True)]
