"""Sessions of the dashboard in SQL."""

from __future__ import annotations

import sqlite3

from service.records import SessionRecord


def put(connection: sqlite3.Connection, session: SessionRecord) -> None:
    """Stores a session, and forgets those that have run out."""
    connection.execute("DELETE FROM sessions WHERE ends <= ?", (session.created,))
    connection.execute(
        "INSERT INTO sessions (hash, key, created, ends) VALUES (?, ?, ?, ?)",
        (session.hash, session.key, session.created, session.ends),
    )


def delete(connection: sqlite3.Connection, hash: str) -> bool:
    """Ends a session; whether there was one."""
    return connection.execute("DELETE FROM sessions WHERE hash = ?", (hash,)).rowcount > 0


def every(connection: sqlite3.Connection) -> list[SessionRecord]:
    """All sessions, in the order in which they run out."""
    return [
        SessionRecord(*row)
        for row in connection.execute("SELECT hash, key, created, ends FROM sessions ORDER BY ends, hash")
    ]
