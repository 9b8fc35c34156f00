"""From points to rows: what is asked, in every way that people ask it.

A Point is one thing to know with its canonical answer. `deal` gives every point its turn, a phrase of
the point's intent and one of its wordings, until the quota of its kind is met. Training and evaluation
take their phrases from separate lists; of some kinds, a share of the points is held out as well.
"""

import random
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.config import schema, yamlfile
from scripts.data.similarity import nearness
from scripts.data.spoken import MONTHS
from scripts.errors import UserError, suggestion

Row = dict
Slots = dict[str, str]


@dataclass(frozen=True)
class Point:
    """One thing to know; `slots` are its wordings, of which a row takes one."""

    kind: str
    intent: str
    answer: str
    expect: dict
    slots: tuple[Slots, ...] = ({},)


@dataclass(frozen=True)
class Noun:
    """`a guia/guias`: article, singular and plural."""

    o: str
    one: str
    many: str

    @classmethod
    def of(cls, text: str) -> "Noun":
        """From `o plano/planos`; without an article the ending decides, without a plural an s is added."""
        article, _, rest = text.partition(" ")
        if article not in ("o", "a"):
            article, rest = guessed_article(text), text
        one, _, many = rest.partition("/")
        return cls(article, one, many or plural(one))

    def slots(self, after: str = "") -> Slots:
        """{item}, {itens}, {o}, {os} with what follows the noun, in agreement."""
        tail = " " + after.replace("{os}", self.o + "s").replace("{o}", self.o) if after else ""
        return {"item": self.one, "itens": self.many + tail, "o": self.o, "os": self.o + "s"}


def guessed_article(word: str) -> str:
    """The likeliest gender of a noun by its ending."""
    first = word.split()[0] if word.split() else word
    return "a" if re.search(r"(a|ção|são|dade|gem|ções)s?$", plain(first) if first.endswith("a") else first) else "o"


def plural(word: str) -> str:
    """The regular plural of a noun's first word."""
    first, space, rest = word.partition(" ")
    for ending, many in (
        ("ão", "ões"),
        ("al", "ais"),
        ("el", "éis"),
        ("m", "ns"),
        ("r", "res"),
        ("z", "zes"),
        ("s", "s"),
    ):
        if first.endswith(ending):
            return first[: -len(ending)] + many + space + rest
    return first + "s" + space + rest


def plain(text: str) -> str:
    """Lower case without accents."""
    return "".join(c for c in unicodedata.normalize("NFD", text.lower()) if not unicodedata.combining(c))


def month_texts(year: int, month: int) -> list[str]:
    """The ways a month is written: março de 2025, março/2025, 03/2025, mar/25."""
    name = MONTHS[month - 1]
    long = f"{name} de {year}"
    return [long, long, f"{name}/{year}", f"{month:02d}/{year}", f"{name[:3]}/{year % 100:02d}"]


def styled(text: str, rng: random.Random) -> str:
    """The same question as different people type it: capitals or not, accents and marks or not."""
    roll = rng.random()
    if roll < 0.4:
        return text[:1].upper() + text[1:]
    if roll < 0.7:
        return text
    return plain(text).rstrip("?.")


def phrases(file: Path) -> dict[str, dict[str, list[str]]]:
    """Every intent's `train` and `eval` phrases; a phrase in both is refused."""
    document = yamlfile.load(file)
    problems = schema.problems(document, "phrases")
    for intent, lists in document.value.items() if not problems else ():
        for index, phrase in enumerate(lists["eval"]):
            if phrase in lists["train"]:
                problems.append(document.problem(f"$.{intent}.eval[{index}]", "training has this phrase as well"))
    if problems:
        raise UserError(problems=problems)
    return document.value


def asked(points: list[Point], part: str, phrases: dict, rng: random.Random) -> Iterator[tuple[Point, str]]:
    """Endless turns over the points in random order, each time with another phrase and wording."""
    order = {}
    points = rng.sample(points, len(points))
    for turn in range(400):
        for index, point in enumerate(points):
            if turn == 0:
                order[index] = rng.sample(phrases[point.intent][part], len(phrases[point.intent][part]))
            phrase = order[index][turn % len(order[index])]
            yield point, styled(filled(phrase, rng.choice(point.slots), point.intent), rng)


