"""What a user stated about themselves: a CPF and a birth date.

Only user turns count. The question is never "which CPFs are in the text" but "did the user state this one, as
theirs": a value that a tool is about to receive is searched for in all its written forms, and every place where it
stands is attributed (scripts/data/attribution.py). Said of somebody else once, a CPF stays theirs.
"""

from collections.abc import Sequence

from scripts.data.attribution import UserText
from scripts.data.ownbirth import OwnBirth
from scripts.data.owncpf import OwnCpf


class Statements:
    """The user's side of one conversation, ready to be asked about: `cpf` and `birth`."""

    def __init__(self, messages: Sequence[dict]):
        self.said = UserText(messages)
        self.cpf, self.birth = OwnCpf(self.said), OwnBirth(self.said)

    def given(self) -> str:
        """What the last turn means to give, "birth" or "cpf", whether it can be (31/02, ten digits) or not.

        Empty where it is not sure: somebody else's data, only supposed, a date that nobody called a birth, a number of
        another kind.
        """
        end = len(self.said.text)
        if not self.said.turns or not all(self.said.claims(end)) or self.said.quoted(end):
            return ""
        return "birth" if self.birth.meant() else "cpf" if self.cpf.meant() else ""
