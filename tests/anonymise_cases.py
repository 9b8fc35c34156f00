"""Conversations with people that the detector can't know: names and streets from mimesis, written many ways.

A case is (row, slots): every slot says its kind, what was written, and its plain value; literal text and
slots alternate, so what an anonymiser did to either can be told apart.
"""

import json
import random
import re
from dataclasses import dataclass

from mimesis import Address, Person
from mimesis.locales import Locale
from validate_docbr import CNS, CPF

DIGITS = ["zero", "um", "dois", "três", "quatro", "cinco", "seis", "sete", "oito", "nove"]
MONTHS = [
    "janeiro",
    "fevereiro",
    "março",
    "abril",
    "maio",
    "junho",
    "julho",
    "agosto",
    "setembro",
    "outubro",
    "novembro",
    "dezembro",
]
DAYS = [
    "primeiro",
    "dois",
    "três",
    "quatro",
    "cinco",
    "seis",
    "sete",
    "oito",
    "nove",
    "dez",
    "onze",
    "doze",
    "treze",
    "quatorze",
    "quinze",
    "dezesseis",
    "dezessete",
    "dezoito",
    "dezenove",
    "vinte",
]
TENS = {2: "vinte", 3: "trinta", 4: "quarenta", 5: "cinquenta", 6: "sessenta", 7: "setenta", 8: "oitenta", 9: "noventa"}

STREET_TYPE = re.compile(
    r"^(?:avenida|rua|travessa|praça|alameda|viaduto|largo|rodovia|estrada|via|ladeira|vila|beco)\s+", re.IGNORECASE
)

#: One user turn each; {x} are slots:
#: N name, C cpf, D birth date, T phone, E e-mail, A address, S CNS, K card, F first name.
OPENINGS = """
oi, meu nome é {N}, cpf {C}, nasci em {D}
Boa tarde! Me chamo {N} e preciso da segunda via do boleto. CPF: {C}. Data de nascimento: {D}.
quero ver meu contrato cpf {C} nascimento {D}
{C} {D}
{C}\n{D}
{C}, {D}
Bom dia, aqui é {N}. Meu CPF é {C} e a data de nascimento é {D}, pode verificar a carência?
{N}, {C}, {D}
Sou {N}, nascido em {D}, inscrito no CPF sob o nº {C}. Solicito informações sobre o reembolso.
meu cpf {C} minha data de nasc {D} meu zap {T}
preciso atualizar meu cadastro, novo telefone {T} e email {E}, cpf {C}
Moro na {A}. Meu nome: {N}. CPF {C}. Nascimento {D}.
quem fala é {N}, meu cpf é {C}, nasci dia {D}
oi tudo bem? quero saber se minha filha {N} está ativa no plano, ela nasceu em {D} cpf {C}
nome completo: {N}\ncpf: {C}\ndata de nascimento: {D}\ntelefone: {T}\ne-mail: {E}
o cartão do sus é {S} e o cpf {C}
pode debitar no cartão {K}? titular {N}, cpf {C}
me liga no {T} por favor, falar com {N}
Aqui quem fala é {N}, gostaria de consultar o plano da minha mãe. O CPF dela é {C} e ela nasceu em {D}.
nasci em {D} e o cpf é {C}
data de nascimento {D}, cpf {C}
Olá, sou {N}. Meu endereço mudou para {A}, meu contato é {T}.
cpf do titular {C}, nascimento {D}, o nome dele é {N}
Prezados, solicito o cancelamento do meu plano. {N}, CPF {C}, nascida em {D}. Telefone para contato: {T}.
meu CPF é {C} viu, nasci no dia {D}, obrigada
eu me chamo {N}, moro na {A} e queria a segunda via da carteirinha
anota ai: {C}, nasc. {D}, cel {T}
Titular: {N} | CPF: {C} | Nascimento: {D}
""".strip().split("\n")
ANSWERS = [
    "Obrigado, {F}! Encontrei seu contrato: o plano está ativo e a mensalidade vence no dia 10.",
    "Certo, {F}. Seu plano Ouro está ativo, sem carências pendentes.",
    "Localizei o cadastro de {N}. A mensalidade de R$ 512,33 vence em 10/12/2026.",
    "{F}, seu contrato está ativo. Posso ajudar em algo mais?",
    "Pronto! O contrato está no CPF {C} e a próxima fatura vence em 05/01/2027.",
]
PLAIN = [
    ("oi, bom dia, qual o telefone da unimed natal?", "O telefone da Unimed Natal é (84) 4020-8900."),
    ("Quais planos vocês têm?", "A Unimed Natal oferece os planos Bronze, Prata, Ouro e Diamante."),
    ("quero falar com um atendente sobre a carência de parto", "Claro! A carência para parto é de 300 dias."),
    (
        "Vocês atendem no Hospital Unimed? Preciso marcar uma consulta com cardiologista",
        "Sim, atendemos no Hospital Unimed em Natal.",
    ),
    (
        "meu boleto de 10/10/2026 no valor de R$ 1.234,56 ainda não chegou",
        "Vou verificar a fatura de outubro para você.",
    ),
    ("sou cliente há dez anos e nunca atrasei nada", "Agradecemos a confiança! Como posso ajudar?"),
]


