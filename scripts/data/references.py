"""What a recipe of dialogues refers to has to be there: lists, slots, answers, calls and results."""

import re
from collections.abc import Iterator, Mapping

from scripts.config.yamlfile import Document
from scripts.data.person import CANONICAL, DRAWN, WRITERS
from scripts.data.phrasing import Name, PhrasingError, lines, parse, references
from scripts.data.spoken import MONTH_FORMS
from scripts.errors import Problem, suggestion

#: Paths of what users say; answers and results name slots, facts and values alone.
_SAID = ("$.phrases.", "$.kinds.")
_USED = re.compile(r"[{=](\w+)")
_NOTES = "nothing but notes: each line begins with #"
_SECTION_OF = {"bot": "answers", "call": "calls", "refused": "calls", "result": "results"}


def problems(documents: list[Document], recipe: Mapping) -> list[Problem]:
    """Every reference in these files that leads nowhere or round in a circle."""
    slots = {*WRITERS, *recipe["facts"], *recipe["values"], *DRAWN}
    found = [documents[0].problem("$", "no file of this recipe has `kinds`")] if not recipe["kinds"] else []
    for document in documents:
        for path, block, listed in _blocks(document.value):
            known = recipe["phrases"] if path.startswith(_SAID) else {}
            found += _in_block(document, path, block, listed, known, slots)
        values = document.value.get("values", {}).items()
        found += [document.problem(f"$.values.{name}", _NOTES) for name, block in values if not lines(block)]
        found += _in_turns(document, recipe)
        for name, call in document.value.get("calls", {}).items():
            for argument, slot in call["arguments"].items():
                if slot not in CANONICAL:
                    path, choices = f"$.calls.{name}.arguments.{argument}", ", ".join(CANONICAL)
                    found.append(document.problem(path, f"{slot!r} has no canonical form; there are: {choices}"))
    found += _in_people(documents, recipe)
    return found or list(_circles(documents, recipe["phrases"]))


def _blocks(value: Mapping) -> Iterator[tuple[str, str, bool]]:
    """(JSONPath, text, whether each line is one) of everything in a file that is written in the phrasing language."""
    for name, block in value.get("phrases", {}).items():
        sides = block.items() if isinstance(block, dict) else [("", block)]
        yield from ((f"$.phrases.{name}" + (f".{side}" if side else ""), text, True) for side, text in sides)
    for name, answer in value.get("answers", {}).items():
        yield f"$.answers.{name}.say", answer["say"], True
        for n, text in enumerate(answer.get("contains", [])):
            yield f"$.answers.{name}.contains[{n}]", text, False
    for name, shapes in value.get("results", {}).items():
        for n, shape in enumerate(shapes):
            yield from ((f"$.results.{name}[{n}].{key}", text, False) for key, text in shape.items())
    for path, turn in _turns(value):
        if "user" in turn:
            yield f"{path}.user", turn["user"], False


def _turns(value: Mapping) -> Iterator[tuple[str, Mapping]]:
    for name, kind in value.get("kinds", {}).items():
        for n, flow in enumerate(kind["flows"]):
            for t, turn in enumerate(flow["turns"]):
                yield f"$.kinds.{name}.flows[{n}].turns[{t}]", turn


def _in_block(
    document: Document, path: str, block: str, listed: bool, lists: Mapping, slots: set[str]
) -> Iterator[Problem]:
    """What is wrong in a text of the phrasing language that may name these lists and slots."""
    rows = lines(block) if listed else [(-1, block)]
    if not rows:
        yield document.problem(path, _NOTES)
    for offset, line in rows:
        try:
            wrong = {each for name in references(parse(line)) for each in _unknown(name, lists, slots)}
        except PhrasingError as error:
            wrong = [(f"{error}, in {line[:60]!r}", "")]
        for message, hint in sorted(wrong):
            place = document.problem(path, message, hint)
            below = 1 + offset if "\n" in block else 0
            yield Problem(place.file, place.line + below, 0, path, message, hint)


def _unknown(name: Name, lists: Mapping, slots: set[str]) -> Iterator[tuple[str, str]]:
    """(what a reference names and nobody defines, what may have been meant); only slots can be swapped."""
    known = {*lists, *slots}
    if name.name not in known:
        there = "" if lists else " here, where only slots, facts and values are said"
        yield f"there is no {{{name.name}}}{there}", suggestion(name.name, known)
    for slot in {slot for swap in name.swaps for slot in swap} - slots:
        yield f"there is no slot {slot!r} to swap", suggestion(slot, slots)


def _in_people(documents: list[Document], recipe: Mapping) -> Iterator[Problem]:
    """Names and forms that some of the people or dates of these texts could not be written with."""
    if len(recipe["people"]["last"].split()) < 2:
        yield documents[0].problem("$.people.last", "two last names at least: people have one or two of them")
    forms = set(recipe["forms"]["birth"])
    used = {slot for each in documents for _, text, _ in _blocks(each.value) for slot in _USED.findall(text)}
    if "birth_month" in used and not forms & MONTH_FORMS:
        yield documents[0].problem("$.forms.birth", "no form names the month, and {birth_month} needs one")
    if "bad_birth" in used and (forms <= MONTH_FORMS or all("words" in form for form in forms)):
        yield documents[0].problem("$.forms.birth", "no form is of digits alone, and {bad_birth} needs one")


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
        inner[name] = {each.name for text in texts for _, line in lines(text) for each in references(parse(line))}
        inner[name] &= set(phrases)
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
