"""What a number or a date in a message is: its form, or the nearest word before it. Over folded text.

A grade says how sure it is that a number is meant as a CPF, or a date as a birth: 3 where a word or its form says so,
2 where nothing speaks against it, 1 where something does, 0 where it is something else.
"""

import re
from datetime import date

from scripts.data.identifiers import PHONE

#: Characters before it in which a word says what it is.
_NEAR = 40
#: Nothing but a few words between the two.
_CLOSE = re.compile(r"(?:[^\w.,;!?|\n]*\w+){0,3}[^\w.,;!?|\n]*")
_CPF_FORM = re.compile(r"\d{3}\.\d{3}\.\d{3}-\d{2}")  # no other number is written so
_NUMBER = re.compile(
    r"\b(?:(?P<cpf>cpf|cepeefe|pessoa fisica)|"
    r"(?P<other>(?:tel(?:efones?)?\b|fone|cel(?:ular)?\b|whats|zap\b|contato\b|lig[aou]|"
    r"0800|protocolo|cnpj|cep\b|rg\b|identidade|sus\b|cns\b|pis\b|avis[ae]\b|chama\b)\.?)|"
    r"(?P<maybe>carteir|cartao|matricula|registro|conta\b|agencia|guia\b|pedido|contrato|crm\b|codigo|senha))"
)
#: The groups before a number that is a part of a longer one: "0 062 " of "0 062 000145877 02 3".
_BEGUN = re.compile(r"(?<![\d/.-])(?:\d{1,5}[ .-]){1,6}$")
_BORN = re.compile(
    r"(?<!recem)(?<!recem[ -])nasc|anivers|\bd\.?n\.?\b|\bvim ao mundo\b|\bme (?:teve|deu|pariu)\b|\bfaco anos\b"
)
_WHEN = r"(?: \w+)?(?: (?:de|do|em|no|dia|para|pra|ate|a partir|com)\b)+"
_DATED = re.compile(
    r"\b(?:venc\b\.|venc\w*|validade|valid[oa]|expedi\w+|emiss\w+|emiti\w+|assin(?:ad\w*|ei|amos|atura)|desde|"
    r"habilitacao|cas(?:ei|ad\w+|amento)|protocolo|abert\w+|abri\b|abriu|pag(?:uei|ou|o|ar|amos)|lig(?:uei|ou|aram)|"
    r"golpe|adesao|cancel(?:ei|ou|ad\w+)|marcad\w+|agend\w+|feriado|fundad\w+|inscri\w+|cadastr\w+|prazo|ate|periodo|admissao|admitid\w+|"
    r"contratad\w+|contratei|data d[aeo]s? (?!nasc|aniv)\w+|"
    rf"(?:boleto|fatura|mensalidade|parcela|consulta|exame|cirurgia|pagamento|contrato|plano){_WHEN})"
)
#: Years ago: a date that old is a birth, whatever is said with it.
GROWN = 15


def number(text: str, start: int, end: int) -> int:
    """The grade of a number (of so many digits as a CPF has) that stands there."""
    if _CPF_FORM.fullmatch(text, start, end) and not _BEGUN.search(text, max(0, start - 4), start):
        return 3
    begun = _BEGUN.search(text, max(0, start - _NEAR), start)
    first = begun.start() if begun else start
    label = _last(_NUMBER, text, first)
    if label and label["cpf"]:
        return 3
    if any(found.start() < end and start < found.end() for found in PHONE.finditer(text, max(0, start - 8), end + 8)):
        return 0
    if begun and len(re.sub(r"\D", "", text[first:start])) % 11:
        return 0 if label else 1
    if not label or not _CLOSE.fullmatch(text, label.end(), first):
        return 2
    return 0 if label["other"] else 1


def begins_cpf(text: str, start: int) -> bool:
    """Whether the first number after the word CPF begins there."""
    label = _last(_NUMBER, text, start)
    return bool(label and label["cpf"] and not re.search(r"\d", text[label.end() : start]))


def day(text: str, start: int, end: int, value: tuple[int, int, int], asked: bool) -> int:
    """The grade of a date (year, month, day) that stands there; `asked`: it answers a question for a birth date."""
    born, other = _last(_BORN, text, start), _last(_DATED, text, start)
    if born and (not other or born.start() > other.start()):
        return 3
    if other and _CLOSE.fullmatch(text, other.end(), start):
        return 0
    if asked:
        return 3
    return 2 if value[0] <= date.today().year - GROWN else 1


def _last(pattern: re.Pattern, text: str, start: int) -> re.Match | None:
    """The nearest of these words before a place, in its turn."""
    low = max(0, start - _NEAR, text.rfind("|", 0, start) + 1)
    return next(reversed([*pattern.finditer(text, low, start)]), None)
