"""A conversation without its people: the same row with surrogates in texts, tool arguments and results.

Two passes over a row: the first learns its names, birth dates and phones from wherever they are plain,
the second rewrites every place where they occur again.
"""

import json
from collections.abc import Iterator

from scripts.data import jsonl, names, personal
from scripts.data.birthdates import compact_date, year_of
from scripts.data.conversation import strings
from scripts.data.findings import Date, Finding, Known
from scripts.data.identifiers import Allowed, found, masked
from scripts.data.personal import digits_of
from scripts.data.surrogates import Surrogates

_NAME_KEYS = (
    "nome",
    "titular",
    "beneficiario",
    "paciente",
    "dependente",
    "responsavel",
    "mae",
    "pai",
    "conjuge",
    "segurado",
)
_DATE_KEYS = ("nasc", "birth", "dn")
_PHONE_KEYS = ("telefone", "celular", "fone", "whatsapp", "contato", "phone", "tel")
_ADDRESS_KEYS = ("logradouro", "rua", "endereco", "bairro")
_NUMBER_KEYS = ("cpf", "cns", "cnpj", "cartao", "carteir", "matricula", "rg", "contrato", "protocolo")
_FREE = ("plano", "status", "situacao", "produto", "rede", "source")  # never a name, whatever it looks like
#: Two surrogates side by side may read as somebody's number; what so many draws don't mend, none will.
_DRAWS = 100


def anonymise(row: dict, allowed: Allowed, common: frozenset[str] = frozenset()) -> tuple[dict, list[tuple[str, str]]]:
    """(the row with surrogates and `anonymised: true`, what was found as (kind, text)).

    `allowed` are institutions' phones and e-mails, which stay; `common` folded words that are no names.
    ValueError says what the gates would refuse whatever is drawn.
    """
    known = _learnt(row, allowed, common)
    for _ in range(_DRAWS):
        rewriter = _Rewriter(known, Surrogates(known.names))
        new = rewriter.row(row) | {"anonymised": True}
        left = [hit for _, text in strings(new) for hit in found(text, allowed)]
        if not left:
            return new, rewriter.found
    raise ValueError(f"{left[0][0]} {masked(left[0][1])} can't be replaced")


def details(row: dict, allowed: Allowed) -> list[tuple[str, str]]:
    """What is personal in a row, as (kind, text)."""
    rewriter = _Rewriter(_learnt(row, allowed), None)
    rewriter.row(row)
    return rewriter.found


def _learnt(row: dict, allowed: Allowed, common: frozenset[str] = frozenset()) -> Known:
    known = Known(allowed=allowed, common=common)
    for _ in range(2):  # a name or date learnt late in a conversation counts from its start
        _Rewriter(known, None).row(row)
    return known


class _Rewriter:
    """Walks a row; without surrogates it only learns into `known`."""

    def __init__(self, known: Known, surrogates: Surrogates | None):
        self.known, self.surrogates = known, surrogates
        self.found: list[tuple[str, str]] = []

    def row(self, row: dict) -> dict:
        self.known.asked_birth = False
        new = {**row, "messages": [self.message(message) for message in row["messages"]]}
        if "expect" in row:
            new["expect"] = self.value(row["expect"], "")
        if "source" in row:
            new["source"] = self.value(row["source"], "source")
        return new

    def message(self, message: dict) -> dict:
        new = dict(message)
        if message.get("content"):
            new["content"] = self.json_or_text(message["content"])
        if message["role"] == "assistant":
            self.known.asked_birth = "nasc" in (message.get("content") or "").lower()
        if "tool_calls" in message:
            new["tool_calls"] = [self.call(call) for call in message["tool_calls"]]
        return new

    def call(self, call: dict) -> dict:
        function = call["function"]
        return {**call, "function": {**function, "arguments": self.json_or_text(function["arguments"])}}

    def json_or_text(self, text: str) -> str:
        if text.lstrip()[:1] in ("{", "["):
            try:
                return json.dumps(self.value(jsonl.value(text), ""), ensure_ascii=False)
            except (ValueError, RecursionError):
                pass
        return self.text(text)

    def value(self, value: object, key: str) -> object:
        if isinstance(value, dict):
            return {self.kept(inner): self.value(each, inner) for inner, each in value.items()}
        if isinstance(value, list):
            return [self.value(each, key) for each in value]
        if isinstance(value, bool) or not isinstance(value, str | int):
            return value
        finding = _by_key(names.fold(key), str(value))
        if isinstance(value, int):
            stays = finding is None or finding.kind == "address"
            return int(self.text(str(value)) if stays else self.replaced(str(value), [finding]))
        if finding:
            self.learn(finding, value)
            return self.replaced(value, [finding])
        return self.kept(value) if names.fold(key).startswith(_FREE) else self.text(value)

    def kept(self, text: str) -> str:
        """The text as it is, unless the gates find somebody in it."""
        return self.text(text) if any(found(text, self.known.allowed)) else text

    def text(self, text: str) -> str:
        findings = personal.find(text, self.known)
        for finding in findings:
            self.learn(finding, text[finding.start : finding.end])
        return self.replaced(text, findings)

    def learn(self, finding: Finding, text: str) -> None:
        if finding.kind == "birth date":
            self.known.dates.add(finding.value)
        elif finding.kind == "phone" and isinstance(finding.value, str):
            self.known.phones.add(finding.value[-8:])
        elif finding.kind == "name":
            words = [names.fold(word) for word in names._WORD.findall(text)]
            self.known.names |= {word for word in words if len(word) > 2 and word not in names.PARTICLES}

    def replaced(self, text: str, findings: list[Finding]) -> str:
        for finding in reversed(findings):
            old = text[finding.start : finding.end]
            self.found.append((finding.kind, old))
            if self.surrogates:
                text = text[: finding.start] + self.surrogates.of(finding, old) + text[finding.end :]
        return text


def _by_key(key: str, value: str) -> Finding | None:
    """What a JSON value is by its key."""
    digits, whole = digits_of(value), (0, len(value))
    if any(part in key for part in _DATE_KEYS) and (when := _date_value(value)):
        return Finding(*whole, "birth date", when)
    if any(part in key for part in _NUMBER_KEYS) and len(digits) >= 5:
        return Finding(*whole, personal.kind_of(digits), digits)
    if any(key.startswith(part) for part in _PHONE_KEYS) and len(digits) >= 8:
        return Finding(*whole, "phone", digits)
    if key == "cep" and len(digits) == 8:
        return Finding(*whole, "CEP", digits)
    if (
        any(key.startswith(part) for part in _NAME_KEYS)
        and not digits
        and "@" not in value
        and value.strip()
        and "plano" not in key
        and not key.startswith("pais")  # a country begins like a father
    ):
        return Finding(*whole, "name")
    if any(key.startswith(part) for part in _ADDRESS_KEYS) and value.strip():
        return Finding(*whole, "address", "district" if key == "bairro" else "street")
    return None


def _date_value(value: str) -> Date | None:
    digits = digits_of(value)
    if when := compact_date(digits):
        return when
    if len(digits) == 8:  # a date that can't exist
        year, month, day = (
            (digits[:4], digits[4:6], digits[6:]) if year_of(digits[:4]) else (digits[4:], digits[2:4], digits[:2])
        )
        return (int(year), int(month), int(day)) if year_of(year) else None
    return None


def texts(row: dict) -> Iterator[str]:
    """What people wrote in a row."""
    return (message["content"] for message in row["messages"] if message.get("content"))
