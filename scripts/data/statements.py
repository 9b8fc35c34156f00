"""What a user stated about themselves: a CPF and a birth date, in any form that Brazilians write them.

Only user turns count. The question is never "which CPFs are in the text" but "did the user state this one, as
theirs": a value that a tool is about to receive is searched for in all its written forms, and every place where it
stands is attributed by the nearest phrase that says whose it is. Said of somebody else once, a CPF stays theirs.
`cpfs` and `births` list what stands, for a model that must choose among it: what was corrected does not.
"""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache
from types import SimpleNamespace

from scripts.data import birthparts, dateplaces, labels, names, numerals, userturns
from scripts.data.birthdates import compact_date, dates, impossible_date
from scripts.data.findings import Finding, Known
from scripts.data.ownership import (
    AFTER,
    ASKS_OTHERS,
    CORRECTION,
    MENTIONED,
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

_PARTED = r"ponto|traco|tracinho|hifen|barra|espaco|final|digitos?|depois(?: vem)?|(?:e )?termina(?:ndo)? (?:em|com)"
_BETWEEN = rf"(?:[\s.,/_-]|\b(?:{_PARTED})\b){{0,30}}"
_CPF = re.compile(r"(?<!\d)(?<!\d[.-])\d{3}[. ]?\d{3}[. ]?\d{3}[-./ ]?\d{2}(?!\d)")
_SPELLED = re.compile(r"(?<!\d)\d(?: +\d){10}(?!\d)")
#: Where a CPF ends: not in a longer number ("70290990820-69"), unless a date or another number follows.
_END_OF_CPF = r"(?!\d)(?![.-]\d{1,4}(?!\d|[/.-]\d| d[eo] ))"
#: A group after eleven digits in groups: of a longer number.
_MORE = re.compile(r"[ /]\d{1,4}(?![\d/.-]| d[eo] )(?! *(?:[a-z]{3,} )?(?:anos?|reais|boletos?|vezes|dias?|meses)\b)")
_LOOSE = re.compile(rf"(?<!\d)(?<!\d\.)(?=(\d(?:{_BETWEEN}\d){{10}}){_END_OF_CPF})")
_COMPACT = re.compile(r"(?<!\d)(?:\d{8}|\d{6})(?!\d)")
_DATE_WORD = re.compile(r"\b(?:data|dt)\b(?! d[ao])")
_REST_OF_WORDS = re.compile(rf"[a-z]*(?: e (?:{'|'.join(numerals.VALUES)})\b)*")
#: What is said last counts; whoever pastes a list must not keep a server busy with what could be made of it.
_LAST_DATES, _LAST_CPFS, _PLACES = 12, 13, 24


@dataclass(frozen=True)
class Said:
    """A CPF (11 digits) or a date (year, month, day) in the text, and how sure it is that it is meant as the user's."""

    start: int
    end: int
    value: str | tuple[int, int, int]
    grade: int


class Statements:
    """The user's side of one conversation, ready to be asked about."""

    def __init__(self, messages: Sequence[dict]):
        self._quotations: dict[int, bool] = {}
        self.turns = list(userturns.turns(messages))
        self.text = userturns.SEPARATOR.join(turn.text for turn in self.turns)
        self.digits = userturns.SEPARATOR.join(turn.digits for turn in self.turns)
        others = {found.end() for found in OTHERS.finditer(self.text)}
        others |= {found.end() for found in POSSESSED.finditer(self.text) if _relative(found[1])}
        others -= {found.end() for found in VOCATIVE.finditer(self.digits)}
        self.marks = sorted([(found.end(), True) for found in OWN.finditer(self.text)] + [(at, False) for at in others])
        mentioned = [found.span() for found in MENTIONED.finditer(self.text)]
        self.mentioned = {at for at in others if any(start < at <= end for start, end in mentioned)}
        trades = [found.span() for found in TRADE.finditer(self.text)]
        self.trades = {at for at in others if any(start < at <= end for start, end in trades)}

    @cached_property
    def undated(self) -> str:
        """All that the user said, in digits, with the dates crossed out."""
        return labels.undated(self.digits)

    @cached_property
    def _rest(self) -> str:
        """The same with the CPFs crossed out, as far as they are written like one."""
        return _crossed(self.text, self._in_groups())

    def cpfs(self) -> list[str]:
        """The CPFs that a call may have: the user's own, in groups or spelled out, else any 11 digits; of several
        turns that give one, the last one's.
        """
        turns = {each.value: self.text.count("|", 0, each.start) for each in self._stated}
        return [cpf for cpf in self._own_cpfs if turns[cpf] == max(turns[other] for other in self._own_cpfs)]

    def births(self) -> list[date]:
        """The birth dates that a call may have: those written, and those that a later correction makes of them."""
        written, corrected = self._own_dates
        late = {each.value for each in self._written if CORRECTION.search(self.text, each.end)}
        mended = dateplaces.mended(self._rest, [] if corrected else [each for each in written if each in late])
        real = [day for value in dict.fromkeys([*written, *mended, *self._retried]) if (day := _day(*value))]
        return [day for day in real if not self._not_own_birth(day)]

    @cached_property
    def _retried(self) -> list[tuple[int, int, int]]:
        """What the next turn makes of the date, where all that was given can't be: "31/05/2065" … "é 1965"."""
        given = self._written or self._ahead
        if not given or any((day := _day(*each.value)) and day <= date.today() for each in given):
            return []
        turn = next((turn for turn in self.turns if turn.offset > given[-1].end), None)
        own = turn and self._claims(turn.offset + len(turn.text))[-1]
        return [*dateplaces.retried(turn.text, given[-1].value)] if own else []

    @cached_property
    def _right(self) -> list[tuple[int, int, int]]:
        """What a later correction surely makes of the last date: the words name a part of it, or it is a year."""
        given = self._written[-1:]
        made = [value for each in given for value in dateplaces.put_right(self._rest, each.end, each.value)]
        return [value for value in made[-1:] if _day(*value)]

    @cached_property
    def _stated(self) -> list[Said]:
        """Numbers that may be the user's own CPF."""
        return [each for each in self._numbers() if not self._not_own_cpf(each.value)]

    @cached_property
    def _own_cpfs(self) -> list[str]:
        return self._standing(self._stated, sure=True)[0]

    @cached_property
    def _own_dates(self) -> tuple[list[tuple[int, int, int]], bool]:
        """The user's dates that stand, whether the calendar has them or not; whether they correct others."""
        own = [each for each in self._written if not (day := _day(*each.value)) or not self._not_own_birth(day)]
        if self._right:
            return self._right, True
        written, corrected = self._standing(own)
        grown = [value for value in written if value[0] <= date.today().year - labels.GROWN]
        return grown or written, corrected

    def cpf_refusal(self, value: object) -> str:
        """Why what a tool is about to receive as the user's CPF can't be taken; empty where it can.

        Whoever wrote no CPF but a number of another length meant that one.
        """
        written = isinstance(value, str) and value.isascii() and value.isdigit()
        refusal = self.own_cpf(value) if written and len(value) == 11 else "cpf_not_stated"
        if not refusal and value not in self.cpfs():
            return "another_cpf_meant"
        if refusal != "cpf_not_stated":
            return refusal
        length = len(value) if self.wrong_cpf(value) else self._length_meant()
        if length != 11:
            return "cpf_too_short" if length < 11 else "cpf_too_long"
        return "cpf_of_somebody_else" if self._others_cpfs else refusal

    def birth_refusal(self, value: object) -> str:
        """The same of a birth date as AAAAMMDD. Whoever wrote half of one, or one that can't be, meant that."""
        try:
            refusal = self.own_birth(day_of(value))
        except ValueError:
            refusal = "birth_date_does_not_exist" if self.wrong_birth(value) else "birth_date_not_stated"
        return self._birth_meant() or refusal if refusal == "birth_date_not_stated" else refusal

    def wrong_cpf(self, value: object) -> bool:
        """Whether the user wrote a number of another length than a CPF's, which is this one and no date."""
        digits = isinstance(value, str) and value.isascii() and value.isdigit()
        return bool(digits and 5 <= len(value) <= 40 and len(value) != 11 and self._places(value, self.undated))

    def piece(self, value: object) -> bool:
        """Whether a CPF that stands is but a piece of this other number that the user wrote, or the other way round."""
        return self.wrong_cpf(value) and any(value in cpf or cpf in value for cpf in self._own_cpfs)

    def wrong_birth(self, value: object) -> bool:
        """Whether the user wrote this AAAAMMDD, which no calendar has."""
        if not isinstance(value, str) or not re.fullmatch("[0-9]{8}", value):
            return False
        year, month, day = int(value[:4]), int(value[4:6]), int(value[6:])
        return not _day(year, month, day) and any(
            dateplaces.places(self.text, self.digits, SimpleNamespace(year=year, month=month, day=day))
        )

    def given(self) -> str:
        """What the last turn means to give, "birth" or "cpf", whether it can be (31/02, ten digits) or not.

        Empty where it is not sure: somebody else's data, only supposed, a date that nobody called a birth, a number of
        another kind.
        """
        if not self.turns or not all(self._claims(len(self.text))) or self._quoted(len(self.text)):
            return ""
        last = self.turns[-1]
        if any(each.grade > 1 and not self._quoted(each.start) for each in self._written) or self._birth_meant():
            return "birth"
        return "cpf" if any(labels.meant_as_cpf(last.digits, "CPF" in last.asked)) else ""

    def gives_others_cpf(self) -> bool:
        """Whether the last turn gives somebody else's CPF, where the user gave none of their own."""
        return any(each.start >= self.turns[-1].offset for each in self._others_cpfs)

    @cached_property
    def _others_cpfs(self) -> list[Said]:
        """Numbers that are meant as somebody else's CPF, where none is the user's own."""
        found = [] if self._own_cpfs else [each for each in self._numbers() if each.grade > 2]
        return [each for each in found if self._others(each.start, each.end) and not self._quoted(each.start)]

    def own_cpf(self, cpf: str) -> str:
        """Why this CPF (11 digits) can't be taken as the user's own; empty where it can."""
        other = self._own_cpfs and cpf not in self._own_cpfs
        return self._not_own_cpf(cpf) or ("another_cpf_meant" if other else "")

    def own_birth(self, birth: date) -> str:
        """Why this date can't be taken as the user's own birth date; empty where it can."""
        if refusal := self._not_own_birth(birth):
            return refusal
        written, corrected = self._own_dates
        standing = [_day(*value) for value in written]
        if birth in standing or birth in self.births() or not (corrected or any(standing)):
            return ""
        return "another_birth_date_meant" if any(standing) else "birth_date_does_not_exist"

    def _not_own_cpf(self, cpf: str) -> str:
        places = [place for place in self._places(cpf) if labels.number(self.digits, *place)]
        if not 0 < len(places) <= _PLACES:
            return "cpf_not_stated"
        if any(self._others(*place) for place in places):
            return "cpf_of_somebody_else"
        if not any(self._alone(start, cpf) for start, _ in places):
            return "second_cpf_not_claimed"
        return ""

    def _not_own_birth(self, birth: date) -> str:
        value = (birth.year, birth.month, birth.day)
        places = [place for place in dateplaces.places(self.text, self.digits, birth) if self._grade(*place, value)]
        places += [(each.start, each.end) for each in self._written if each.value == value]
        places = places or list(dateplaces.corrected(self.text, birth))
        if not places and value in [*self._right, *self._retried]:
            places = [(each.start, each.end) for each in self._written or self._ahead]
        if not places:
            return "birth_date_not_stated"
        if birth > date.today():
            return "birth_date_in_the_future"
        if all(self._others(*place) for place in places):
            return "birth_date_of_somebody_else"
        return ""

    def _places(self, digits: str, text: str = "") -> list[tuple[int, int]]:
        """Where the text (default: all that the user said, in digits) has this number, however it is parted."""
        pattern = re.compile(r"(?<!\d)" + _BETWEEN.join(digits) + _END_OF_CPF)
        return [found.span() for found in pattern.finditer(text or self.digits)]

    def _length_meant(self) -> int:
        """Digits of the number that is meant as a CPF and is none; 11 where none is, or a real one is there."""
        if self.cpfs():
            return 11
        numbers = (each for turn in self.turns for each in labels.meant_as_cpf(turn.digits, "CPF" in turn.asked))
        return min(map(len, numbers), key=lambda length: abs(length - 11), default=11)

    def _birth_meant(self) -> str:
        """What is wrong with all that the user gave for a birth date; empty where something can be one, or none is."""
        if self._written:
            days = [day for each in self._written if (day := _day(*each.value))]
            past = any(day <= date.today() for day in days)
            return "" if past else "birth_date_in_the_future" if days else "birth_date_does_not_exist"
        if self._ahead:
            return "birth_date_in_the_future"
        parts = ((end, turn.asked) for turn in self.turns for end in birthparts.begun(turn))
        own = (
            labels.part(self.text, end, "nascimento" in asked) and not self._others(end - 1, end)
            for end, asked in parts
        )
        return "birth_date_incomplete" if any(own) else ""

    @cached_property
    def _ahead(self) -> list[Said]:
        """Dates to come that are given as births: so it is said, or it answers, and nothing else lies so far ahead."""
        today = date.today()
        found = [each for each in self._dates if (day := _day(*each.value)) and day > today][-_LAST_DATES:]
        made = []
        for each in found:
            born = labels.day(self.text, each.start, each.end, each.value, asked=False) > 2
            far = each.value[0] > today.year + labels.AHEAD and "nascimento" in self._asked(each.start)
            if (born or far) and not self._others(each.start, each.end):
                made.append(Said(each.start, each.end, each.value, 3))
        return made

    def _numbers(self) -> list[Said]:
        """The last numbers that may be CPFs: what is written as one, and any 11 digits in the rest of the text."""
        written = self._in_groups()
        loose = {found.span(1) for found in _LOOSE.finditer(_crossed(self.undated, written))}
        # What looks like a date is none right after the word CPF: "62 39 01 77 84 5".
        loose |= {
            span
            for each in _LOOSE.finditer(self.digits)
            if labels.begins_cpf(self.digits, (span := each.span(1))[0]) and not re.search("[,\n]", each[1])
        }
        spans = loose.union(written)
        found = [each for each in (self._number(*span) for span in sorted(spans)) if each.grade]
        return found[-_LAST_CPFS:]

    def _in_groups(self) -> list[tuple[int, int]]:
        """Where a CPF is written as one: in its groups, or digit by digit."""
        return [found.span() for pattern in (_CPF, _SPELLED) for found in pattern.finditer(self.digits)]

    def _number(self, start: int, end: int) -> Said:
        longer = _MORE.match(self.undated, end) and re.search(r"\d[ ./]\d", self.digits[start:end])
        grade = 0 if longer else labels.number(self.digits, start, end)
        answers = grade == 2 and "CPF" in self._asked(start)
        return Said(start, end, labels.plain(self.digits[start:end]), 3 if answers else grade)

    @cached_property
    def _dates(self) -> list[Finding]:
        """Whatever is written as a date, of what else it may be too; none in a CPF."""
        return list(dates(self._rest, Known(asked_birth=True)))

    @cached_property
    def _written(self) -> list[Said]:
        """The last dates that may be births, whether the calendar has them or not; else one that is said in parts."""
        found = [(e.start, e.end, e.value) for e in self._dates if e.kind == "birth date"]
        compact = [each for each in _COMPACT.finditer(self.text) if not labels.begins_cpf(self.text, each.start())]
        found += [(*each.span(), value) for each in compact if (value := compact_date(each[0]))]
        graded = [Said(*span, value, self._grade(*span, value)) for *span, value in sorted(found)]
        graded = [each for each in graded if each.grade]
        if not graded:  # of six or eight digits that no calendar has, what is said to be a birth
            wrong = [(*each.span(), value) for each in compact if (value := impossible_date(each[0]))]
            born = (Said(*at, value, labels.day(self.text, *at, value, asked=False)) for *at, value in wrong)
            graded = [each for each in born if each.grade > 2]
        if graded or not (parts := birthparts.joined(self.turns)):
            return graded[-_LAST_DATES:]
        ends, value = parts
        return [] if any(self._others(end - 1, end) for end in ends) else [Said(max(ends) - 1, max(ends), value, 3)]

    def _grade(self, start: int, end: int, value: tuple[int, int, int]) -> int:
        """How sure it is that the date there is a birth."""
        return labels.day(self.text, start, end, value, "nascimento" in self._asked(start))

    def _asked(self, start: int) -> str:
        """What the turn that has this place answers."""
        return next((turn.asked for turn in reversed(self.turns) if turn.offset <= start), "")

    def _standing(self, found: list[Said], sure: bool = False) -> tuple[list, bool]:
        """The values that stand, none that a later one corrects and in each turn the surest; whether one is corrected.

        `sure`: only the surest of all turns.
        """
        at = next((at for at in reversed(range(len(found))) if self._corrects(found, at)), 0)
        found = (sure and [each for each in found[at:] if each.grade > 2]) or found[at:]
        turns = [self.text.count("|", 0, each.start) for each in found]
        best = {turn: max(e.grade for e, t in zip(found, turns, strict=True) if t == turn) for turn in turns}
        least = max([1, *(min(2, each) for each in best.values())])
        kept = [e.value for e, t in zip(found, turns, strict=True) if e.grade == best[t] >= least]
        return list(dict.fromkeys(kept)), at > 0

    def _corrects(self, found: list[Said], at: int) -> bool:
        """Whether this one stands in the place of those before it: a correction is between them, or after it."""
        said = found[at]
        before = [each for each in found[:at] if each.value != said.value]
        between = self.text[before[-1].end : said.start] if before else ""
        unsure = said.grade == 1 and any(each.grade > 1 for each in before) and not _DATE_WORD.search(between)
        if not before or unsure:
            return False
        turn, over = self.text.rfind("|", 0, said.start) + 1, self.text.find("|", said.end)
        over = over if over > 0 else len(self.text)
        if CORRECTION.search(self.text, max(turn, before[-1].end), said.start):
            return True
        alone = before[-1].end < turn and not any(each.start < over for each in found[at + 1 :])
        return alone and bool(CORRECTION.search(self.text, said.end, over))

    def _others(self, start: int, end: int) -> bool:
        """Whether what stands here is said of somebody else: the nearest phrase before decides, or one right after."""
        if not self._claims(start)[-1]:
            return True
        # Digits that were words end with them.
        word_end = _REST_OF_WORDS.match(self.text, end).end() if self.text[end - 1 : end].isalpha() else end
        return bool(AFTER.match(self.text, word_end) or self._quoted(start))

    def _claims(self, start: int) -> list[bool]:
        """Whose data comes next, by each phrase before a place; the user's own to begin with."""
        turn = self.text.rfind("|", 0, start)
        passing = self.mentioned or self.trades
        if passing and _asks_own(self._asked(start)):
            passing = self.trades | {at for at in self.mentioned if at < turn}
        else:
            passing = set()
        return [True] + [own for at, own in self.marks if at <= start and at not in passing]

    def _quoted(self, start: int) -> bool:
        """Whether somebody else's words are being repeated here, or it is denied or only supposed."""
        if start not in self._quotations:
            turn, over = self.text.rfind("|", 0, start) + 1, self.text.find("|", start)
            before, whole = self.text[turn:start], self.text[turn : over if over > 0 else None]
            sentence = before[max((found.end() for found in SENTENCE_END.finditer(before)), default=0) :]
            said = before[max(before.rfind("!"), before.rfind("?")) + 1 :]
            found = RELAYED.search(said) or QUOTED.search(before) or SUPPOSED.search(sentence) or VOID.search(whole)
            self._quotations[start] = bool(found)
        return self._quotations[start]

    def _alone(self, start: int, cpf: str) -> bool:
        """Whether no other CPF stands before it in its turn, or the turn says that it is the user's or a correction."""
        turn = self.text.rfind("|", 0, start) + 1
        said = self.digits[turn:start]
        others = {labels.plain(found[0]) for found in _CPF.finditer(said) if labels.number(said, *found.span())} - {cpf}
        if not others:
            return True
        sentence = max(self.text.rfind(mark, 0, start) for mark in "\n|!?;")
        claimed = any(own and sentence < at <= start for at, own in self.marks)
        return claimed or bool(CORRECTION.search(self.text, turn, start))


def _crossed(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """The text with these places crossed out, character by character."""
    for start, end in spans:
        text = text[:start] + "x" * (end - start) + text[end:]
    return text


def day_of(text: str) -> date:
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


def _asks_own(asked: str) -> bool:
    """Whether a question is for the user's own data, and nobody else's."""
    asked = userturns.folded(asked)
    return "seu" in asked and not ASKS_OTHERS.search(asked)


@lru_cache(4096)
def _relative(word: str) -> bool:
    """Whether the word is a relative's, give or take a letter: "fiha", but not "atraso"."""
    near = difflib.get_close_matches(word, RELATIVES, n=1, cutoff=0.82)
    return word in RELATIVES or (bool(near) and not names.is_common(word))
