"""Conversations out of a recipe of dialogues: flows of turns, filled with phrasings, people and noise.

An evaluation row is a conversation cut before its last assistant turn; what is expected there follows
from that turn. Its phrasings are the `eval` ones, and any that still reads like a training one is thrown
away, so the two never share an utterance. So is a training row that nearly asks what an eval-*.jsonl by hand does,
and a text whose random digits happen to be a real document.
"""

import json
import random
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from scripts.data import jsonl
from scripts.data.conversation import said
from scripts.data.gates import gates_of
from scripts.data.identifiers import Allowed, found
from scripts.data.noise import Noise
from scripts.data.person import Person
from scripts.data.phrasing import Piece, expand, lines, parse, phrase_list
from scripts.data.similarity import nearness
from scripts.data.variety import Seen
from scripts.errors import UserError

#: Attempts at one new conversation before its kind counts as exhausted.
ATTEMPTS = 300


def rows(recipe: Mapping, folder: Path, db_url: str | None = None) -> tuple[list[dict], list[dict]]:
    """(train, evaluation) rows, in an order that the seed alone decides; UserError where phrasings run out."""
    spared = Allowed(gates_of(folder)["allow"])

    def nobodys(row: dict) -> bool:
        return not any(True for m in row["messages"] for _ in found(m["content"] or "", spared))

    near = nearness(said(row) for file in sorted(folder.glob("eval-*.jsonl")) for _, row in jsonl.read(file))
    train = Writer(recipe, "train").rows(lambda row: nobodys(row) and not near(said(row)))
    seen, trained = Seen(train), nearness(map(said, train))
    return train, Writer(recipe, "eval").rows(lambda row: nobodys(row) and seen.is_new(row) and not trained(said(row)))


@cache
def _parsed(text: str) -> list:
    return parse(text)


class Writer:
    """Writes one side (`train` or `eval`) of a recipe."""

    def __init__(self, recipe: Mapping, side: str):
        values = {name: [line for _, line in lines(block)] for name, block in recipe.get("values", {}).items()}
        self.recipe, self.side, self.noise = dict(recipe) | {"value_lists": values}, side, Noise(recipe["noise"])
        sides = {n: block if isinstance(block, str) else block[side] for n, block in recipe["phrases"].items()}
        self.lists = {name: phrase_list(block) for name, block in sides.items()}
        self.answers = {name: [line for _, line in lines(answer["say"])] for name, answer in recipe["answers"].items()}

    def rows(self, wanted: Callable[[dict], bool]) -> list[dict]:
        """As many different conversations of each kind as the recipe asks for, shuffled."""
        made: list[dict] = []
        lacking, known = [], set()
        for kind, rules in self.recipe["kinds"].items():
            rng = random.Random(f"{self.recipe['seed']} {self.side} {kind}")
            fresh = 0
            while fresh < rules[self.side]:
                row = self._new(kind, rng, known, wanted)
                if row is None:
                    lacking.append(f"{kind}: {fresh} different {self.side} conversations, {rules[self.side]} asked for")
                    break
                made.append(row)
                fresh += 1
        if lacking:
            raise UserError("\n".join(lacking), next="give these kinds more phrasings in the recipe, or ask for fewer")
        random.Random(f"{self.recipe['seed']} {self.side}").shuffle(made)
        return made

    def _new(self, kind: str, rng: random.Random, known: set[str], wanted: Callable) -> dict | None:
        for _ in range(ATTEMPTS):
            row = self.conversation(kind, rng)
            key = "\n".join(m["content"] or "" for m in row["messages"])
            if key not in known and wanted(row):
                known.add(key)
                return row
        return None

    def conversation(self, kind: str, rng: random.Random) -> dict:
        """One row of that kind."""
        flows = self.recipe["kinds"][kind]["flows"]
        turns = rng.choices(flows, [flow.get("weight", 1) for flow in flows])[0]["turns"]
        person, mood = Person(self.recipe, rng), self.noise.mood(rng)
        messages, system = [], self.recipe.get("system", {})
        if rng.random() * 100 < system.get("chance", 0):
            messages.append({"role": "system", "content": system["text"]})
        messages += [self._message(turn, person, mood, rng) for turn in turns]
        if self.side == "train":
            return {"messages": messages, "kind": kind}
        return {"messages": messages[:-1], "kind": kind, "expect": self._expected(turns[-1], messages[-1], person, rng)}

    def _message(self, turn: Mapping, person: Person, mood: Mapping, rng: random.Random) -> dict:
        [(role, what)] = turn.items()
        if role == "user":
            pieces = expand(_parsed(what), self.lists, person.slot, rng)
            return {"role": "user", "content": self.noise.apply(pieces, mood, rng)}
        if role in ("call", "refused"):
            call = self._call(what, person)
            function = {"name": call["name"], "arguments": json.dumps(call["arguments"], ensure_ascii=False)}
            made = {"role": "assistant", "content": None, "tool_calls": [{"type": "function", "function": function}]}
            return made if role == "call" else made | {"train": False}
        if role == "result":
            result = rng.choice(self.recipe["results"][what])
            filled = {key: self._filled(text, person, rng) for key, text in result.items()}
            return {"role": "tool", "content": json.dumps(filled, ensure_ascii=False)}
        return {"role": "assistant", "content": self._filled(rng.choice(self.answers[what]), person, rng)}

    def _call(self, name: str, person: Person) -> dict:
        call = self.recipe["calls"][name]
        arguments = {argument: person.canonical(slot) for argument, slot in call["arguments"].items()}
        return {"name": call["tool"], "arguments": arguments}

    def _filled(self, text: str, person: Person, rng: random.Random) -> str:
        return _text(expand(_parsed(text), {}, person.slot, rng))

    def _expected(self, turn: Mapping, message: Mapping, person: Person, rng: random.Random) -> dict:
        [(role, what)] = turn.items()
        if role == "call":
            return {"tool_call": self._call(what, person)}
        answer = self.recipe["answers"][what]
        if "asks" in answer:
            return {"asks": answer["asks"]}
        expect = {} if answer.get("is_fact") else {"no_call": True}
        contains = [self._filled(text, person, rng) for text in answer.get("contains", [])]
        return expect | ({"contains": contains} if contains else {})


def _text(pieces: list[Piece]) -> str:
    return "".join(piece.text for piece in pieces)