def filled(phrase: str, slots: Slots, intent: str) -> str:
    """The phrase with its {slots}; UserError where it names one that its intent hasn't."""
    try:
        return phrase.format(**slots)
    except (KeyError, IndexError, ValueError, AttributeError, TypeError) as error:
        known = " ".join(f"{{{name}}}" for name in slots) or "none"
        said = f"{intent}: {phrase!r} can't be filled ({error}); slots: {known}"
        raise UserError(said, next="edit phrases.yml") from None


def deal(points: Iterable[Point], phrases: dict, recipe: dict, strict: bool) -> tuple[list[Row], list[Row]]:
    """Training and evaluation rows of every kind that has a quota, the training rows in a shuffled order.

    UserError with the numbers where a quota is not met and `strict`, or where nothing can be asked.
    """
    by_kind: dict[str, list[Point]] = {}
    for point in points:
        by_kind.setdefault(point.kind, []).append(point)
    _refuse_unsaid({point.intent for kind in recipe["quotas"] for point in by_kind.get(kind, ())}, phrases)
    held = recipe["options"].get("held_out", {"kinds": [], "share": 0})
    train, evaluation, said, short, known = [], [], set(), [], {}
    for kind, quota in recipe["quotas"].items():
        rng = random.Random(f"{recipe['seed']} {kind}")
        points_of = rng.sample(by_kind.get(kind, []), len(by_kind.get(kind, [])))
        cut = round(held["share"] * len(points_of)) if kind in held["kinds"] else 0
        known[kind] = points_of[cut:][: max(1, quota["train"] // 3)]  # each is met at least 3 times
        rows = _take(asked(points_of[:cut], "eval", phrases, rng), quota["eval"] // 2, said)
        rows += _take(asked(known[kind], "eval", phrases, rng), quota["eval"] - len(rows), said)
        short += [f"{kind}: {len(rows)} of {quota['eval']} rows to evaluate with"] if len(rows) < quota["eval"] else []
        evaluation += [_tested(*turn) for turn in rows]
    near = nearness(row["messages"][0]["content"] for row in evaluation)
    for kind, quota in recipe["quotas"].items():
        rng = random.Random(f"{recipe['seed']} {kind} train")
        turns = (turn for turn in asked(known[kind], "train", phrases, rng) if not near(turn[1]))
        rows = _take(turns, quota["train"], said)
        short += [f"{kind}: {len(rows)} of {quota['train']} rows to train with"] if len(rows) < quota["train"] else []
        train += [_taught(*turn) for turn in rows]
    if short and (strict or not train or not evaluation):
        raise UserError("\n".join(short), next="lower these quotas in the recipe, or add phrases or synonyms")
    random.Random(f"{recipe['seed']} order").shuffle(train)
    return train, evaluation


def _refuse_unsaid(intents: set[str], phrases: dict) -> None:
    """UserError for each intent that has no phrases."""
    hints = {each: suggestion(each, phrases) for each in sorted(intents - phrases.keys())}
    told = [f"phrases.yml has no intent {each!r}" + (f" ({hint})" if hint else "") for each, hint in hints.items()]
    if told:
        raise UserError("\n".join(told), next="edit phrases.yml")


def _take(turns: Iterator[tuple[Point, str]], count: int, said: set[str]) -> list[tuple[Point, str]]:
    """The first `count` turns whose question was not put before, in this or another kind."""
    taken = []
    while len(taken) < count and (turn := next(turns, None)):
        key = plain(turn[1]).rstrip("?.")
        if key not in said:
            said.add(key)
            taken.append(turn)
    return taken


def _taught(point: Point, text: str) -> Row:
    answer = {"role": "assistant", "content": point.answer}
    return {"messages": [{"role": "user", "content": text}, answer], "kind": point.kind}


def _tested(point: Point, text: str) -> Row:
    return {"messages": [{"role": "user", "content": text}], "kind": point.kind, "expect": point.expect}
