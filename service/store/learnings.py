"""Learnings in SQL."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import Any

from service.learning.records import Learning
from service.store.table import Table

_COLUMNS = "id, stream, state, minutes, created, finished, progress, detail, recorded, model, report"


class LearningTable(Table):
    """Learnings."""

    def put(self, learning: Learning) -> None:
        """Stores a learning, or what changed of it; its place in the list stays."""
        self._write(partial(_put, learning=learning))

    def one(self, id: str) -> Learning | None:
        """A learning by its id."""
        with self._readers.reading() as connection:
            row = connection.execute(f"SELECT {_COLUMNS} FROM learnings WHERE id = ?", (id,)).fetchone()  # noqa: S608
        return None if row is None else _learning(row)

    def all(self) -> list[Learning]:
        """All learnings, newest first."""
        with self._readers.reading() as connection:
            rows = connection.execute(f"SELECT {_COLUMNS} FROM learnings ORDER BY key DESC").fetchall()  # noqa: S608
        return [_learning(row) for row in rows]

    def delete(self, id: str) -> bool:
        """Removes a learning; whether there was one."""
        return bool(self._write(partial(_delete, id=id)))


def _put(connection: sqlite3.Connection, learning: Learning) -> None:
    changed = ", ".join(f"{column} = excluded.{column}" for column in _COLUMNS.split(", ")[1:])
    report = None if learning.report is None else json.dumps(learning.report)
    connection.execute(
        f"INSERT INTO learnings ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "  # noqa: S608
        f"ON CONFLICT (id) DO UPDATE SET {changed}",
        (
            *(learning.id, learning.stream, learning.state, learning.minutes, learning.created, learning.finished),
            *(learning.progress, learning.detail, learning.recorded, learning.model, report),
        ),
    )


def _delete(connection: sqlite3.Connection, id: str) -> bool:
    return connection.execute("DELETE FROM learnings WHERE id = ?", (id,)).rowcount > 0


def _learning(row: Sequence[Any]) -> Learning:
    id, stream, state, minutes, created, finished, progress, detail, recorded, model, report = row
    found = None if report is None else json.loads(report)
    return Learning(id, stream, state, minutes, created, finished, progress, detail, recorded, model, found)
