"""Runs the model's tool calls, and only those that the user is entitled to, whatever the model was talked into.

A call is consulted when its arguments fit the tool's schema, the user stated this CPF and this birth date as their
own in user turns of this conversation, the conversation has no other subject, and the limits leave room. Everything
else is answered with a refusal that the model can put into words. The log holds outcomes, never personal data.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import jsonschema_rs

from scripts.data.ownbirth import day_of
from scripts.data.statements import Statements
from scripts.model.toolcall import strict_json
from scripts.serve.limits import Ledger, Limits

log = logging.getLogger("executor")

#: What the model is told, by outcome, in the words of its training rows. The outcome itself goes with it, for people.
REFUSALS = {
    "unknown_tool": "not_found",
    "invalid_arguments": "invalid_cpf",
    "cpf_not_stated": "not_found",
    "cpf_of_somebody_else": "not_found",
    "second_cpf_not_claimed": "not_found",
    "another_cpf_meant": "not_found",
    "birth_date_not_stated": "not_found",
    "another_birth_date_meant": "not_found",
    "birth_date_in_the_future": "not_found",
    "birth_date_does_not_exist": "not_found",
    "birth_date_of_somebody_else": "not_found",
    "other_subject": "not_found",
    "too_long": "timeout",
    "too_many": "timeout",
    "unavailable": "timeout",
}


class Backend(Protocol):
    """What really consults. None means that no contract has this pair of CPF and birth date."""

    def unimed_consult(self, cpf: str, data_nascimento: str) -> dict | None: ...


class Executor:
    """Thread-safe. `conversation` and `client` are opaque; an empty conversation is bounded by its messages alone."""

    def __init__(
        self,
        backend: Backend,
        tools: Sequence[dict],
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.backend, self.limits = backend, limits or Limits()
        self.ledger = Ledger(self.limits, clock)
        self.schemas = {
            tool["function"]["name"]: jsonschema_rs.validator_for(tool["function"]["parameters"]) for tool in tools
        }
        self.outcomes: dict[str, int] = {}
        self._lock = threading.Lock()

    def run(
        self,
        function: dict,
        messages: Sequence[dict],
        conversation: str = "",
        client: str = "",
    ) -> str:
        """The content of the tool message that answers `function` (`{"name", "arguments"}`). Never raises."""
        started = time.perf_counter()
        try:
            outcome, result = self._run(function, messages, conversation, client)
        except Exception as error:
            log.error("back end failed: %s", type(error).__name__)
            outcome, result = "unavailable", None
        with self._lock:
            self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        log.info(
            "outcome=%s milliseconds=%.1f",
            outcome,
            1000 * (time.perf_counter() - started),
        )
        if outcome in REFUSALS:
            result = {"status": "error", "error": REFUSALS[outcome], "motivo": outcome}
        return json.dumps(result, ensure_ascii=False)

    def _run(self, function: dict, messages: Sequence[dict], conversation: str, client: str) -> tuple[str, dict | None]:
        name, arguments = self._checked(function)
        if refusal := arguments if isinstance(arguments, str) else self._unstated(arguments, messages):
            return refusal, None
        cpf = arguments["cpf"]
        if any(other != cpf for other in _consulted(messages)):
            return "other_subject", None
        if refusal := self.ledger.reserve(cpf, conversation, client):
            return refusal, None
        try:
            found = getattr(self.backend, name)(**arguments)
        except Exception:
            self.ledger.settle(cpf, conversation, found=None)
            raise
        self.ledger.settle(cpf, conversation, found=found is not None)
        if found is None:
            return "not_found", {
                "encontrado": False,
                "mensagem": "Nenhum contrato para este CPF e data de nascimento.",
            }
        return "found", {"encontrado": True, **found}

    def _checked(self, function: dict) -> tuple[str, dict | str]:
        """The tool's name with its arguments, or with the outcome that refuses them."""
        name = function.get("name")
        if not isinstance(name, str) or name not in self.schemas:
            return "", "unknown_tool"
        try:
            arguments = strict_json(function["arguments"])
            self.schemas[name].validate(arguments)
            day_of(arguments["data_nascimento"])
        except (
            ValueError,
            TypeError,
            KeyError,
            RecursionError,
        ):  # jsonschema_rs.ValidationError is a ValueError
            return name, "invalid_arguments"
        exact = arguments["cpf"].isascii() and arguments["cpf"].isdigit() and len(arguments["cpf"]) == 11
        return name, arguments if exact else "invalid_arguments"

    def _unstated(self, arguments: dict, messages: Sequence[dict]) -> str:
        said = [message.get("content") for message in messages if message.get("role") == "user"]
        if sum(len(text) for text in said if isinstance(text, str)) > self.limits.user_characters:
            return "too_long"
        stated = Statements(messages)
        return stated.cpf.not_own(arguments["cpf"]) or stated.birth.not_own(day_of(arguments["data_nascimento"]))


def _consulted(messages: Sequence[dict]) -> list[str]:
    """CPFs of earlier calls in this conversation whose tool result says that a contract was found."""
    found, asked = [], []
    for message in messages:
        if message.get("role") == "assistant":
            asked = [call.get("function", {}).get("arguments") for call in message.get("tool_calls") or []]
        elif message.get("role") == "tool" and asked and _found(message.get("content")):
            found.append(asked.pop(0))
        elif message.get("role") == "tool" and asked:
            asked.pop(0)
    return [cpf for cpf in map(_cpf_of, found) if cpf]


def _found(content: object) -> bool:
    """Whether a tool's result is a contract: an object that reports no error and not that there is none."""
    try:
        result = strict_json(content)
    except (ValueError, TypeError, RecursionError):
        return False
    return isinstance(result, dict) and "error" not in result and result.get("encontrado") is not False


def _cpf_of(arguments: object) -> str:
    try:
        return str(strict_json(arguments)["cpf"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return ""
