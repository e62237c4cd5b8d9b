"""Scores in SQL as a chart needs them: so many points, each with the highest score of its time."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from model.states import State
from service.store import scores
from service.store.scores import STATE_NUMBER


class Point(NamedTuple):
    """The scores of a stretch of time.

    Attributes:
        time: capture time of its first score, seconds since 1970.
        raw, score, smoothed: the highest in it; None where there is none.
        anomalous: whether the state was, at any time in it.
    """

    time: float
    raw: float | None
    score: float | None
    smoothed: float | None
    anomalous: bool


def points(connection: sqlite3.Connection, stream: str, start: float, end: float, count: int) -> list[Point]:
    """The scores of a stream in a span of time, oldest first; stretches without any have no point.

    Args:
        connection: any.
        stream: id of the stream.
        start, end: capture times, seconds since 1970.
        count: how many points at most.
    """
    first = scores.before(connection, stream, None, start)
    last = scores.before(connection, stream, None, end)
    width = max(end - start, 1e-6) / count
    found = connection.execute(
        "SELECT min(captured), max(raw), max(score), max(smoothed), max(state = ?) FROM history.scores "
        "WHERE series = (SELECT id FROM history.series WHERE stream = ?) AND (epoch, seq) > (?, ?) "
        "AND (epoch, seq) <= (?, ?) AND captured >= ? AND captured < ? "
        "GROUP BY min(?, CAST((captured - ?) / ? AS INTEGER)) ORDER BY 1",
        (STATE_NUMBER[State.ANOMALOUS], stream, *first, *last, start, end, count - 1, start, width),
    )
    return [Point(time, raw, score, smoothed, bool(on)) for time, raw, score, smoothed, on in found]
