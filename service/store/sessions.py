"""Sessions of the dashboard in SQL."""

from __future__ import annotations

import sqlite3
from functools import partial

from service.records import SessionRecord
from service.store.table import Table


class SessionTable(Table):
    """Sessions."""

    def put(self, session: SessionRecord) -> None:
        """Stores a session, and forgets those that have run out."""
        self._write(partial(_put, session=session))

    def all(self) -> list[SessionRecord]:
        """All sessions, in the order in which they run out."""
        with self._readers.reading() as connection:
            rows = connection.execute("SELECT hash, key, created, ends FROM sessions ORDER BY ends, hash").fetchall()
        return [SessionRecord(*row) for row in rows]

    def delete(self, hash: str) -> bool:
        """Ends a session; whether there was one."""
        return bool(self._write(partial(_delete, hash=hash)))


def _put(connection: sqlite3.Connection, session: SessionRecord) -> None:
    connection.execute("DELETE FROM sessions WHERE ends <= ?", (session.created,))
    connection.execute(
        "INSERT INTO sessions (hash, key, created, ends) VALUES (?, ?, ?, ?)",
        (session.hash, session.key, session.created, session.ends),
    )


def _delete(connection: sqlite3.Connection, hash: str) -> bool:
    return connection.execute("DELETE FROM sessions WHERE hash = ?", (hash,)).rowcount > 0
