"""Events in SQL."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from service.events import ANOMALY, RESTART
from service.records import Event, EventLabel
from service.store import cursors

_COLUMNS = (
    "id, stream, epoch, started, first_seq, peaked, peak, peak_seq, peak_frame, ended, last_seq, muted, label, kind, "
    "reason, heat"
)
_TRACKED = [column for column in _COLUMNS.split(", ") if column not in ("id", "label")]
_HEAT_SHAPE = struct.Struct("<HH")  # rows, columns; float32 cells follow

Heat = tuple[tuple[float, ...], ...]
Labelled = EventLabel | Literal["none"]


def put(connection: sqlite3.Connection, event: Event) -> None:
    """Stores an event, or what changed of it; never its label, which belongs to the people who look at it."""
    changed = ", ".join(f"{column} = excluded.{column}" for column in _TRACKED)
    connection.execute(
        f"INSERT INTO events ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "  # noqa: S608
        f"ON CONFLICT (id) DO UPDATE SET {changed}",
        (
            *(event.id, event.stream, event.epoch, event.started, event.first_seq, event.peaked, event.peak),
            *(event.peak_seq, event.peak_frame, event.ended, event.last_seq, event.muted, event.label, event.kind),
            *(event.reason, _pack(event.heat)),
        ),
    )


def label(connection: sqlite3.Connection, id: int, label: EventLabel | None) -> Event | None:
    """Sets or clears what a person said of an event; None if there is no such event."""
    connection.execute("UPDATE events SET label = ? WHERE id = ?", (label, id))
    return one(connection, id)


def one(connection: sqlite3.Connection, id: int) -> Event | None:
    """An event by its id."""
    row = connection.execute(f"SELECT {_COLUMNS} FROM events WHERE id = ?", (id,)).fetchone()  # noqa: S608
    return None if row is None else _event(row)


def page(
    connection: sqlite3.Connection, *, stream: str | None, cursor: str | None, limit: int, label: Labelled | None
) -> tuple[list[Event], str | None]:
    """Events, newest first, and the cursor of the next page if there is one. New events do not shift it.

    Raises:
        CursorError: the cursor is none of events.
    """
    conditions, values = ["TRUE"], list[object]()
    if stream is not None:
        conditions.append("stream = ?")
        values.append(stream)
    if label is not None:
        conditions.append("label IS ?")
        values.append(None if label == "none" else label)
    if cursor is not None:
        conditions.append("id < ?")
        values.append(cursors.decode("event", cursor))
    found = connection.execute(
        f"SELECT {_COLUMNS} FROM events WHERE {' AND '.join(conditions)} ORDER BY id DESC LIMIT ?",  # noqa: S608
        (*values, limit + 1),
    ).fetchall()
    events = [_event(row) for row in found[:limit]]
    return events, cursors.encode("event", events[-1].id) if len(found) > limit else None


def next_id(connection: sqlite3.Connection) -> int:
    """An id above that of every event there is or was."""
    (last,) = connection.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'").fetchone()
    return int(last) + 1


def close_open(connection: sqlite3.Connection) -> list[Event]:
    """Closes the events that an earlier run left open, with the peak and the end that its stored scores tell.

    Returns:
        The events.
    """
    found = connection.execute(f"SELECT {_COLUMNS} FROM events WHERE ended IS NULL").fetchall()  # noqa: S608
    closed = [_closed(connection, _event(row)) for row in found]
    for event in closed:
        put(connection, event)
    return closed


def _closed(connection: sqlite3.Connection, event: Event) -> Event:
    scores = (
        "FROM history.scores WHERE series = (SELECT id FROM history.series WHERE stream = ?) AND epoch = ? AND seq >= ?"
    )
    key = (event.stream, event.epoch, event.first_seq)
    last = connection.execute(f"SELECT captured, seq {scores} ORDER BY seq DESC LIMIT 1", key).fetchone()
    reason = RESTART if event.kind == ANOMALY else event.reason
    if last is None:
        return replace(event, ended=event.peaked, last_seq=event.peak_seq, reason=reason)
    event = replace(event, ended=max(last[0], event.started), last_seq=last[1], reason=reason)
    if event.kind != ANOMALY:
        return event
    peak, peaked, seq, frame = connection.execute(
        f"SELECT max(smoothed), captured, seq, frame {scores}", key
    ).fetchone()
    if peak is None or peak <= event.peak:
        return event
    # the heat map that is stored belongs to the first score, which was not the peak
    return replace(event, peak=peak, peaked=peaked, peak_seq=seq, peak_frame=frame, heat=None)


def _event(row: Sequence[Any]) -> Event:
    *facts, heat = row
    event = Event(*facts)
    return replace(event, muted=bool(event.muted), heat=_unpack(heat))


def _pack(heat: Heat | None) -> bytes | None:
    if heat is None:
        return None
    cells = [cell for row in heat for cell in row]
    return _HEAT_SHAPE.pack(len(heat), len(heat[0]) if heat else 0) + struct.pack(f"<{len(cells)}f", *cells)


def _unpack(packed: bytes | None) -> Heat | None:
    if packed is None:
        return None
    rows, columns = _HEAT_SHAPE.unpack_from(packed)
    cells = struct.unpack_from(f"<{rows * columns}f", packed, _HEAT_SHAPE.size)
    return tuple(tuple(cells[columns * row : columns * (row + 1)]) for row in range(rows))
