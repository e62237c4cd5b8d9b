"""Scores in SQL: one compact row each, clustered by stream, run and number."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from model.states import State
from service.records import Score

STATES = (State.WARMING, State.NORMAL, State.ANOMALOUS)
"""States by the number they are stored as."""

STATE_NUMBER = {state: number for number, state in enumerate(STATES)}

_COLUMNS = "seq, frame, pts, captured, scored, raw, score, smoothed, threshold, state, dropped, reason, reliable"
_SERIES = "(SELECT id FROM history.series WHERE stream = ?)"


def insert(connection: sqlite3.Connection, epoch: int, scores: Sequence[Score]) -> None:
    """Adds scores of any streams.

    Raises:
        sqlite3.IntegrityError: a stream's `seq` is there already in this epoch.
    """
    connection.executemany(
        "INSERT OR IGNORE INTO history.series (stream) VALUES (?)", {(score.stream,) for score in scores}
    )
    connection.executemany(
        f"INSERT INTO history.scores (series, epoch, {_COLUMNS}) "  # noqa: S608
        f"VALUES ({_SERIES}, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                *(score.stream, epoch, score.seq, score.frame, score.pts, score.captured, score.scored),
                *(score.raw, score.score, score.smoothed, score.threshold),
                *(STATE_NUMBER[score.state], score.dropped, score.reason, score.reliable),
            )
            for score in scores
        ],
    )


def after(
    connection: sqlite3.Connection, stream: str, *, start: tuple[int, int], end: int | None, limit: int
) -> list[tuple[int, Score]]:
    """Scores with their epochs, oldest first.

    Args:
        connection: any.
        stream: id of the stream.
        start: epoch and seq; what comes after it.
        end: last epoch; None: the newest.
        limit: how many at most.
    """
    found = connection.execute(
        f"SELECT epoch, {_COLUMNS} FROM history.scores "  # noqa: S608
        f"WHERE series = {_SERIES} AND (epoch, seq) > (?, ?) AND epoch <= ? ORDER BY epoch, seq LIMIT ?",
        (stream, *start, 2**62 if end is None else end, limit),
    )
    return [(row[0], _score(stream, row[1:])) for row in found]


def before(connection: sqlite3.Connection, stream: str, epoch: int | None, captured: float) -> tuple[int, int]:
    """Epoch and seq of the last score that was captured before a moment; (epoch or 0, 0) where there is none.

    Found by bisection, as capture times of a stream rise within a run; where a client's clock jumped, the answer is
    one of the places where they pass the moment.
    """
    epochs = epochs_of(connection, stream)
    for candidate in reversed(epochs if epoch is None else [epoch]):
        bounds_ = bounds(connection, stream, candidate)
        if bounds_ == (0, 0):
            continue
        low, high = bounds_[0] - 1, bounds_[1] + 1  # low: before the moment, or in front of all
        while high - low > 1:
            middle = (low + high) // 2
            row = connection.execute(
                f"SELECT captured, seq FROM history.scores WHERE series = {_SERIES} AND epoch = ? AND seq >= ? "  # noqa: S608
                "ORDER BY seq LIMIT 1",
                (stream, candidate, middle),
            ).fetchone()
            if row is None or row[0] >= captured:
                high = middle
            else:
                low = row[1]
        if low >= bounds_[0]:
            return candidate, low
    return (epoch or 0), 0


def epochs_of(connection: sqlite3.Connection, stream: str) -> list[int]:
    """The runs of which a stream has scores, ascending; one look-up in the index each."""
    found: list[int] = []
    while True:
        row = connection.execute(
            f"SELECT epoch FROM history.scores WHERE series = {_SERIES} AND epoch > ? ORDER BY epoch LIMIT 1",  # noqa: S608
            (stream, found[-1] if found else -1),
        ).fetchone()
        if row is None:
            return found
        found.append(row[0])


def bounds(connection: sqlite3.Connection, stream: str, epoch: int) -> tuple[int, int]:
    """Oldest and newest `seq` of a stream in one run, (0, 0) if it has none there."""
    edges = [
        connection.execute(
            f"SELECT seq FROM history.scores WHERE series = {_SERIES} AND epoch = ? ORDER BY seq {order} LIMIT 1",  # noqa: S608
            (stream, epoch),
        ).fetchone()
        for order in ("ASC", "DESC")
    ]
    return (0, 0) if edges[0] is None or edges[1] is None else (edges[0][0], edges[1][0])


def _score(stream: str, row: Sequence[Any]) -> Score:
    seq, frame, pts, captured, scored, raw, score, smoothed, threshold, state, dropped, reason, reliable = row
    return Score(
        *(stream, seq, frame, pts, captured, scored, raw, score, smoothed, threshold, STATES[state], dropped, reason),
        reliable=bool(reliable),
    )
