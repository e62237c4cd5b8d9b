"""What was made for requests that may be sent again, in SQL."""

from __future__ import annotations

import sqlite3

KEPT = 86_400.0
"""Seconds that a request is remembered."""

Made = tuple[str, str]
"""What the request asked for, and the id of what was made."""


def find(connection: sqlite3.Connection, *, caller: str, route: str, name: str, now: float) -> Made | None:
    """What was made for a request, or None."""
    row = connection.execute(
        "SELECT content, made FROM requests WHERE caller = ? AND route = ? AND name = ? AND created > ?",
        (caller, route, name, now - KEPT),
    ).fetchone()
    return None if row is None else (row[0], row[1])


def put(
    connection: sqlite3.Connection, *, caller: str, route: str, name: str, content: str, made: str, now: float
) -> None:
    """Remembers a request, and forgets old ones."""
    connection.execute("DELETE FROM requests WHERE created <= ?", (now - KEPT,))
    connection.execute(
        "INSERT OR REPLACE INTO requests (caller, route, name, content, made, created) VALUES (?, ?, ?, ?, ?, ?)",
        (caller, route, name, content, made, now),
    )


def forget(connection: sqlite3.Connection, *, caller: str, route: str, name: str) -> None:
    """Nothing was made after all."""
    connection.execute("DELETE FROM requests WHERE caller = ? AND route = ? AND name = ?", (caller, route, name))
