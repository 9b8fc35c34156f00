"""What a number or a date in a message is: its form, or the nearest word before it. Over folded text.

A grade says how sure it is that a number is meant as a CPF, or a date as a birth: 3 where a word or its form says so,
2 where nothing speaks against it, 1 where something does, 0 where it is something else.
"""

import re
from collections.abc import Iterator
from datetime import date

from scripts.data.birthdates import compact_date, dates
from scripts.data.findings import Known
from scripts.data.identifiers import PHONE

#: Characters before it in which a word says what it is.
_NEAR = 40
#: Nothing but a few words between the two.
_CLOSE = re.compile(r"(?:[^\w.,;!?|\n]*[^\W\d]+){0,3}[^\w.,;!?|\n]*")
_CPF_FORM = re.compile(r"\d{3}\.\d{3}\.\d{3}-\d{2}")  # no other number is written so
_LIKE_CPF = re.compile(r"\d{9}-\d{2}")  # few others are
_OTHER = (
    r"tel(?:efones?)?\b|fone|cel(?:ular)?\b|whats|zap\b|contato\b|lig\w+ (?:pr\w+|para|do|no|de)\b|0800|"
    r"protocolo|cnpj|cep\b|sus\b|cns\b|pis\b|avis[ae]\b|cham(?:ou|aram|a) (?:do|no|pelo|nesse)\b"
)
#: What is said of these may as well be said beside a CPF: of the last, anything else that is wanted.
_MAYBE = (
    r"rg\b|identidade|carteir|cartao|matricula|registro|conta\b|agencia|guia\b|pedido|contrato n|crm\b|codigo|senha"
)
_BESIDE = r"boleto|fatura|casa\b|rua\b|pag(?:uei|ar|o)\b|reais|r\$"
_NUMBER = re.compile(
    rf"\b(?:(?P<cpf>cpf|cic\b|cepeefe|pessoa fisica)|(?P<other>(?:{_OTHER})\.?)|(?P<maybe>{_MAYBE})|"
    rf"(?P<beside>{_BESIDE}))"
)
_SAID_AFTER = re.compile(r"\W{1,3}(?:(?:e|eh) )?(?:o )?(?:meu )?cpf\b")
#: Digits that belong together, however they are parted; the second form is left where words became digits.
_RUN = re.compile(r"(?<!\d)\d(?:(?:[\s.,/_-]{0,3}|[\s,.-]{4,20})\d){4,39}(?!\d)")
_MONEY = re.compile(r"[\d.]+,\d\d")
#: The groups before a number that is a part of a longer one: "0 062 " of "0 062 000145877 02 3".
_BEGUN = re.compile(r"(?<![\d/.-])(?:\d{1,5}[ .-]){1,6}$")
_BORN = re.compile(
    r"(?<!recem)(?<!recem[ -])nasc(?!\w* previst)|\bnac(?:im|id|s)|\bnasi[dm]|\bn[a-z]{0,3}c[a-z]{0,2}mento\b"
    r"(?! previst)|\bna[dsx]c?i\b|anivers(?!\w* d[aeo] (?:contrato|plano|empresa))|"
    r"\bd\.?n\.?\b|\bvim ao mundo\b|\bme (?:teve|deu|pariu)\b|\bfaco anos\b"
)
_WHEN = r"(?: \w+)?(?: (?:de|do|em|no|dia|(?:para|pra)(?! mim)|ate|a partir|com)\b)+"
#: What happens now, and was not so long ago: "boleto vencido 15/06/1985" is a birth all the same.
_EVENT = (
    r"venc\b\.|venc\w*|protocolo|abert[oa]|abri\b|abriu|pag(?:uei|ou|o|ar|amos)|lig(?:uei|ou|aram)|golpe|"
    r"cancel(?:ei|ou|ad\w+)|marcad\w+|agend\w+|feriado|prazo|ate|periodo|"
    rf"(?:boleto|fatura|mensalidade|parcela|consulta|exame|cirurgia|pagamento|contrato|plano){_WHEN}"
)
_DATED = re.compile(
    rf"\b(?:(?P<event>{_EVENT})|validade|valid[oa]|expedi\w+|emissao|emitid[oa]|assin(?:ad\w*|ei|amos|atura)|desde|"
    r"fiz o (?:plano|contrato)|entrei no plano|entrei na unimed|habilitacao|"
    r"cas(?:ei|ad\w+(?= (?:em|desde|ha|no|dia)\b)|amento)|adesao|fundad\w+|inscri\w+|"
    r"cadastr(?:ad[oa](?! com\b)|ei)|admissao|admitid\w+|contrat(?:ad\w+|ei)|"
    r"data d[aeo]s? (?!na|n[a-z]{0,3}c[a-z]{0,2}m|aniv|niver|n\b)\w+)"
)
#: What else is dated or counted in a turn that answers a question for a birth.
_ELSE = re.compile(
    r"\b(?:boleto|fatura|mensalidade|parcela|venc|pag|consulta|exame|cirurgia|viag|viaj|rua|sala|casa|apto?|abre|atend|"
    r"vigencia|contrat|reajuste|protocolo)"
)
#: Years ago: a date that old is a birth, whatever is said with it.
GROWN = 15
#: Years ahead: no bill falls due, and nothing ends, so late.
AHEAD = 10


