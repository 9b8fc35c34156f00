"""Strict tool calls: a call that its tool refuses, or whose arguments the user never stated, is not issued.

The tool, not the model, judges what is valid: eleven digits, a day that exists. An argument that tools.json marks with
`x-stated` (`cpf` or `birth`) must be a value that the user gave as their own in this conversation, by the same rules as
the executor that consults (scripts/data/statements.py). Where the model's draft is refused, the model chooses: the
likeliest by its own reckoning of the calls that the user's statements allow, or, where they allow none, what it says
when it is told why, as a tool tells an error. The evaluation keeps the draft and gives the figures of both.

Where a user has just given what a tool takes, all of it or a part, possible or not (ten digits, 31/02), a call is due:
the answer is made to open with one, and goes the same way. So the tool, not a small model, finds what is missing.
"""

import hashlib
import itertools
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from scripts.data import (
    attribution,
    birthdates,
    birthparts,
    dateplaces,
    identifiers,
    labels,
    names,
    numerals,
    ownbirth,
    owncpf,
    ownership,
    spoken,
    statements,
    userturns,
)
from scripts.data.gates import tool_schemas
from scripts.data.statements import Statements
from scripts.errors import UserError
from scripts.model.toolcall import OPEN, canonical, escaped, message_of, strict_json, text_of

#: The tools that an adapter may call, beside its weights in a run; copied from its data folder.
NAME = "tools.json"
#: What an argument may be marked as: the attributes of Statements.
STATED = ("cpf", "birth")
#: Where it is decided what the user stated.
RULES = (statements, owncpf, ownbirth, attribution, userturns, ownership, labels, birthdates, birthparts, dateplaces)
#: What these read with: numbers in words, forms of phones, words that are no slip of another.
BELOW = (numerals, spoken, identifiers, names)
#: Reasons that tell of nothing wrong in what was given.
MISSING = {"cpf_not_stated", "birth_date_not_stated"}
#: More choices than this are no choice: somebody pasted a list.
MOST = 12


