"""What was made for requests that may be sent again, in SQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Any

from service.store.readers import Readers
from service.store.table import Table
from service.store.writer import Apply

KEPT = 86_400.0
"""Seconds that a request is remembered."""

Place = tuple[str, str, str]
"""Caller's key, route, and the name that the client gave the request."""

Made = tuple[str, str]
"""What the request asked for, and the id of what was made."""


class RequestTable(Table):
    """What was made for requests, by caller, route and name."""

    def __init__(self, write: Callable[[Apply[Any]], Any], readers: Readers, clock: Callable[[], float]) -> None:
        """Makes it; `clock` says the seconds since 1970."""
        super().__init__(write, readers)
        self._clock = clock

    def find(self, place: Place) -> Made | None:
        """What was made for a request; None: nothing, or over a day ago."""
        with self._readers.reading() as connection:
            row = connection.execute(
                "SELECT content, made FROM requests WHERE caller = ? AND route = ? AND name = ? AND created > ?",
                (*place, self._clock() - KEPT),
            ).fetchone()
        return None if row is None else (row[0], row[1])

    def put(self, place: Place, content: str, made: str) -> None:
        """Remembers what is made for a request and what it asked for, and forgets old ones."""
        self._write(partial(_put, place=place, content=content, made=made, now=self._clock()))

    def forget(self, place: Place) -> None:
        """Nothing was made for a request after all."""
        self._write(partial(_forget, place=place))


def _put(connection: sqlite3.Connection, place: Place, content: str, made: str, now: float) -> None:
    connection.execute("DELETE FROM requests WHERE created <= ?", (now - KEPT,))
    connection.execute(
        "INSERT OR REPLACE INTO requests (caller, route, name, content, made, created) VALUES (?, ?, ?, ?, ?, ?)",
        (*place, content, made, now),
    )


def _forget(connection: sqlite3.Connection, place: Place) -> None:
    connection.execute("DELETE FROM requests WHERE caller = ? AND route = ? AND name = ?", place)
