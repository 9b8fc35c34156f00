"""How people really type: no accents, one case, abbreviations, slips of the finger, emoji, no full stop.

Weights are chances in 100 from the recipe. Digits never change; fixed pieces (dates in words, names)
only lose accents or change case.
"""

import random
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from scripts.data.phrasing import Piece

NEIGHBOURS = dict(zip("qwertyuiopasdfghjklzxcvbnm", "wertyuiopoSdfghjklkxcvbnmn".lower(), strict=True))
WORD = re.compile(r"[^\W\d_]+")


def plain(text: str) -> str:
    """The text without accents."""
    if text.isascii():
        return text
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))


def slip(word: str, rng: random.Random) -> str:
    """The word with one slip: letters swapped, one missing, doubled or beside the right key."""
    at = rng.randrange(1, len(word) - 1)
    kind = rng.randrange(4)
    if kind == 0:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if kind == 1:
        return word[:at] + word[at + 1 :]
    if kind == 2:
        return word[:at] + word[at] + word[at:]
    return word[:at] + NEIGHBOURS.get(word[at], word[at]) + word[at + 1 :]


class Noise:
    """The recipe's `noise`, ready to apply to a user's turn."""

    def __init__(self, rules: Mapping):
        self.rules = rules
        self.short: Mapping[str, Sequence[str]] = {k: v.split() for k, v in rules.get("abbreviations", {}).items()}
        self.emoji: Sequence[str] = rules.get("emoji_list", "").split()

    def mood(self, rng: random.Random) -> dict[str, bool]:
        """How one person types, for all the turns of a conversation."""
        mood = {name: rng.random() * 100 < self.rules.get(name, 0) for name in sorted(CHANCES)}
        mood["lower"] &= not mood["upper"]
        return mood

    def apply(self, pieces: Sequence[Piece], mood: Mapping[str, bool], rng: random.Random) -> str:
        """The pieces as that person types them."""
        texts = [piece.text if piece.fixed else self._typed(piece.text, mood, rng) for piece in pieces]
        text = tidy(joined(texts))
        if mood["no_final_mark"]:
            text = re.sub(r"(?<=[^\W\d_])[.!]+$", "", text)
        if mood["no_accents"]:
            text = plain(text)
        if mood["upper"]:
            text = text.upper()
        elif mood["lower"]:
            text = text.lower()
        elif mood["capital"]:
            text = text[:1].upper() + text[1:]
        if mood["emoji"] and self.emoji and rng.random() < 0.7:
            text += " " + rng.choice(self.emoji)
        return text

    def _typed(self, text: str, mood: Mapping[str, bool], rng: random.Random) -> str:
        if mood["abbreviate"]:
            text = WORD.sub(lambda m: self._shortened(m.group(), rng), text)
        if mood["typos"]:
            words = [m for m in WORD.finditer(text) if len(m.group()) >= 5]
            if words and rng.random() < 0.4:
                word = rng.choice(words)
                text = text[: word.start()] + slip(word.group(), rng) + text[word.end() :]
        return text.replace(",", "") if mood["no_commas"] else text

    def _shortened(self, word: str, rng: random.Random) -> str:
        options = self.short.get(word.lower())
        return rng.choice(options) if options and rng.random() < 0.7 else word


CHANCES = ("no_final_mark", "no_accents", "upper", "lower", "capital", "emoji", "abbreviate", "typos", "no_commas")


def joined(texts: Iterable[str]) -> str:
    """The texts one after the other, with a space where two words would run together."""
    whole = ""
    for text in texts:
        whole += " " + text if whole[-1:].isalnum() and text[:1].isalnum() else text
    return whole


def tidy(text: str) -> str:
    """One space between words, none before a comma or at a line's end."""
    text = re.sub(r"[ \t]+", " ", text)
    text = re.sub(r" (?=[,.!?;:\n])|(?<=\n) ", "", text)
    text = re.sub(r"(?<=[?!])[,.;:]+|(?<=[,;:])\.|\.(?=[,;:])", "", text)
    return re.sub(r"^[ ,;]+|[ ,;\n]+$", "", text)
