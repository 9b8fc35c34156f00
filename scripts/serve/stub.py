"""A stand-in for the operator's system: contracts in SQLite, found by CPF and birth date together.

Its people are synthetic, and their CPFs fail the check digits. A real back end has the same one method.
"""

import sqlite3
import threading
from collections.abc import Iterable
from pathlib import Path

#: cpf, birth date (AAAAMMDD), name, plan, status, next invoice
SAMPLE = [
    ("12345678901", "19850615", "Mariana Lopes", "Ouro", "ativo", "10/12/2026"),
    ("98765432101", "19700302", "João Batista", "Prata", "ativo", "05/12/2026"),
    ("11122233344", "19901010", "Ana Beatriz", "Bronze", "suspenso", "20/11/2026"),
    ("55566677788", "20011224", "Carlos Eduardo", "Diamante", "ativo", "15/12/2026"),
]


class StubBackend:
    """One connection behind a lock: consultations are short, and SQLite connections belong to one user at a time."""

    def __init__(self, path: Path | str = ":memory:", people: Iterable[tuple] = SAMPLE):
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False)
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS contrato (cpf TEXT, data_nascimento TEXT, nome TEXT, plano TEXT, "
            "situacao TEXT, proxima_fatura TEXT, PRIMARY KEY (cpf, data_nascimento))"
        )
        self._db.executemany("INSERT OR REPLACE INTO contrato VALUES (?, ?, ?, ?, ?, ?)", people)
        self._db.commit()

    def unimed_consult(self, cpf: str, data_nascimento: str) -> dict | None:
        """The contract of that person; None where no row has both."""
        query = "SELECT nome, plano, situacao, proxima_fatura FROM contrato WHERE cpf = ? AND data_nascimento = ?"
        with self._lock:
            row = self._db.execute(query, (cpf, data_nascimento)).fetchone()
        return row and dict(zip(("nome", "plano", "situacao", "proxima_fatura"), row, strict=True))
