"""Runs of the service, counted in both files."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from service.store import alerts, events, files


def begin(folder: Path, now: float) -> tuple[int, int]:
    """Counts this run in both files, so that either can be lost, and tidies up after the run before.

    Returns:
        The epoch, and the id of the next event.
    """
    with files.explained(folder), closing(files.connect(folder)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        (last,) = connection.execute(
            "SELECT coalesce(max(epoch), 0) FROM (SELECT epoch FROM main.epochs UNION SELECT epoch FROM history.epochs)"
        ).fetchone()
        for schema in ("main", "history"):
            connection.execute(f"INSERT INTO {schema}.epochs (epoch, started) VALUES (?, ?)", (last + 1, now))  # noqa: S608
        for event in events.close_open(connection):
            alerts.enqueue(connection, event, now)
        first_event = events.next_id(connection)
        connection.execute("COMMIT")
    return int(last) + 1, first_event


def probe(epoch: int, connection: sqlite3.Connection) -> None:
    """A small write to both files, which shows whether they can be written."""
    for schema in ("main", "history"):
        connection.execute(f"UPDATE {schema}.epochs SET started = started WHERE epoch = ?", (epoch,))  # noqa: S608