def number(text: str, start: int, end: int) -> int:
    """The grade of a number (of so many digits as a CPF has) that stands there."""
    if len(set(plain(text[start:end]))) == 1:  # 000.000.000-00 shows how one is written
        return 0
    if _CPF_FORM.fullmatch(text, start, end) and not _BEGUN.search(text, max(0, start - 4), start):
        return 3
    begun = _BEGUN.search(text, max(0, start - _NEAR), start)
    first = begun.start() if begun else start
    label = next((each for each in _before(_NUMBER, text, first) if not each["beside"]), None)
    if label and label["cpf"]:
        return 3
    if any(found.start() < end and start < found.end() for found in PHONE.finditer(text, max(0, start - 8), end + 8)):
        return 0
    if begun and len(plain(text[first:start])) % 11:
        return 0 if label else 1
    if not label or not _CLOSE.fullmatch(text, label.end(), first):
        return 3 if _LIKE_CPF.fullmatch(text, start, end) else 2
    return 0 if label["other"] else 1


def meant_as_cpf(text: str, asked: bool) -> Iterator[str]:
    """Digits of each number that is meant as a CPF, of any length, in order; `asked`: it answers a question for one."""
    rest = undated(text)
    for run in _RUN.finditer(rest):
        digits, start = plain(run[0]), run.start()
        if compact_date(digits) or _MONEY.match(run[0]) or len(set(digits)) == 1:
            continue
        label = next(_before(_NUMBER, rest, start), None)
        said = "cpf" in rest[:start] or _SAID_AFTER.match(rest, run.end()) or _CPF_FORM.fullmatch(run[0])
        if said and label and label["beside"]:  # "paguei ontem, 902... é o cpf"
            label = None
        if label["cpf"] if label else (asked or said) and "/" not in run[0]:
            yield digits


def undated(text: str) -> str:
    """The text with its dates crossed out, character by character."""
    for each in dates(text, Known(asked_birth=True)):
        text = text[: each.start] + "x" * (each.end - each.start) + text[each.end :]
    return text


def plain(number: str) -> str:
    """Its digits alone."""
    return re.sub(r"\D", "", number)


def begins_cpf(text: str, start: int) -> bool:
    """Whether the first number after the word CPF begins there."""
    label = next(_before(_NUMBER, text, start), None)
    return bool(label and label["cpf"] and not re.search(r"\d", text[label.end() : start]))


def day(text: str, start: int, end: int, value: tuple[int, int, int], asked: bool) -> int:
    """The grade of a date (year, month, day) that stands there; `asked`: it answers a question for a birth date."""
    born, other = (next(_before(pattern, text, start), None) for pattern in (_BORN, _DATED))
    if born and (not other or born.start() > other.start()):
        return 3
    grown = value[0] <= date.today().year - GROWN
    if other and not (grown and other["event"]) and _CLOSE.fullmatch(text, other.end(), start):
        return 0
    return 3 if asked else 2 if grown else 1


def part(text: str, end: int, asked: bool) -> bool:
    """Whether a day and month, or a month and year, that end there may be half of a birth date."""
    born, other = (next(_before(pattern, text, end), None) for pattern in (_BORN, _DATED))
    turn = text[text.rfind("|", 0, end) + 1 : end]
    return bool(born and (not other or born.start() > other.start())) or (asked and not _ELSE.search(turn))


def _before(pattern: re.Pattern, text: str, start: int) -> Iterator[re.Match]:
    """These words before a place in its turn, the nearest first."""
    low = max(0, start - _NEAR, text.rfind("|", 0, start) + 1)
    return reversed([*pattern.finditer(text, low, start)])
