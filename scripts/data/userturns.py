"""What the user of a conversation said, folded: turn by turn, with what was asked before, and with digits for words."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from scripts.data import numerals

_DIGITS = {word: str(n) for n, word in enumerate(numerals.UNITS)}
_DIGITS |= {"uma": "1", "duas": "2", "meia": "6"}
#: Words of one number that no other word contains; "dez" may be December.
_TEENS = {word for word, value in numerals.VALUES.items() if 10 < value < 1000}
_DIGIT_WORD = re.compile(rf"\b(?:{'|'.join(_DIGITS)})\b")
#: Between two turns; no turn contains it.
SEPARATOR = "\n|\n"


@dataclass(frozen=True)
class Turn:
    """A turn of the user: where it begins in all that was said, its text, as long with digits, what it answers."""

    offset: int
    text: str
    digits: str
    asked: str


def turns(messages: Sequence[dict]) -> Iterator[Turn]:
    """Each turn of the user."""
    asked, at = "", 0
    for message in messages:
        text = message.get("content")
        if message.get("role") == "assistant":
            asked = text if isinstance(text, str) else ""
        elif message.get("role") == "user" and isinstance(text, str):
            turn = folded(text).replace("|", ";")
            yield Turn(at, turn, digits(turn), asked)
            at += len(turn) + len(SEPARATOR)


def digits(text: str) -> str:
    """A folded text of the same length, with digits for number words: "meia", "cento e vinte e tres"."""
    for each in numerals.numbers(text):
        said = text[each.start : each.end]
        if (" " in said and said[0].isalpha()) or said in _TEENS:
            text = text[: each.start] + each.digits.ljust(len(said)) + text[each.end :]
    return _DIGIT_WORD.sub(lambda found: _DIGITS[found[0]].ljust(len(found[0])), text)


def folded(text: str) -> str:
    """Lower case, one form for each character, without accents and invisible characters."""
    text = unicodedata.normalize("NFKD", text).casefold()
    return "".join(char for char in text if not unicodedata.combining(char) and unicodedata.category(char) != "Cf")
