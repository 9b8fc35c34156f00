"""The sample database: 24 months of an invented health-plan operator in SQLite.

Run as: python -m scripts.data.sampledb

`ensure()` gives outputs/data/operadora.db, built in about a second where it is missing or older than
datasets/schema/operadora.sql or this file. One seed, one content. The monthly loss ratio, delinquency
and cancellation are drawn first, inside what Brazilian operators report, and the rows are made to
meet them. People are invented, and their CPFs fail the check digits.
"""

import calendar
import hashlib
import os
import random
import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from scripts.errors import main_of
from scripts.paths import DATASETS, OUTPUTS, shown

DDL = DATASETS / "schema" / "operadora.sql"
FILE = OUTPUTS / "data" / "operadora.db"
MONTHS = [(year, month) for year in (2024, 2025) for month in range(1, 13)]
SEED = 20240101
Rows = dict[str, list[tuple]]

MUNICIPALITIES = [  # name, state, population of the 2022 census, share of the members
    ("Natal", "RN", 751300, 40), ("Parnamirim", "RN", 252716, 18), ("Mossoró", "RN", 264577, 14),
    ("Caicó", "RN", 61146, 5), ("Macaíba", "RN", 82249, 5), ("João Pessoa", "PB", 833932, 10),
    ("Campina Grande", "PB", 419379, 5), ("Recife", "PE", 1488920, 3),
]  # fmt: skip
PLANS = [  # name, room, coverage, monthly price
    ("Bronze", "enfermaria", "municipal", 219.90), ("Prata", "enfermaria", "estadual", 289.90),
    ("Ouro", "apartamento", "estadual", 419.90), ("Diamante", "apartamento", "nacional", 689.90),
    ("Rubi", "enfermaria", "nacional", 349.90), ("Safira", "apartamento", "nacional", 529.90),
]  # fmt: skip
PROVIDERS = [  # name, kind, municipality
    ("Hospital Potengi", "hospital", 1), ("Hospital das Dunas", "hospital", 1), ("Hospital do Oeste", "hospital", 3),
    ("Hospital Cabo Branco", "hospital", 6), ("Clínica Ponta Negra", "clínica", 1), ("Clínica Cajueiro", "clínica", 2),
    ("Clínica Seridó", "clínica", 4), ("Clínica Borborema", "clínica", 7), ("Laboratório Reis Magos", "laboratório", 1),
    ("Laboratório Trampolim", "laboratório", 2), ("Laboratório Salinas", "laboratório", 3),
    ("Laboratório Capibaribe", "laboratório", 8),
]  # fmt: skip
PROCEDURES = [  # name, group, reference price, frequency, kind of provider
    ("Consulta clínica", "consulta", 120.00, 26, "clínica"), ("Consulta pediátrica", "consulta", 130.00, 10, "clínica"),
    ("Consulta de urgência", "consulta", 150.00, 9, "hospital"), ("Hemograma", "exame", 25.00, 18, "laboratório"),
    ("Raio X", "exame", 60.00, 7, "hospital"), ("Ultrassonografia", "exame", 140.00, 8, "clínica"),
    ("Tomografia", "exame", 420.00, 3, "hospital"), ("Ressonância", "exame", 780.00, 3, "hospital"),
    ("Fisioterapia", "terapia", 70.00, 9, "clínica"), ("Psicoterapia", "terapia", 110.00, 7, "clínica"),
    ("Parto", "internação", 7800.00, 1, "hospital"), ("Internação clínica", "internação", 5200.00, 2, "hospital"),
]  # fmt: skip
WOMEN = "Alba Bianca Celina Dalva Edna Fabíola Geisa Heloá Iara Jussara Karina Lívia Mirtes Nadja Odete".split()
MEN = "Abílio Breno Caetano Davi Edson Fausto Genésio Hélio Ivo Jonas Kleber Lauro Moacir Nélio Otávio".split()
SURNAMES = "Alecrim Barreto Cascudo Dantas Emerenciano Falcão Galvão Holanda Ipanema Jardim Lamas Maciel".split()


def day(rng: random.Random, year: int, month: int, first: int = 1) -> str:
    """A day of the month as YYYY-MM-DD."""
    return f"{year}-{month:02d}-{rng.randint(first, calendar.monthrange(year, month)[1]):02d}"


def impossible_cpf(number: int) -> str:
    """Eleven digits, distinct for each number below 10**9, whose first check digit is off by one."""
    digits = [int(digit) for digit in f"{number:09d}"]
    check = sum(weight * digit for weight, digit in zip(range(10, 1, -1), digits)) * 10 % 11 % 10
    return f"{number:09d}{(check + 1) % 10}{number % 10}"


