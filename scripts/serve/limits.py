"""How much may be consulted: per conversation, per client and per consulted person; and who a conversation is about.

Subjects are kept as digests under a key of this process, conversations and clients as the opaque names they came
with; the oldest are forgotten first.
"""

import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Limits:
    """How much one conversation, one client and one consulted person may cause."""

    conversation_attempts: int = 3
    client_per_minute: int = 30
    subject_failures_per_hour: int = 5
    user_characters: int = 20_000
    remembered: int = 10_000


@dataclass
class _Memory:
    """Recent things by key, oldest forgotten first."""

    size: int
    items: OrderedDict = field(default_factory=OrderedDict)

    def of(self, key: object, default: Callable):
        value = self.items[key] = self.items.pop(key, None) or default()
        while len(self.items) > self.size:
            self.items.popitem(last=False)
        return value


@dataclass
class _Conversation:
    subject: bytes = b""
    attempts: int = 0
    found: bool = False


class Ledger:
    """Thread-safe. A call is reserved before anything is consulted, so that no race slips past, and settled after."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic):
        self.limits, self.clock = limits, clock
        self._key, self._lock = secrets.token_bytes(32), threading.Lock()
        self._conversations, self._clients, self._failures = (_Memory(limits.remembered) for _ in range(3))

    def reserve(self, cpf: str, conversation: str, client: str) -> str:
        """Takes the conversation for this subject; or says why not."""
        subject = self._digest(cpf)
        with self._lock:
            now = self.clock()
            calls = _recent(self._clients.of(client, deque), now - 60)
            failures = _recent(self._failures.of(subject, deque), now - 3600)
            state = self._conversations.of(conversation, _Conversation) if conversation else _Conversation()
            if state.subject not in (b"", subject):
                return "other_subject"
            over = state.attempts >= self.limits.conversation_attempts and not state.subject
            if over or len(calls) >= self.limits.client_per_minute:
                return "too_many"
            if len(failures) >= self.limits.subject_failures_per_hour:
                return "too_many"
            calls.append(now)
            failures.append(now)  # taken back when the pair is found
            state.subject, state.attempts = subject, state.attempts + 1
        return ""

    def settle(self, cpf: str, conversation: str, found: bool | None) -> None:
        """Keeps the conversation's subject once it was found; until then the user may have mistyped, and says it again.

        `found` is None where the back end failed, which is nobody's guess: it is not counted.
        """
        with self._lock:
            failures = self._failures.of(self._digest(cpf), deque)
            if found is not False and failures:
                failures.pop()
            if conversation:
                state = self._conversations.of(conversation, _Conversation)
                state.found |= bool(found)
                state.attempts -= found is None
                state.subject = state.subject if state.found else b""

    def _digest(self, cpf: str) -> bytes:
        return hmac.digest(self._key, cpf.encode(), hashlib.sha256)


def _recent(times: deque, since: float) -> deque:
    while times and times[0] <= since:
        times.popleft()
    return times
