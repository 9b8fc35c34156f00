"""A stand-in for the operator's system: contracts in SQLite, found by CPF and birth date together.

Its people are synthetic, and their CPFs fail the check digits. A real back end has the same one method.
"""

import sqlite3
import threading
from collections.abc import Iterable
from pathlib import Path

#: cpf, birth date (AAAAMMDD), name, plan, contract, status
SAMPLE = [
    ("12345678901", "19850615", "Mariana Lopes", "Ouro", "84-000101", "ativo"),
    ("98765432101", "19700302", "João Batista", "Prata", "84-000102", "ativo"),
    ("11122233344", "19901010", "Ana Beatriz", "Bronze", "84-000103", "suspenso"),
    ("55566677788", "20011224", "Carlos Eduardo", "Diamante", "84-000104", "ativo"),
]


class StubBackend:
    """One connection behind a lock: consultations are short, and SQLite connections belong to one user at a time."""

    def __init__(self, path: Path | str = ":memory:", people: Iterable[tuple] = SAMPLE):
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False)
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS contrato (cpf TEXT, data_nascimento TEXT, nome TEXT, plano TEXT, "
            "numero TEXT, situacao TEXT, PRIMARY KEY (cpf, data_nascimento))"
        )
        self._db.executemany("INSERT OR REPLACE INTO contrato VALUES (?, ?, ?, ?, ?, ?)", people)
        self._db.commit()

    def unimed_consult(self, cpf: str, data_nascimento: str) -> dict | None:
        """The contract of that person; None where no row has both."""
        query = "SELECT nome, plano, numero, situacao FROM contrato WHERE cpf = ? AND data_nascimento = ?"
        with self._lock:
            row = self._db.execute(query, (cpf, data_nascimento)).fetchone()
        return row and dict(zip(("nome", "plano", "contrato", "situacao"), row, strict=True))