def person(rng: random.Random, number: int, adult: bool) -> tuple:
    """(name, CPF, birth date, phone, e-mail, address, sex)"""
    sex = rng.choice("FM")
    name = f"{rng.choice(WOMEN if sex == 'F' else MEN)} {rng.choice(SURNAMES)} {rng.choice(SURNAMES)}"
    born = day(rng, rng.randint(1946, 2003) if adult else rng.randint(2006, 2023), rng.randint(1, 12))
    cpf = impossible_cpf(100_000_000 + number * 7919 + rng.randrange(7919))
    return name, cpf, born, f"(84) 90000-{number:04d}", f"b{number}@example.com", f"Rua das Dunas, {number}", sex


class Membership:
    """Contracts and members as the months go by."""

    def __init__(self, rng: random.Random):
        self.rng, self.contracts, self.members = rng, [], []

    def sell(self, year: int, month: int) -> int:
        """A new contract with its members, from a day of that month on; how many members."""
        kind = self.rng.choices(["individual", "familiar", "empresarial"], [45, 45, 10])[0]
        size = {"individual": 1, "familiar": self.rng.randint(2, 4), "empresarial": self.rng.randint(6, 14)}[kind]
        plan = self.rng.choices(range(len(PLANS)), [26, 24, 18, 6, 16, 10])[0] + 1
        start, contract = day(self.rng, year, month), len(self.contracts) + 1
        home = self.rng.choices(range(len(MUNICIPALITIES)), [place[3] for place in MUNICIPALITIES])[0] + 1
        self.contracts.append({"id": contract, "plan": plan, "kind": kind, "start": start})
        for index in range(size):
            holder = index == 0 or (kind == "empresarial" and self.rng.random() < 0.7)
            who = person(self.rng, len(self.members) + 1, adult=holder or self.rng.random() < 0.4)
            self.members.append(
                {"id": len(self.members) + 1, "contract": contract, "home": home, "who": who, "holder": holder,
                 "kind": kind, "plan": plan, "start": start, "end": None}
            )  # fmt: skip
        return size

    def active(self, before: str) -> list[dict]:
        """Members who joined before that day and have not left."""
        return [member for member in self.members if member["start"] < before and not member["end"]]

    def leave(self, year: int, month: int, count: int) -> None:
        """Cancels that many members; a holder who leaves a family takes it along."""
        staying = self.active(f"{year}-{month:02d}-01")
        self.rng.shuffle(staying)
        for member in staying:
            if member["end"]:
                continue
            family = [other for other in staying if other["contract"] == member["contract"] and not other["end"]]
            leaving = family if member["holder"] and member["kind"] != "empresarial" else [member]
            if len(leaving) <= count:
                for each in leaving:  # a plan covers its member until the month ends
                    each["end"] = f"{year}-{month:02d}-{calendar.monthrange(year, month)[1]}"
                count -= len(leaving)


def invoices(rng: random.Random, members: list[dict], year: int, month: int, unpaid: float, rows: Rows) -> float:
    """One invoice a contract and the payments; `unpaid` of the amount stays open. The amount in reais."""
    amounts: dict[int, float] = {}
    for member in members:
        older = 1 + max(0, year - int(member["who"][2][:4]) - 18) / 60
        amounts[member["contract"]] = amounts.get(member["contract"], 0) + PLANS[member["plan"] - 1][3] * older
    order, total, open_amount = list(amounts), sum(amounts.values()), 0.0
    rng.shuffle(order)
    late = set()
    for contract in order:
        if open_amount + amounts[contract] <= unpaid * total:
            open_amount += amounts[contract]
            late.add(contract)
    for contract in sorted(amounts):
        number, value = len(rows["fatura"]) + 1, round(amounts[contract], 2)
        status, due = ("vencida" if contract in late else "paga"), f"{year}-{month:02d}-{rng.choice(['05', '10', '20'])}"
        rows["fatura"].append((number, contract, f"{year}-{month:02d}", due, value, status))
        if status == "paga":
            way = rng.choices(["boleto", "pix", "cartão"], [55, 30, 15])[0]
            paid = day(rng, year, month, first=3)
            rows["pagamento"].append((len(rows["pagamento"]) + 1, number, paid, way, value))
    return total


