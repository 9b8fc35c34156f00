"""What a recipe of dialogues refers to has to be there: lists, slots, answers, calls and results."""

from collections.abc import Iterator, Mapping

from scripts.config.yamlfile import Document
from scripts.data.person import CANONICAL, DRAWN, WRITERS
from scripts.data.phrasing import PhrasingError, lines, names, parse
from scripts.errors import Problem, suggestion

_SECTION_OF = {"bot": "answers", "call": "calls", "refused": "calls", "result": "results"}


def problems(documents: list[Document], recipe: Mapping) -> list[Problem]:
    """Every reference in these files that leads nowhere or round in a circle."""
    known = {*recipe["phrases"], *WRITERS, *recipe["facts"], *recipe["values"], *DRAWN}
    found = [documents[0].problem("$", "no file of this recipe has `kinds`")] if not recipe["kinds"] else []
    for document in documents:
        for path, block in _blocks(document.value):
            found += _in_block(document, path, block, known)
        found += _in_turns(document, recipe)
        for name, call in document.value.get("calls", {}).items():
            for argument, slot in call["arguments"].items():
                if slot not in CANONICAL:
                    path, choices = f"$.calls.{name}.arguments.{argument}", ", ".join(CANONICAL)
                    found.append(document.problem(path, f"{slot!r} has no canonical form; there are: {choices}"))
    return found or list(_circles(documents, recipe["phrases"]))


def _blocks(value: Mapping) -> Iterator[tuple[str, str]]:
    """(JSONPath, text) of everything in a file that is written in the phrasing language."""
    for name, block in value.get("phrases", {}).items():
        sides = block.items() if isinstance(block, dict) else [("", block)]
        yield from ((f"$.phrases.{name}" + (f".{side}" if side else ""), text) for side, text in sides)
    for name, answer in value.get("answers", {}).items():
        yield f"$.answers.{name}.say", answer["say"]
        for n, text in enumerate(answer.get("contains", [])):
            yield f"$.answers.{name}.contains[{n}]", text
    for name, shapes in value.get("results", {}).items():
        for n, shape in enumerate(shapes):
            yield from ((f"$.results.{name}[{n}].{key}", text) for key, text in shape.items())
    for path, turn in _turns(value):
        if "user" in turn:
            yield f"{path}.user", turn["user"]


def _turns(value: Mapping) -> Iterator[tuple[str, Mapping]]:
    for name, kind in value.get("kinds", {}).items():
        for n, flow in enumerate(kind["flows"]):
            for t, turn in enumerate(flow["turns"]):
                yield f"$.kinds.{name}.flows[{n}].turns[{t}]", turn


def _in_block(document: Document, path: str, block: str, known: set[str]) -> Iterator[Problem]:
    for offset, line in lines(block):
        try:
            wrong = [(f"there is no {{{name}}}", suggestion(name, known)) for name in names(parse(line)) - known]
        except PhrasingError as error:
            wrong = [(f"{error}, in {line[:60]!r}", "")]
        for message, hint in sorted(wrong):
            place = document.problem(path, message, hint)
            below = 1 + offset if "\n" in block else 0
            yield Problem(place.file, place.line + below, 0, path, message, hint)


def _in_turns(document: Document, recipe: Mapping) -> Iterator[Problem]:
    for path, turn in _turns(document.value):
        [(role, target)] = turn.items()
        section = _SECTION_OF.get(role)
        if section and target not in recipe[section]:
            hint = suggestion(target, recipe[section])
            yield document.problem(f"{path}.{role}", f"there is no {target!r} under {section}", hint)
    for name, kind in document.value.get("kinds", {}).items():
        for n, flow in enumerate(kind["flows"]):
            if not {"bot", "call"} & set(flow["turns"][-1]):
                path = f"$.kinds.{name}.flows[{n}].turns[{len(flow['turns']) - 1}]"
                yield document.problem(path, "a flow ends in a `bot` or `call` turn, which is what is learnt")


def _circles(documents: list[Document], phrases: Mapping) -> Iterator[Problem]:
    """Phrase lists that come to themselves again."""
    inner = {}
    for name, block in phrases.items():
        texts = block.values() if isinstance(block, dict) else [block]
        inner[name] = {other for text in texts for _, line in lines(text) for other in names(parse(line))} & set(
            phrases
        )
    done: set[str] = set()
    while free := {name for name in inner if name not in done and inner[name] <= done}:
        done |= free
    circle = set(inner) - done
    while outside := {name for name in circle if not any(name in inner[other] for other in circle)}:
        circle -= outside
    for document in documents:
        for name in document.value.get("phrases", {}):
            if name in circle:
                yield document.problem(f"$.phrases.{name}", f"{{{name}}} comes to itself again")