@dataclass
class Slot:
    """One personal detail as written in one text."""

    kind: str
    form: str
    written: str
    value: str


@dataclass
class Text:
    """A text as literal parts with slots between them: parts has one more than slots."""

    parts: list[str]
    slots: list[Slot]

    def __str__(self) -> str:
        return self.parts[0] + "".join(
            slot.written + part for slot, part in zip(self.slots, self.parts[1:], strict=True)
        )


class Someone:
    """A person of mimesis and how they write."""

    def __init__(self, rng: random.Random, person: Person, address: Address):
        self.rng = rng
        self.style = rng.choice(["plain", "plain", "lower", "upper"])
        self.first = _word(person.first_name)
        self.name = " ".join(
            [
                self.first,
                *([rng.choice(["de", "da", "dos"])] if rng.random() < 0.2 else []),
                *(_word(person.surname) for _ in range(rng.choice([1, 1, 2]))),
            ]
        )
        self.right = rng.random() < 0.5
        self.cpf = CPF().generate() if self.right else "".join(rng.choices("0123456789", k=11))
        self.cns = CNS().generate()
        self.card = _card(rng)
        self.day, self.month, self.year = rng.randint(1, 28), rng.randint(1, 12), rng.randint(1935, 2013)
        self.phone = f"{rng.choice([84, 84, 11, 21, 83, 85])}9{rng.randint(6, 9)}{rng.randrange(10**7):07}"
        self.email = person.email(domains=["gmail.com", "hotmail.com", "uol.com.br"])
        street = _word(lambda: STREET_TYPE.sub("", address.street_name()))
        self.street = f"{rng.choice(['Rua', 'Avenida', 'rua', 'Travessa'])} {street}"
        self.house = str(rng.randint(1, 2999))

    def slot(self, letter: str) -> Slot:
        kind, form, written, value = getattr(self, f"_{letter}")()
        if kind in ("name", "CPF", "birth date", "phone") and self.style != "plain" and not written.isdigit():
            written = written.upper() if self.style == "upper" else written.lower()
        return Slot(kind, form, written, value)

    def _N(self):
        return "name", "full", self.name, self.name

    def _F(self):
        return "name", "first", self.first, self.first

    def _C(self):
        c, right = self.cpf, "right" if self.right else "wrong"
        grouped = f"{c[:3]} {c[3:6]} {c[6:9]} {c[9:]}"
        words = [DIGITS[int(digit)] for digit in c]
        meia = ["meia" if word == "seis" else word for word in words]
        form, written = self.rng.choice(
            [
                (right, c),
                (right, f"{c[:3]}.{c[3:6]}.{c[6:9]}-{c[9:]}"),
                (right, f"{c[:9]}-{c[9:]}"),
                (right, grouped),
                (right, f"{c[:3]}.{c[3:6]}.{c[6:9]}/{c[9:]}"),
                (right, f"{c[:3]}.{c[3:6]}.{c[6:9]}.{c[9:]}"),
                ("spaced", " ".join(c)),
                ("spaced", " ".join([c[:3], c[3:6], c[6:9], c[9], c[10]])),
                ("spaced", "-".join(c)),
                ("spelled", " ".join(words)),
                ("spelled", ", ".join(meia)),
                ("spelled", ", ".join(" ".join(meia[i : i + 3]) for i in range(0, 11, 3))),
            ]
        )
        return "CPF", form, written, c

    def _D(self):
        form, written = self.rng.choice(date_forms(self.year, self.month, self.day))
        return "birth date", form, written, f"{self.year}{self.month:02}{self.day:02}"

    def _T(self):
        p = self.phone
        words = " ".join(DIGITS[int(digit)] for digit in p)
        written = self.rng.choice(
            [
                f"({p[:2]}) {p[2:7]}-{p[7:]}",
                f"{p[:2]} {p[2:7]}-{p[7:]}",
                f"{p[:2]}{p[2:]}",
                f"+55 {p[:2]} {p[2:7]}-{p[7:]}",
                f"{p[:2]} {p[2]} {p[3:7]}-{p[7:]}",
                f"({p[:2]}){p[2:]}",
                f"{p[:2]} {p[2:7]} {p[7:]}",
                f"+55{p}",
                " ".join(p),
                words,
            ]
        )
        return "phone", "any", written, p

    def _E(self):
        return "e-mail", "any", self.email, self.email

    def _A(self):
        return "address", "any", f"{self.street}, {self.house}", self.street.split(" ", 1)[1]

    def _S(self):
        s = self.cns
        return "CNS", "any", self.rng.choice([s, f"{s[:3]} {s[3:7]} {s[7:11]} {s[11:]}", " ".join(s)]), s

    def _K(self):
        k = self.card
        return "card", "any", self.rng.choice([k, " ".join(k[i : i + 4] for i in range(0, 16, 4))]), k


