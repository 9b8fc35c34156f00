"""Whose data stands where, in all that the user of a conversation said, and what of it was corrected.

Every place is attributed by the nearest phrase before it that says whose data comes (scripts/data/ownership.py), or one
right after it. Of several values that the user gave, those stand that nothing later corrects.
"""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from scripts.data import labels, names, numerals, userturns
from scripts.data.findings import Date
from scripts.data.ownership import (
    AFTER,
    ASKS_ONLY_OWN,
    ASKS_OTHERS,
    CORRECTION,
    MENTIONED,
    NAMED,
    OTHERS,
    OWN,
    POSSESSED,
    QUOTED,
    RELATIVES,
    RELAYED,
    SENTENCE_END,
    SUPPOSED,
    TRADE,
    VOCATIVE,
    VOID,
)

#: A CPF in groups or digit by digit, over digits.
IN_GROUPS = re.compile(r"(?<!\d)(?<!\d[.-])\d{3}[. ]?\d{3}[. ]?\d{3}[-./ ]?\d{2}(?!\d)")
SPELLED = re.compile(r"(?<!\d)\d(?: +\d){10}(?!\d)")
_DATE_WORD = re.compile(r"\b(?:data|dt)\b(?! d[ao])")
_REST_OF_WORDS = re.compile(rf"[a-z]*(?: e (?:{'|'.join(numerals.VALUES)})\b)*")


@dataclass(frozen=True)
class Said:
    """A CPF (11 digits) or a date (year, month, day) in the text, and how sure it is that it is meant as the user's."""

    start: int
    end: int
    value: str | Date
    grade: int


