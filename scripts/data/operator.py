"""An invented health-plan operator, month by month: what the sample database is filled with.

The monthly loss ratio, delinquency and cancellation are drawn first, inside what Brazilian operators
report, and the rows are made to meet them. People are invented, and their CPFs fail the check digits.
"""

import calendar
import random
from dataclasses import dataclass

MONTHS = [(year, month) for year in (2024, 2025) for month in range(1, 13)]
Rows = dict[str, list[tuple]]


def impossible_cpf(number: int) -> str:
    """Eleven digits, distinct for each number below 10**9, whose first check digit is off by one."""
    digits = [int(digit) for digit in f"{number:09d}"]
    check = sum(weight * digit for weight, digit in zip(range(10, 1, -1), digits, strict=True)) * 10 % 11 % 10
    return f"{number:09d}{(check + 1) % 10}{number % 10}"


@dataclass
class Member:
    """A covered person; `who` is name, CPF, birth date, phone, e-mail, address, sex."""

    id: int
    contract: int
    home: int
    who: tuple
    holder: bool
    company: bool
    price: float
    start: str
    end: str | None = None


class Operator:
    """The operator's books as the months go by; `rows` is what the database gets."""

    def __init__(self, seed: int, parts: dict):
        self.rng, self.parts, self.members = random.Random(seed), parts, []
        self.contracts: list[tuple] = []
        cities = [each[0] for each in parts["municipalities"]]
        self.rows: Rows = {
            "municipio": [(n, *each[:3]) for n, each in enumerate(parts["municipalities"], 1)],
            "plano": [(n, *each[:4]) for n, each in enumerate(parts["plans"], 1)],
            **{name: [] for name in ("contrato", "beneficiario", "fatura", "pagamento")},
            "prestador": [(n, cities.index(each[2]) + 1, *each[:2]) for n, each in enumerate(parts["providers"], 1)],
            "procedimento": [(n, *each[:3]) for n, each in enumerate(parts["procedures"], 1)],
            "guia": [],
        }

    def day(self, year: int, month: int, first: int = 1) -> str:
        """A day of the month as YYYY-MM-DD."""
        return f"{year}-{month:02d}-{self.rng.randint(first, calendar.monthrange(year, month)[1]):02d}"

    def drawn(self, part: str, weight: int) -> int:
        """The index of one of the parts, drawn by the weights in that column."""
        return self.rng.choices(range(len(self.parts[part])), [each[weight] for each in self.parts[part]])[0]

    def person(self, number: int, adult: bool) -> tuple:
        """An invented person's name, CPF, birth date, phone, e-mail, address and sex."""
        rng, people, sex = self.rng, self.parts["people"], self.rng.choice("FM")
        name = f"{rng.choice(people[sex])} {rng.choice(people['last'])} {rng.choice(people['last'])}"
        born = self.day(rng.randint(1946, 2003) if adult else rng.randint(2006, 2023), rng.randint(1, 12))
        cpf = impossible_cpf(100_000_000 + number * 7919 + rng.randrange(7919))
        return name, cpf, born, f"(84) 90000-{number:04d}", f"b{number}@example.com", f"Rua das Dunas, {number}", sex

    def sell(self, year: int, month: int) -> int:
        """A new contract with its members, from a day of that month on; how many members."""
        kind = self.rng.choices(["individual", "familiar", "empresarial"], [45, 45, 10])[0]
        size = {"individual": 1, "familiar": self.rng.randint(2, 4), "empresarial": self.rng.randint(6, 14)}[kind]
        plan, home = self.drawn("plans", 4), self.drawn("municipalities", 3) + 1
        start, contract, company = self.day(year, month), len(self.contracts) + 1, kind == "empresarial"
        self.contracts.append((contract, plan + 1, kind, start))
        for index in range(size):
            holder, number = index == 0 or (company and self.rng.random() < 0.7), len(self.members) + 1
            who = self.person(number, adult=holder or self.rng.random() < 0.4)
            price = self.parts["plans"][plan][3]
            self.members.append(Member(number, contract, home, who, holder, company, price, start))
        return size

    def active(self, year: int, month: int) -> list[Member]:
        """Members who joined before that month and have not left."""
        return [each for each in self.members if each.start < f"{year}-{month:02d}-01" and not each.end]

    def leave(self, year: int, month: int, count: int) -> None:
        """Cancels that many members; a holder who leaves a family takes it along."""
        staying = self.active(year, month)
        self.rng.shuffle(staying)
        for member in staying:
            family = [other for other in staying if other.contract == member.contract and not other.end]
            leaving = family if member.holder and not member.company else [member]
            if member.end or len(leaving) > count:
                continue
            for each in leaving:  # a plan covers its member until the month ends
                each.end = f"{year}-{month:02d}-{calendar.monthrange(year, month)[1]}"
            count -= len(leaving)

    def invoice(self, year: int, month: int, unpaid: float) -> float:
        """One invoice a contract, and the payments; `unpaid` of the amount stays open. The amount in reais."""
        amounts: dict[int, float] = {}
        for each in self.active(year, month):
            older = 1 + max(0, year - int(each.who[2][:4]) - 18) / 60
            amounts[each.contract] = amounts.get(each.contract, 0) + each.price * older
        total, late, owed = sum(amounts.values()), set(), 0.0
        for contract in self.rng.sample(sorted(amounts), len(amounts)):
            if owed + amounts[contract] <= unpaid * total:
                owed += amounts[contract]
                late.add(contract)
        for contract in sorted(amounts):
            number, value = len(self.rows["fatura"]) + 1, round(amounts[contract], 2)
            due = f"{year}-{month:02d}-{self.rng.choice(['05', '10', '20'])}"
            status = "vencida" if contract in late else "paga"
            self.rows["fatura"].append((number, contract, due[:7], due, value, status))
            if status == "paga":
                way = self.rng.choices(["boleto", "pix", "cartão"], [55, 30, 15])[0]
                payment = (len(self.rows["pagamento"]) + 1, number, self.day(year, month, first=3), way, value)
                self.rows["pagamento"].append(payment)
        return total

    def claim(self, year: int, month: int, cost: float) -> None:
        """The month's claims; the paid ones add up to `cost` reais."""
        rng, members, drafts = self.rng, self.active(year, month), []
        for _ in range(round(len(members) * rng.uniform(0.8, 0.95))):
            procedure = self.drawn("procedures", 3)
            name, group, price, _, where = self.parts["procedures"][procedure]
            provider = rng.choice([n for n, each in enumerate(self.parts["providers"], 1) if each[1] == where])
            urgent = "urgência" in name or rng.random() < (0.4 if group == "internação" else 0.08)
            value = None if rng.random() < 0.07 else price * rng.uniform(0.85, 1.25)
            manner, at = "urgência" if urgent else "eletivo", self.day(year, month)
            drafts.append((at, rng.choice(members).id, provider, procedure + 1, manner, value))
        scale = cost / sum(draft[-1] or 0 for draft in drafts)
        for at, *who, manner, value in sorted(drafts, key=lambda draft: draft[0]):
            paid, status = (None, "negada") if value is None else (round(value * scale, 2), "paga")
            self.rows["guia"].append((len(self.rows["guia"]) + 1, *who, at[:7], at, manner, status, paid))

    def month(self, year: int, month: int) -> None:
        """A month's invoices, claims, departures and sales."""
        # Winter brings more claims, and the year's first quarter more unpaid invoices and departures.
        ratio = self.rng.uniform(0.74, 0.83) + (0.05 if 5 <= month <= 8 else 0)
        unpaid = self.rng.uniform(0.06, 0.1) + (0.02 if month <= 3 else 0)
        leaving = self.rng.uniform(0.011, 0.024) + (0.005 if month <= 3 else 0)
        self.claim(year, month, ratio * self.invoice(year, month, unpaid))
        self.leave(year, month, round(len(self.active(year, month)) * leaving))
        new, wanted = 0, self.rng.randint(8, 14)
        while new < wanted:
            new += self.sell(year, month)

    def close(self) -> Rows:
        """All rows, with members and contracts as they stand at the end."""
        living = {each.contract for each in self.members if not each.end}
        for contract in self.contracts:
            self.rows["contrato"].append((*contract, "ativo" if contract[0] in living else "cancelado"))
        for each in self.members:
            bond, status = "titular" if each.holder else "dependente", "cancelado" if each.end else "ativo"
            row = (each.id, each.contract, each.home, *each.who, bond, each.start, each.end, status)
            self.rows["beneficiario"].append(row)
        return self.rows


def simulate(seed: int, parts: dict) -> Rows:
    """Every table's rows, in an order that satisfies the foreign keys; `parts` is operadora.yml."""
    operator, sold = Operator(seed, parts), 0
    while sold < 420:
        sold += operator.sell(operator.rng.randint(2019, 2023), operator.rng.randint(1, 12))
    for year, month in MONTHS:
        operator.month(year, month)
    return operator.close()
