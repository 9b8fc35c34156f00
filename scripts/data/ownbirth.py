"""The birth date that a user stated as their own, in any form that Brazilians write one, and what is wrong with it."""

import re
from collections.abc import Iterator
from datetime import date
from functools import cached_property
from types import SimpleNamespace

from scripts.data import birthparts, dateplaces, labels
from scripts.data.attribution import Said, UserText
from scripts.data.birthdates import compact_date, dates, impossible_date
from scripts.data.findings import Date, Finding, Known
from scripts.data.ownership import CORRECTION

_COMPACT = re.compile(r"(?<!\d)(?:\d{8}|\d{6})(?!\d)")
#: What is said last counts; whoever pastes a list must not keep a server busy with what could be made of it.
_LAST = 12


class OwnBirth:
    """The birth dates in what a user said; a value is AAAAMMDD, as a tool takes it."""

    def __init__(self, said: UserText):
        self.said = said

    def values(self) -> list[str]:
        """The birth dates that a call may have."""
        return [f"{day:%Y%m%d}" for day in self.days()]

    def days(self) -> list[date]:
        """Those written, and those that a later correction makes of them."""
        own, corrected = self._own
        late = {each.value for each in self._written if CORRECTION.search(self.said.text, each.end)}
        mended = dateplaces.mended(self.said.without_cpfs, [] if corrected else [each for each in own if each in late])
        real = [day for value in dict.fromkeys([*own, *mended, *self._retried]) if (day := _day(*value))]
        return [day for day in real if not self._not_own(day)]

    def refusal(self, value: object) -> str:
        """Why what a tool is about to receive can't be taken; empty where it can.

        Whoever wrote half of a date, or one that can't be, meant that.
        """
        try:
            refusal = self.not_own(day_of(value))
        except ValueError:
            refusal = "birth_date_does_not_exist" if self._impossible(value) else "birth_date_not_stated"
        return self.wrong or refusal if refusal == "birth_date_not_stated" else refusal

    def not_own(self, birth: date) -> str:
        """Why this date can't be taken as the user's own; empty where it can."""
        if refusal := self._not_own(birth):
            return refusal
        own, corrected = self._own
        standing = [_day(*value) for value in own]
        if birth in standing or birth in self.days() or not (corrected or any(standing)):
            return ""
        return "another_birth_date_meant" if any(standing) else "birth_date_does_not_exist"

    def meant(self) -> bool:
        """Whether a birth date is meant to be given, whether it can be or not."""
        return any(each.grade > 1 and not self.said.quoted(each.start) for each in self._written) or bool(self.wrong)

    @cached_property
    def wrong(self) -> str:
        """What is wrong with all that the user gave for one; empty where something can be one, or none is given."""
        if self._written:
            days = [day for each in self._written if (day := _day(*each.value))]
            past = any(day <= date.today() for day in days)
            return "" if past else "birth_date_in_the_future" if days else "birth_date_does_not_exist"
        if self._ahead:
            return "birth_date_in_the_future"
        return "birth_date_incomplete" if any(self._parts()) else ""

    @cached_property
    def _own(self) -> tuple[list[Date], bool]:
        """The dates that stand, whether the calendar has them or not; whether they correct others."""
        if self._put_right:
            return self._put_right, True
        own = [each for each in self._written if not (day := _day(*each.value)) or not self._not_own(day)]
        standing, corrected = self.said.standing(own)
        grown = [value for value in standing if value[0] <= date.today().year - labels.GROWN]
        return grown or standing, corrected

    @cached_property
    def _put_right(self) -> list[Date]:
        """What a later correction surely makes of the last date: its words name a part of it, or it is a year."""
        given, text = self._written[-1:], self.said.without_cpfs
        made = [value for each in given for value in dateplaces.put_right(text, each.end, each.value)]
        return [value for value in made[-1:] if _day(*value)]

    @cached_property
    def _retried(self) -> list[Date]:
        """What the next turn makes of the date, where all that was given can't be: "31/05/2065" … "é 1965"."""
        given = self._written or self._ahead
        if not given or any((day := _day(*each.value)) and day <= date.today() for each in given):
            return []
        turn = next((turn for turn in self.said.turns if turn.offset > given[-1].end), None)
        own = turn and self.said.claims(turn.offset + len(turn.text))[-1]
        return [*dateplaces.retried(turn.text, given[-1].value)] if own else []

    def _not_own(self, birth: date) -> str:
        value, said = (birth.year, birth.month, birth.day), self.said
        places = [place for place in dateplaces.places(said.text, said.digits, birth) if self._grade(*place, value)]
        places += [(each.start, each.end) for each in self._written if each.value == value]
        places = places or list(dateplaces.corrected(said.text, birth))
        if not places and value in [*self._put_right, *self._retried]:
            places = [(each.start, each.end) for each in self._written or self._ahead]
        if not places:
            return "birth_date_not_stated"
        if birth > date.today():
            return "birth_date_in_the_future"
        return "birth_date_of_somebody_else" if all(said.others(*place) for place in places) else ""

    def _impossible(self, value: object) -> bool:
        """Whether the user wrote this AAAAMMDD, which no calendar has."""
        if not isinstance(value, str) or not re.fullmatch("[0-9]{8}", value):
            return False
        year, month, day = int(value[:4]), int(value[4:6]), int(value[6:])
        form = SimpleNamespace(year=year, month=month, day=day)
        return not _day(year, month, day) and any(dateplaces.places(self.said.text, self.said.digits, form))

    @cached_property
    def _dates(self) -> list[Finding]:
        """Whatever is written as a date, of what else it may be too; none in a CPF."""
        return list(dates(self.said.without_cpfs, Known(asked_birth=True)))

    @cached_property
    def _written(self) -> list[Said]:
        """The last dates that may be births, whether the calendar has them or not; else one that is said in parts."""
        found = [(e.start, e.end, e.value) for e in self._dates if e.kind == "birth date"]
        text = self.said.text
        compact = [each for each in _COMPACT.finditer(text) if not labels.begins_cpf(text, each.start())]
        found += [(*each.span(), value) for each in compact if (value := compact_date(each[0]))]
        graded = [Said(*span, value, self._grade(*span, value)) for *span, value in sorted(found)]
        graded = [each for each in graded if each.grade]
        if not graded:  # of six or eight digits that no calendar has, what is said to be a birth
            wrong = [(*each.span(), value) for each in compact if (value := impossible_date(each[0]))]
            graded = [
                Said(*span, value, 3) for *span, value in wrong if labels.day(text, *span, value, asked=False) > 2
            ]
        if graded or not (parts := birthparts.joined(self.said.turns)):
            return graded[-_LAST:]
        ends, value = parts
        return [] if any(self.said.others(end - 1, end) for end in ends) else [Said(max(ends) - 1, max(ends), value, 3)]

    @cached_property
    def _ahead(self) -> list[Said]:
        """Dates to come that are given as births: so it is said, or it answers, and nothing else lies so far ahead."""
        today, made = date.today(), []
        for each in [each for each in self._dates if (day := _day(*each.value)) and day > today][-_LAST:]:
            born = labels.day(self.said.text, each.start, each.end, each.value, asked=False) > 2
            far = each.value[0] > today.year + labels.AHEAD and self._asked(each.start)
            if (born or far) and not self.said.others(each.start, each.end):
                made.append(Said(each.start, each.end, each.value, 3))
        return made

    def _parts(self) -> Iterator[bool]:
        """Of each day and month, or month and year, whether it may be half of the user's birth date."""
        for turn in self.said.turns:
            for end in birthparts.begun(turn):
                half = labels.part(self.said.text, end, self._asked(turn.offset))
                yield half and not self.said.others(end - 1, end)

    def _grade(self, start: int, end: int, value: Date) -> int:
        """How sure it is that the date there is a birth."""
        return labels.day(self.said.text, start, end, value, self._asked(start))

    def _asked(self, place: int) -> bool:
        return "nascimento" in self.said.asked(place)


def day_of(text: object) -> date:
    """The date of AAAAMMDD, as the tool takes it; ValueError where it is none."""
    if not isinstance(text, str) or len(text) != 8 or not (text.isascii() and text.isdigit()):
        raise ValueError("AAAAMMDD")
    return date(int(text[:4]), int(text[4:6]), int(text[6:]))


def _day(year: int, month: int, day: int) -> date | None:
    """The date, where there is such a day."""
    try:
        return date(year, month, day)
    except ValueError:
        return None