def claims(rng: random.Random, members: list[dict], year: int, month: int, cost: float, rows: Rows) -> None:
    """The month's claims; the paid ones add up to `cost` reais."""
    drafts = []
    for _ in range(round(len(members) * rng.uniform(0.8, 0.95))):
        procedure = rng.choices(range(len(PROCEDURES)), [each[3] for each in PROCEDURES])[0]
        name, group, price, _, where = PROCEDURES[procedure]
        provider = rng.choice([index for index, each in enumerate(PROVIDERS) if each[1] == where])
        urgent = "urgência" in name or rng.random() < (0.4 if group == "internação" else 0.08)
        value = None if rng.random() < 0.07 else price * rng.uniform(0.85, 1.25)
        member = rng.choice(members)
        at = day(rng, year, month)
        drafts.append((member["id"], provider + 1, procedure + 1, at, "urgência" if urgent else "eletivo", value))
    scale = cost / sum(draft[5] or 0 for draft in drafts)
    for who, provider, procedure, at, manner, value in sorted(drafts, key=lambda draft: draft[3]):
        paid = None if value is None else round(value * scale, 2)
        status = "negada" if value is None else "paga"
        number = len(rows["guia"]) + 1
        rows["guia"].append((number, who, provider, procedure, at[:7], at, manner, status, paid))


def simulate(seed: int = SEED) -> Rows:
    """Every table's rows, in an order that satisfies the foreign keys."""
    rng = random.Random(seed)
    rows: Rows = {"municipio": [(n, *each[:3]) for n, each in enumerate(MUNICIPALITIES, 1)]}
    rows["plano"] = [(n, *each) for n, each in enumerate(PLANS, 1)]
    rows |= {name: [] for name in ("contrato", "beneficiario", "fatura", "pagamento")}
    rows["prestador"] = [(n, each[2], *each[:2]) for n, each in enumerate(PROVIDERS, 1)]
    rows["procedimento"] = [(n, *each[:3]) for n, each in enumerate(PROCEDURES, 1)]
    rows["guia"] = []
    book, joined = Membership(rng), 0
    while joined < 420:
        joined += book.sell(rng.randint(2019, 2023), rng.randint(1, 12))
    for year, month in MONTHS:
        first = f"{year}-{month:02d}-01"
        # Winter brings more claims, and the year's first quarter more unpaid invoices and departures.
        ratio = rng.uniform(0.74, 0.83) + (0.05 if month in (5, 6, 7, 8) else 0)
        unpaid = rng.uniform(0.06, 0.1) + (0.02 if month <= 3 else 0)
        members = book.active(first)
        leaving = round(len(members) * (rng.uniform(0.011, 0.024) + (0.005 if month <= 3 else 0)))
        claims(rng, members, year, month, ratio * invoices(rng, members, year, month, unpaid, rows), rows)
        book.leave(year, month, leaving)
        new, wanted = 0, rng.randint(8, 14)
        while new < wanted:
            new += book.sell(year, month)
    _close(book, rows)
    return rows


def _close(book: Membership, rows: Rows) -> None:
    """Writes members and contracts as they stand at the end."""
    living = {member["contract"] for member in book.members if not member["end"]}
    for each in book.contracts:
        status = "ativo" if each["id"] in living else "cancelado"
        rows["contrato"].append((each["id"], each["plan"], each["kind"], each["start"], status))
    for each in book.members:
        bond, status = "titular" if each["holder"] else "dependente", "cancelado" if each["end"] else "ativo"
        key = (each["id"], each["contract"], each["home"])
        rows["beneficiario"].append((*key, *each["who"], bond, each["start"], each["end"], status))


def build(file: Path, stamp: int) -> None:
    """Writes the whole database beside `file`, then puts it in its place."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    os.close(handle)
    try:
        with closing(sqlite3.connect(name)) as connection, connection:
            connection.executescript("PRAGMA foreign_keys = ON; PRAGMA synchronous = OFF;" + DDL.read_text("utf-8"))
            connection.execute("BEGIN")
            for table, rows in simulate().items():
                places = ", ".join("?" * len(rows[0]))
                connection.executemany(f"INSERT INTO {table} VALUES ({places})", rows)
            connection.execute(f"PRAGMA user_version = {stamp}")
        os.chmod(name, 0o644)
        os.replace(name, file)
    finally:
        Path(name).unlink(missing_ok=True)


def ensure(file: Path = FILE) -> Path:
    """The sample database, built where it is missing or its DDL or generator changed."""
    stamp = int(hashlib.sha256(DDL.read_bytes() + Path(__file__).read_bytes()).hexdigest()[:7], 16)
    if file.exists():
        with closing(sqlite3.connect(file)) as connection:
            try:
                if connection.execute("PRAGMA user_version").fetchone()[0] == stamp:
                    return file
            except sqlite3.DatabaseError:
                pass  # a damaged file is simply built again
    build(file, stamp)
    return file


def main(argv: Sequence[str]) -> None:
    """Builds the database and says where it is."""
    print(shown(ensure()))


if __name__ == "__main__":
    main_of(main)