def date_forms(y: int, m: int, d: int) -> list[tuple[str, str]]:
    """("digits" or "words", text) of every way that a birth date is written here."""
    day, month = DAYS[d - 1] if d <= 20 else f"vinte e {DIGITS[d - 20]}", MONTHS[m - 1]
    short = y % 100
    tens = (TENS[short // 10] + (f" e {DIGITS[short % 10]}" if short % 10 else "")) if 1920 <= y < 2000 else ""
    after = f" e {DAYS[y - 2001]}".replace("primeiro", "um") if y > 2000 else ""
    year = f"mil novecentos e {tens}" if tens else f"dois mil{after}"
    digits = [
        f"{d:02}/{m:02}/{y}",
        f"{d}/{m}/{y}",
        f"{d:02}-{m:02}-{y}",
        f"{d:02}.{m:02}.{y}",
        f"{y}-{m:02}-{d:02}",
        f"{d:02}{m:02}{y}",
    ]
    digits += [f"{d:02}/{m:02}/{short:02}"] if y < 2000 else []
    words = [
        f"{d} de {month} de {y}",
        f"{d} {month[:3]} {y}",
        f"{day} de {month} de {year}",
        f"{d} de {month} de {year}",
    ]
    words += [f"{day} do {DAYS[m - 1].replace('primeiro', 'um')} de {tens or year}"]
    return [("digits", text) for text in digits] + [("words", text) for text in words]


def cases(count: int, seed: int = 0) -> list[tuple[dict, list[tuple[tuple, Text]]]]:
    """(row, [(path into the row, its Text)]) of that many conversations; a tenth have nobody in them."""
    rng = random.Random(seed)
    person, address = Person(Locale.PT_BR, seed=seed), Address(Locale.PT_BR, seed=seed)
    return [_case(rng, Someone(rng, person, address)) for _ in range(count)]


def _case(rng: random.Random, someone: Someone) -> tuple[dict, list[tuple[int, Text]]]:
    if rng.random() < 0.1:
        question, answer = rng.choice(PLAIN)
        return {"messages": [_say("user", question), _say("assistant", answer)]}, [
            (0, Text([question], [])),
            (1, Text([answer], [])),
        ]
    opening = _filled(rng.choice(OPENINGS), someone)
    messages, texts = [_say("user", str(opening))], [(0, opening)]
    kinds = {slot.kind for slot in opening.slots}
    if {"CPF", "birth date"} <= kinds:
        arguments = {"cpf": someone.cpf, "data_nascimento": f"{someone.year}{someone.month:02}{someone.day:02}"}
        call = {"type": "function", "function": {"name": "unimed_consult", "arguments": json.dumps(arguments)}}
        result = {
            "nome": someone.name.upper(),
            "plano": "Ouro",
            "situacao": "ativo",
            "data_nascimento": f"{someone.day:02}/{someone.month:02}/{someone.year}",
        }
        messages += [
            {"role": "assistant", "content": None, "tool_calls": [call]},
            _say("tool", json.dumps(result, ensure_ascii=False)),
        ]
        answer = _filled(rng.choice(ANSWERS), someone)
    elif "name" in kinds:
        answer = _filled("Certo, {F}. Vou atualizar o cadastro agora mesmo.", someone)
    else:
        answer = Text(["Certo, vou verificar agora mesmo."], [])
    messages.append(_say("assistant", str(answer)))
    return {"messages": messages}, [*texts, (len(messages) - 1, answer)]


def _filled(template: str, someone: Someone) -> Text:
    style = someone.style if template in OPENINGS else "plain"
    parts = re.split(r"\{(\w)\}", template.replace("\\n", "\n"))
    literal = [part.upper() if style == "upper" else part.lower() if style == "lower" else part for part in parts[::2]]
    kept, someone.style = someone.style, style
    slots = [someone.slot(letter) for letter in parts[1::2]]
    someone.style = kept
    return Text(literal, slots)


def _say(role: str, text: str) -> dict:
    return {"role": role, "content": text}


def _word(source) -> str:
    """A name of letters only; the source has a few with entities or signs in them."""
    while True:
        name = source()
        if all(word.isalpha() and len(word) > 2 for word in name.split()):
            return name


def _card(rng: random.Random) -> str:
    body = "4" + "".join(rng.choices("0123456789", k=14))
    total = sum(sum(divmod(2 * int(d), 10)) for d in body[::-2]) + sum(int(d) for d in body[-2::-2])
    return body + str(-total % 10)
