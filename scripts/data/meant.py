"""Which numbers of a message are meant as a CPF, whatever their length: the nearest word before them says so."""

import re
from collections.abc import Iterator

from scripts.data.birthdates import compact_date, dates
from scripts.data.findings import Known

#: Digits that belong together, however they are parted.
_RUN = re.compile(r"(?<!\d)\d(?:(?:[\s.,/_-]{0,3}|[\s,.-]{4,20})\d){4,39}(?!\d)")
_MONEY = re.compile(r"[\d.]+,\d\d")
_LABEL = re.compile(
    r"\b(?:(cpf|cepeefe)|tel(?:efones?)?\b|fone|cel(?:ular)?\b|whats|zap|lig[aou]|protocolo|carteir|cartao|matricula|"
    r"contrato n|cnpj|cep\b|rg\b|identidade|boleto|fatura|guia|senha|pedido|sus\b|casa\b|rua\b|pag(?:uei|ar|o)\b|reais)"
    r"|r\$"
)
_FORM = re.compile(r"\d{3}\.\d{3}\.\d{3}-\d{2}")  # no other number is written so
_SAID_AFTER = re.compile(r"\W{1,3}(?:(?:e|eh) )?(?:o )?(?:meu )?cpf\b")
#: Characters before a number in which a word says what it is.
_NEAR = 40


def meant_as_cpf(text: str, asked: bool) -> Iterator[str]:
    """Digits of each such number in a folded text, in order; `asked`: it answers a question for a CPF."""
    rest = undated(text)
    for run in _RUN.finditer(rest):
        digits = re.sub(r"\D", "", run[0])
        # 000.000.000-00 shows how a CPF is written.
        if compact_date(digits) or _MONEY.match(run[0]) or len(set(digits)) == 1:
            continue
        labels = [found[1] for found in _LABEL.finditer(rest, max(0, run.start() - _NEAR), run.start())]
        if "/" in run[0] and not (labels and labels[-1]):
            continue
        said = asked or "cpf" in rest[: run.start()] or _SAID_AFTER.match(rest, run.end()) or _FORM.fullmatch(run[0])
        if labels[-1] if labels else said:
            yield digits


def undated(text: str) -> str:
    """The text with its dates crossed out, character by character."""
    for each in dates(text, Known(asked_birth=True)):
        text = text[: each.start] + "x" * (each.end - each.start) + text[each.end :]
    return text
