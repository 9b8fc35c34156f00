"""Scores of an anonymiser on cases: what is left of whom, what was masked needlessly, and whether it agrees."""

import json
import re
from collections import Counter

from anonymise_cases import DIGITS, cases, date_forms

from scripts.data.anonymous import anonymise
from scripts.data.anonymous import texts as texts_of
from scripts.data.identifiers import Allowed, found
from scripts.data.names import uncommon_lower

INSTITUTION = Allowed(["(84) 4020-8900"])


def scores(count: int, seed: int) -> tuple[dict[str, tuple[int, int]], list[str]]:
    """Kind -> (right, of), and what went wrong, for reading."""
    made = cases(count, seed)
    common = uncommon_lower(list(texts_of(row)) for row, _ in made)
    right, total, wrong = Counter(), Counter(), []

    def count_one(kind: str, good: bool, what: str) -> None:
        total[kind] += 1
        right[kind] += good
        if not good:
            wrong.append(f"{kind}: {what}")

    for row, texts in made:
        new, _ = anonymise(row, INSTITUTION, common)
        whole = json.dumps(new, ensure_ascii=False)
        left = [what for what in found(whole, INSTITUTION)]
        count_one("no real identifier left", not left, f"{left} in {whole}")
        arguments = _arguments(new)
        for place, text in texts:
            after = new["messages"][place]["content"]
            for slot in text.slots:
                kind = f"{slot.kind} {slot.form}" if slot.kind == "CPF" else slot.kind
                count_one(kind, _gone(slot, after), f"{slot.written!r} in {after!r}")
            words, changed = _literal_words(text, after)
            total["words kept"] += words
            right["words kept"] += words - changed
            if changed:
                wrong.append(f"words: {text} -> {after}")
            for slot in text.slots if arguments else ():
                if slot.kind == "CPF":
                    count_one("consistent", arguments["cpf"] in _digits(after), f"{arguments} {after}")
                elif slot.kind == "birth date":
                    forms = date_forms(*_date(arguments["data_nascimento"]))
                    near = any(_alike(form) in _alike(after) for _, form in forms)
                    count_one("consistent", near, f"{arguments} {after}")
    return {kind: (right[kind], total[kind]) for kind in total}, wrong


def _arguments(row: dict) -> dict:
    calls = [call for message in row["messages"] for call in message.get("tool_calls", ())]
    return json.loads(calls[0]["function"]["arguments"]) if calls else {}


def _gone(slot, after: str) -> bool:
    low = after.lower()
    if slot.kind in ("name", "address"):
        words = [word for word in slot.value.lower().split() if len(word) > 3]
        return not any(re.search(rf"\b{re.escape(word)}\b", low) for word in words)
    return slot.written.lower() not in low and slot.value not in re.sub(r"\D", "", after)


def _literal_words(text, after: str) -> tuple[int, int]:
    before = Counter(word for part in text.parts for word in re.findall(r"\w+", part))
    return before.total(), (before - Counter(re.findall(r"\w+", after))).total()


def _digits(text: str) -> str:
    """The digits of a text, in figures or in words."""
    words = {word: str(digit) for digit, word in enumerate(DIGITS)} | {"meia": "6"}
    return "".join(
        words.get(each, "") if each.isalpha() else each for each in re.findall(r"\d|[^\W\d_]+", text.lower())
    )


def _date(text: str) -> tuple[int, int, int]:
    return int(text[:4]), int(text[4:6]), int(text[6:])


def _alike(text: str) -> str:
    """Without capitals, padding zeros and the first day's two names."""
    return re.sub(r"\b0", "", text.lower()).replace("primeiro", "um")
