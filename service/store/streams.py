"""Streams in SQL."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict
from typing import Any

from service.records import StreamOptions, StreamRecord
from service.store import alerts, sentries


def put(connection: sqlite3.Connection, record: StreamRecord) -> None:
    """Stores a stream, in the place of one with the same id."""
    connection.execute(
        "INSERT INTO streams (id, name, source, loop, options, created) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (id) DO UPDATE SET name = excluded.name, source = excluded.source, loop = excluded.loop, "
        "options = excluded.options, created = excluded.created",
        (record.id, record.name, record.source, record.loop, json.dumps(asdict(record.options)), record.created),
    )


def every(connection: sqlite3.Connection) -> list[StreamRecord]:
    """All streams, in the order they were made."""
    found = connection.execute("SELECT id, name, source, options, loop, created FROM streams ORDER BY created, id")
    return [
        StreamRecord(id, name, source, _options(json.loads(options)), bool(loop), created)
        for id, name, source, options, loop, created in found
    ]


def delete(connection: sqlite3.Connection, id: str, *, purge: bool) -> bool:
    """Removes a stream; with `purge` also its events, and its scores from sight (`upkeep.sweep` removes them).

    The files of purged events are removed by whoever keeps them: nothing is known of them any more.

    Returns:
        Whether there was such a stream.
    """
    existed = connection.execute("DELETE FROM streams WHERE id = ?", (id,)).rowcount > 0
    sentries.delete(connection, id)
    if purge:
        connection.execute("DELETE FROM events WHERE stream = ?", (id,))
        connection.execute("DELETE FROM event_files WHERE stream = ?", (id,))
        alerts.forget_stream(connection, id)
        connection.execute("UPDATE history.series SET stream = NULL WHERE stream = ?", (id,))
    return existed


def _options(stored: dict[str, Any]) -> StreamOptions:
    mask = tuple(tuple((float(x), float(y)) for x, y in polygon) for polygon in stored.pop("mask"))
    return StreamOptions(mask=mask, **stored)
