"""What a search for personal details finds, and what it knows of the conversation it searches."""

from dataclasses import dataclass, field

from scripts.data.identifiers import Allowed

Date = tuple[int, int, int]  # year, month, day


@dataclass(frozen=True, order=True)
class Finding:
    """A part of a text: its kind, and its value: digits, a date, or "" where the text itself is the value."""

    start: int
    end: int
    kind: str
    value: object = field(default="", compare=False)


@dataclass
class Known:
    """What a conversation has shown so far, and what its input shows of everyday words."""

    dates: set[Date] = field(default_factory=set)
    names: set[str] = field(default_factory=set)  # folded words
    phones: set[str] = field(default_factory=set)  # last 8 digits
    asked_birth: bool = False
    allowed: Allowed = field(default_factory=Allowed)
    common: frozenset[str] = frozenset()