class UserText:
    """All that the user of a conversation said, turn after turn; `digits` is the text with digits for number words."""

    def __init__(self, messages: Sequence[dict]):
        self.turns = list(userturns.turns(messages))
        self.text = userturns.SEPARATOR.join(turn.text for turn in self.turns)
        self.digits = userturns.SEPARATOR.join(turn.digits for turn in self.turns)
        others = {found.end() for found in OTHERS.finditer(self.text)}
        others |= {found.end() for found in POSSESSED.finditer(self.text) if _relative(found[1])}
        others |= {found.end(2) for found in NAMED.finditer(self.text) if names.is_person(*found.groups())}
        others -= {found.end() for found in VOCATIVE.finditer(self.digits)}
        self._marks = sorted(
            [(found.end(), True) for found in OWN.finditer(self.text)] + [(at, False) for at in others]
        )
        self._mentioned, self._trades = (_within(pattern, self.text, others) for pattern in (MENTIONED, TRADE))
        self._told = [turn.offset for turn in self.turns if ASKS_ONLY_OWN.search(userturns.folded(turn.asked))]
        self._quotations: dict[int, bool] = {}

    @cached_property
    def cpf_forms(self) -> list[tuple[int, int]]:
        """Where something is written as a CPF: in its groups, or digit by digit."""
        return [found.span() for pattern in (IN_GROUPS, SPELLED) for found in pattern.finditer(self.digits)]

    @cached_property
    def without_cpfs(self) -> str:
        """The text with what is written as a CPF crossed out."""
        return crossed(self.text, self.cpf_forms)

    @cached_property
    def undated(self) -> str:
        """The text, in digits, with the dates crossed out."""
        return labels.undated(self.digits)

    def asked(self, place: int) -> str:
        """What the turn that has this place answers."""
        return next((turn.asked for turn in reversed(self.turns) if turn.offset <= place), "")

    def turn_of(self, place: int) -> tuple[int, int]:
        """Where the turn that has this place begins and ends."""
        over = self.text.find("|", place)
        return self.text.rfind("|", 0, place) + 1, over if over > 0 else len(self.text)

    def claims(self, place: int) -> list[bool]:
        """Whose data comes next, by each phrase before a place, True for the user's own, which it is to begin with.

        And again where the user was told that only their own will do.
        """
        told, passing = max((at for at in self._told if at <= place), default=0), set()
        if (self._mentioned or self._trades) and _asks_own(self.asked(place)):
            turn, _ = self.turn_of(place)
            passing = self._trades | {at for at in self._mentioned if at < turn}
        return [True] + [own for at, own in self._marks if told <= at <= place and at not in passing]

    def others(self, start: int, end: int) -> bool:
        """Whether what stands here is said of somebody else, or not in earnest."""
        if not self.claims(start)[-1]:
            return True
        # Digits that were words end with them.
        word_end = _REST_OF_WORDS.match(self.text, end).end() if self.text[end - 1 : end].isalpha() else end
        return bool(AFTER.match(self.text, word_end) or self.quoted(start))

    def quoted(self, start: int) -> bool:
        """Whether somebody else's words are being repeated here, or it is denied or only supposed."""
        if start not in self._quotations:
            turn, over = self.turn_of(start)
            before, whole = self.text[turn:start], self.text[turn:over]
            sentence = before[max((found.end() for found in SENTENCE_END.finditer(before)), default=0) :]
            said = before[max(before.rfind("!"), before.rfind("?")) + 1 :]
            found = RELAYED.search(said) or QUOTED.search(before) or SUPPOSED.search(sentence) or VOID.search(whole)
            self._quotations[start] = bool(found)
        return self._quotations[start]

    def alone(self, start: int, cpf: str) -> bool:
        """Whether no other CPF stands before it in its turn, or the turn says that it is the user's or a correction."""
        turn, _ = self.turn_of(start)
        said = self.digits[turn:start]
        found = (each for each in IN_GROUPS.finditer(said) if labels.number(said, *each.span()))
        if not {labels.plain(each[0]) for each in found} - {cpf}:
            return True
        sentence = max(self.text.rfind(mark, 0, start) for mark in "\n|!?;")
        claimed = any(own and sentence < at <= start for at, own in self._marks)
        return claimed or bool(CORRECTION.search(self.text, turn, start))

    def standing(self, found: list[Said], sure: bool = False) -> tuple[list, bool]:
        """The values that stand, none that a later one corrects and in each turn the surest; whether one is corrected.

        `sure`: only the surest of all turns.
        """
        at = next((at for at in reversed(range(len(found))) if self._corrects(found, at)), 0)
        found = (sure and [each for each in found[at:] if each.grade > 2]) or found[at:]
        turns = [self.turn_of(each.start)[0] for each in found]
        best = {turn: max(e.grade for e, t in zip(found, turns, strict=True) if t == turn) for turn in turns}
        least = max([1, *(min(2, each) for each in best.values())])
        kept = [e.value for e, t in zip(found, turns, strict=True) if e.grade == best[t] >= least]
        return list(dict.fromkeys(kept)), at > 0

    def _corrects(self, found: list[Said], at: int) -> bool:
        """Whether this one stands in the place of those before it: a correction is between them, or after it."""
        said = found[at]
        before = [each for each in found[:at] if each.value != said.value]
        if not before:
            return False
        between = self.text[before[-1].end : said.start]
        if said.grade == 1 and any(each.grade > 1 for each in before) and not _DATE_WORD.search(between):
            return False
        turn, over = self.turn_of(said.start)
        if CORRECTION.search(self.text, max(turn, before[-1].end), said.start):
            return True
        alone = before[-1].end < turn and not any(each.start < over for each in found[at + 1 :])
        return alone and bool(CORRECTION.search(self.text, said.end, over))


def crossed(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """The text with these places crossed out, character by character."""
    for start, end in spans:
        text = text[:start] + "x" * (end - start) + text[end:]
    return text


def _within(pattern: re.Pattern, text: str, places: set[int]) -> set[int]:
    """The places that stand within a find of the pattern, or at its end."""
    found = [each.span() for each in pattern.finditer(text)]
    return {at for at in places if any(start < at <= end for start, end in found)}


def _asks_own(asked: str) -> bool:
    """Whether a question is for the user's own data, and nobody else's."""
    asked = userturns.folded(asked)
    return "seu" in asked and not ASKS_OTHERS.search(asked)


@lru_cache(4096)
def _relative(word: str) -> bool:
    """Whether the word is a relative's, give or take a letter: "fiha", but not "atraso"."""
    near = difflib.get_close_matches(word, RELATIVES, n=1, cutoff=0.82)
    return word in RELATIVES or (bool(near) and not names.is_common(word))