class Judge:
    """What an adapter with tools, or several together, may say."""

    def __init__(self, runs: Sequence[Path]):
        self.schemas = {name: schema for file in files(runs) for name, schema in tool_schemas(file).items()}
        functions = [tool["function"] for tool in tools(runs)]
        self.stated = {each["name"]: marks(each["parameters"]) for each in functions}

    def due(self, messages: Sequence[dict]) -> bool:
        """Whether a tool should hear the user's last turn: it completes what the tool takes, or gives a part of it.

        What can't be, where something else stands for it already, makes none due. Somebody else's CPF does where the
        user gave none of their own: it is refused, and why is what the model answers.
        """
        kinds = {kind for stated in self.stated.values() for kind in stated.values()}
        if not kinds or not messages or messages[-1].get("role") != "user":
            return False
        before = [turn for turn in messages[:-1] if turn.get("role") == "assistant"][-1:]
        last, said = Statements([*before, messages[-1]]), Statements(messages)
        known, new = ({kind for kind in kinds if values(each, kind)} for each in (said, last))
        if known == kinds and new:
            return True
        if unsaid := known - new:  # a date may be said in parts, which the last turn completes
            earlier = Statements(messages[:-1])
            if any(values(said, kind) != values(earlier, kind) for kind in unsaid):
                return True
        given = last.given()
        return (given in kinds and (given in new or given not in known)) or (
            "cpf" in kinds and said.cpf.of_somebody_else()
        )

    def allows(self, text: str, messages: Sequence[dict]) -> bool:
        """Whether a generated answer to these messages may be issued; a call that can't be read may not."""
        calls = message_of(text).get("tool_calls") or []
        if not calls and text.lstrip().startswith(OPEN):
            return False
        return not any(self.refusals(call["function"], messages) for call in calls)

    def refused(self, text: str, messages: Sequence[dict]) -> list[dict]:
        """What the model reads before it answers instead: its call and a tool's error; none if no single call is read.

        No client sees them: they are no part of the conversation.
        """
        calls = message_of(text).get("tool_calls") or []
        if len(calls) != 1:
            return []
        function = calls[0]["function"]
        read = {"type": "function", "function": function | {"arguments": escaped(function["arguments"])}}
        error = {"status": "error"} | self.refusals(function, messages)
        return [
            {"role": "assistant", "content": None, "tool_calls": [read]},
            {"role": "tool", "content": canonical(error)},
        ]

    def refusals(self, function: dict, messages: Sequence[dict]) -> dict[str, str]:
        """Why a call may not be issued, by argument; empty where it may."""
        if function["name"] not in self.schemas:
            return {"error": "unknown_tool"}
        arguments, stated = strict_json(function["arguments"]), self.stated[function["name"]]
        arguments = arguments if isinstance(arguments, dict) else {}
        said, valid = Statements(messages) if stated else None, self._valid(function)
        asked = {name: kind for name, kind in stated.items() if name in arguments or not valid}
        reasons = {name: getattr(said, kind).refusal(arguments.get(name)) for name, kind in asked.items()}
        found = {name: reason for name, reason in reasons.items() if reason}
        # What a draft got wrong though the user gave it is not asked for again.
        found = {name: reason for name, reason in found.items() if not values(said, stated[name])} or found
        # What was given and can't be taken is said first; what is missing is asked for afterwards.
        wrong = {name: reason for name, reason in found.items() if reason not in MISSING}
        return wrong or found or ({} if valid else {"error": "invalid_arguments"})

    def choices(self, text: str, messages: Sequence[dict]) -> list[str]:
        """The refused call with each set of arguments that the user stated; none where nothing fits.

        Of a call that can't be read it is known which tool it means where there is only one.
        """
        calls = [call["function"] for call in message_of(text).get("tool_calls") or []]
        if not calls and len(self.stated) == 1:
            calls = [{"name": next(iter(self.stated)), "arguments": "{}"}]
        stated = self.stated.get(calls[0]["name"]) if len(calls) == 1 else None
        if not stated:
            return []
        function, said, made = calls[0], Statements(messages), []
        drafted = strict_json(function["arguments"])
        if any(said.cpf.piece(drafted.get(name)) for name, kind in stated.items() if kind == "cpf"):
            return []
        every = [values(said, kind) for kind in stated.values()]
        for chosen in itertools.islice(itertools.product(*every), MOST + 1):
            arguments = drafted | dict(zip(stated, chosen, strict=True))
            call = {"type": "function", "function": function | {"arguments": canonical(arguments)}}
            if self._valid(call["function"]):
                made.append(text_of({"content": None, "tool_calls": [call]}))
        return made if len(made) <= MOST else []

    def _valid(self, function: dict) -> bool:
        return self.schemas[function["name"]].is_valid(strict_json(function["arguments"]))


def marks(parameters: dict) -> dict[str, str]:
    """Argument -> what of it the user must have stated; UserError for a mark that means nothing."""
    found = {name: rules["x-stated"] for name, rules in parameters.get("properties", {}).items() if "x-stated" in rules}
    for name, kind in found.items():
        if kind not in STATED:
            raise UserError(f"{NAME}: x-stated of {name} is {kind!r}; there are: {', '.join(STATED)}")
    return found


def values(said: Statements, kind: str) -> list[str]:
    """What the user stated of this kind, as the tool takes it."""
    return getattr(said, kind).values()


def mark(run: Path) -> str:
    """What else than the weights decides a run's answers: the tools and these rules, as a hash; empty without tools."""
    file = run / NAME
    rules = (*(module.__file__ for module in (*RULES, *BELOW)), names.COMMON_WORDS)
    parts = [file, *map(Path, (__file__, *rules))] if file.exists() else []
    return hashlib.sha256(b"".join(part.read_bytes() for part in parts)).hexdigest() if parts else ""


def judge(*runs: Path) -> Judge | None:
    """The judge of what these runs answer together; None where none has tools."""
    return Judge(runs) if files(runs) else None


def files(runs: Iterable[Path]) -> list[Path]:
    """The tools' files of those runs that have any."""
    return [run / NAME for run in runs if (run / NAME).exists()]


def tools(runs: Iterable[Path]) -> list[dict]:
    """The tools of these runs together."""
    return [tool for file in files(runs) for tool in json.loads(file.read_text(encoding="utf-8"))]
