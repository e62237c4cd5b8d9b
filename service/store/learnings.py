"""Learnings in SQL."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from service.learning.records import Learning

_COLUMNS = "id, stream, state, minutes, created, finished, progress, detail, recorded, model, report"


def put(connection: sqlite3.Connection, learning: Learning) -> None:
    """Stores a learning, or what changed of it; its place in the list stays."""
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


def one(connection: sqlite3.Connection, id: str) -> Learning | None:
    """A learning by its id."""
    row = connection.execute(f"SELECT {_COLUMNS} FROM learnings WHERE id = ?", (id,)).fetchone()  # noqa: S608
    return None if row is None else _learning(row)


def every(connection: sqlite3.Connection) -> list[Learning]:
    """All learnings, newest first."""
    return [_learning(row) for row in connection.execute(f"SELECT {_COLUMNS} FROM learnings ORDER BY key DESC")]  # noqa: S608


def delete(connection: sqlite3.Connection, id: str) -> bool:
    """Removes a learning; whether there was one."""
    return connection.execute("DELETE FROM learnings WHERE id = ?", (id,)).rowcount > 0


def _learning(row: Sequence[Any]) -> Learning:
    id, stream, state, minutes, created, finished, progress, detail, recorded, model, report = row
    found = None if report is None else json.loads(report)
    return Learning(id, stream, state, minutes, created, finished, progress, detail, recorded, model, found)
