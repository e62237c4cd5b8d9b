"""What is known of the files of events, in SQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import Any

from service.recorder.records import EventFiles
from service.store.readers import Readers
from service.store.writer import Apply

_COLUMNS = "event, stream, state, reason, began, ended, bytes, snapshot, heatmap, noted"
_WAITING = f"SELECT {_COLUMNS} FROM event_files WHERE state = 'waiting' ORDER BY event"  # noqa: S608


class EventFileTable:
    """The rows of events' files. Safe to call from any thread; made by the store."""

    def __init__(self, keep: Callable[[Apply[object], int], Future[bool]], readers: Readers) -> None:
        """Makes it; `keep` queues a write that must not be lost."""
        self._keep = keep
        self._readers = readers

    def put(self, files: EventFiles) -> Future[bool]:
        """Stores what is known, in the place of what was; as durable as scores are. Not after its event was purged."""
        return self._keep(partial(put, files=files), 1)

    def of(self, events: Collection[int]) -> dict[int, EventFiles]:
        """By event; those that have none are left out."""
        with self._readers.reading() as connection:
            return {files.event: files for files in of(connection, events)}

    def waiting(self) -> list[EventFiles]:
        """Those whose clip is not written yet, oldest first."""
        with self._readers.reading() as connection:
            return _all(connection.execute(_WAITING))

    def kept_bytes(self) -> int:
        """Bytes of all files together."""
        with self._readers.reading() as connection:
            (total,) = connection.execute("SELECT coalesce(sum(bytes), 0) FROM event_files WHERE bytes > 0").fetchone()
        return int(total)

    def oldest(self, limit: int) -> list[EventFiles]:
        """Those of the oldest events that have files, except where a clip is not written yet."""
        with self._readers.reading() as connection:
            return _all(
                connection.execute(
                    f"SELECT {_COLUMNS} FROM event_files WHERE bytes > 0 AND state <> 'waiting' "  # noqa: S608
                    "ORDER BY event LIMIT ?",
                    (limit,),
                )
            )


def put(connection: sqlite3.Connection, files: EventFiles) -> None:
    """Stores what is known of an event's files, if there is such an event."""
    connection.execute(
        f"INSERT OR REPLACE INTO event_files ({_COLUMNS}) SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ? "  # noqa: S608
        "WHERE EXISTS (SELECT 1 FROM events WHERE id = ?)",
        (
            *(files.event, files.stream, files.state, files.reason, files.began, files.ended, files.bytes),
            *(files.snapshot, files.heatmap, files.noted, files.event),
        ),
    )


def of(connection: sqlite3.Connection, events: Collection[int]) -> list[EventFiles]:
    """What is known of the files of some events."""
    marks = ", ".join("?" * len(events))
    return _all(connection.execute(f"SELECT {_COLUMNS} FROM event_files WHERE event IN ({marks})", tuple(events)))  # noqa: S608


def _all(found: sqlite3.Cursor) -> list[EventFiles]:
    return [_files(row) for row in found.fetchall()]


def _files(row: Sequence[Any]) -> EventFiles:
    files = EventFiles(*row)
    return replace(files, snapshot=bool(files.snapshot), heatmap=bool(files.heatmap))
