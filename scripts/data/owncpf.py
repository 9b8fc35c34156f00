"""The CPF that a user stated as their own, in any form that Brazilians write one, and what is wrong with it."""

import re
from functools import cached_property

from scripts.data import labels
from scripts.data.attribution import Said, UserText, crossed

_PARTED = r"ponto|traco|tracinho|hifen|barra|espaco|final|digitos?|depois(?: vem)?|(?:e )?termina(?:ndo)? (?:em|com)"
_BETWEEN = rf"(?:[\s.,/_-]|\b(?:{_PARTED})\b){{0,30}}"
#: Where a CPF ends: not in a longer number ("70290990820-69"), unless a date or another number follows.
_END = r"(?!\d)(?![.-]\d{1,4}(?!\d|[/.-]\d| d[eo] ))"
#: A group after eleven digits in groups: of a longer number.
_MORE = re.compile(
    r"[ /]\d{1,4}(?![\d/-]|\.\d| d[eo] )"
    r"(?! *(?:[a-z]{3,} )?(?:anos?|reais|boletos?|vezes|dias?|meses)\b)"
)
_LOOSE = re.compile(rf"(?<!\d)(?<!\d\.)(?=(\d(?:{_BETWEEN}\d){{10}}){_END})")
#: What is said last counts; whoever pastes a list must not keep a server busy with what could be made of it.
_LAST, _PLACES = 13, 24


class OwnCpf:
    """The CPFs in what a user said; a value is 11 digits, as a tool takes it."""

    def __init__(self, said: UserText):
        self.said = said

    def values(self) -> list[str]:
        """The CPFs that a call may have: in groups or spelled out, else any 11 digits; of several turns the last's."""
        turns = {each.value: self.said.turn_of(each.start) for each in self._stated}
        return [cpf for cpf in self._standing if turns[cpf] == max(turns[other] for other in self._standing)]

    def refusal(self, value: object) -> str:
        """Why what a tool is about to receive can't be taken; empty where it can.

        Whoever wrote no CPF but a number of another length, or somebody else's, meant that one.
        """
        written = isinstance(value, str) and value.isascii() and value.isdigit()
        refusal = self.not_own(value) if written and len(value) == 11 else "cpf_not_stated"
        if not refusal and value not in self.values():
            return "another_cpf_meant"
        if refusal != "cpf_not_stated":
            return refusal
        length = len(value) if self._longer_or_shorter(value) else self._length_meant()
        if length != 11:
            return "cpf_too_short" if length < 11 else "cpf_too_long"
        return "cpf_of_somebody_else" if self._of_others else refusal

    def not_own(self, cpf: str) -> str:
        """Why this CPF (11 digits) can't be taken as the user's own; empty where it can."""
        other = self._standing and cpf not in self._standing
        return self._not_own(cpf) or ("another_cpf_meant" if other else "")

    def piece(self, value: object) -> bool:
        """Whether a CPF that stands is but a piece of this other number that the user wrote, or the other way round."""
        return self._longer_or_shorter(value) and any(value in cpf or cpf in value for cpf in self._standing)

    def meant(self) -> bool:
        """Whether the last turn means to give a CPF, of whatever length."""
        last = self.said.turns[-1]
        return any(labels.meant_as_cpf(last.digits, "CPF" in last.asked))

    def of_somebody_else(self) -> bool:
        """Whether the last turn gives somebody else's, where the user gave none of their own."""
        return any(each.start >= self.said.turns[-1].offset for each in self._of_others)

    @cached_property
    def _stated(self) -> list[Said]:
        """Numbers that may be the user's own CPF."""
        return [each for each in self._numbers if not self._not_own(each.value)]

    @cached_property
    def _standing(self) -> list[str]:
        return self.said.standing(self._stated, sure=True)[0]

    @cached_property
    def _of_others(self) -> list[Said]:
        """Numbers that are meant as somebody else's CPF, where none is the user's own."""
        said, found = self.said, [] if self._standing else [each for each in self._numbers if each.grade > 2]
        return [each for each in found if said.others(each.start, each.end) and not said.quoted(each.start)]

    def _not_own(self, cpf: str) -> str:
        places = [place for place in self._places(cpf, self.said.digits) if labels.number(self.said.digits, *place)]
        if not 0 < len(places) <= _PLACES:
            return "cpf_not_stated"
        if any(self.said.others(*place) for place in places):
            return "cpf_of_somebody_else"
        return "" if any(self.said.alone(start, cpf) for start, _ in places) else "second_cpf_not_claimed"

    @staticmethod
    def _places(digits: str, text: str) -> list[tuple[int, int]]:
        """Where the text has this number, however it is parted."""
        pattern = re.compile(r"(?<!\d)" + _BETWEEN.join(digits) + _END)
        return [found.span() for found in pattern.finditer(text)]

    def _longer_or_shorter(self, value: object) -> bool:
        """Whether the user wrote a number of another length than a CPF's, which is this one and no date."""
        digits = isinstance(value, str) and value.isascii() and value.isdigit()
        return bool(digits and 5 <= len(value) <= 40 and len(value) != 11 and self._places(value, self.said.undated))

    def _length_meant(self) -> int:
        """Digits of the number that is meant as a CPF and is none; 11 where none is, or a real one is there."""
        if self._standing:
            return 11
        numbers = (each for turn in self.said.turns for each in labels.meant_as_cpf(turn.digits, "CPF" in turn.asked))
        return min(map(len, numbers), key=lambda length: abs(length - 11), default=11)

    @cached_property
    def _numbers(self) -> list[Said]:
        """The last numbers that may be CPFs: what is written as one, and any 11 digits in the rest of the text."""
        written, digits = self.said.cpf_forms, self.said.digits
        loose = {found.span(1) for found in _LOOSE.finditer(crossed(self.said.undated, written))}
        # What looks like a date is none right after the word CPF: "62 39 01 77 84 5".
        after_word = (found for found in _LOOSE.finditer(digits) if not re.search("[,\n]", found[1]))
        loose |= {found.span(1) for found in after_word if labels.begins_cpf(digits, found.start(1))}
        found = [each for each in (self._number(*span) for span in sorted(loose.union(written))) if each.grade]
        return found[-_LAST:]

    def _number(self, start: int, end: int) -> Said:
        digits = self.said.digits
        longer = _MORE.match(self.said.undated, end) and re.search(r"\d[ ./]\d", digits[start:end])
        grade = 0 if longer else labels.number(digits, start, end)
        answers = grade == 2 and "CPF" in self.said.asked(start)
        return Said(start, end, labels.plain(digits[start:end]), 3 if answers else grade)
