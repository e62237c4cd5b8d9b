"""Rows of score tables for tests."""

from __future__ import annotations

from model.states import State
from model.tables import Row


def row(
    clip: str = "01",
    frame: int = 0,
    *,
    raw: float | None = 0.5,
    score: float | None = 0.25,
    smoothed: float | None = 0.125,
    time: float = 0.1,
    reason: str = "",
) -> Row:
    """A scored frame; one without `smoothed` warms up."""
    state = State.WARMING if smoothed is None else State.NORMAL
    return Row(clip, frame, time, raw, score, smoothed, state, reason)
