"""What a chart draws: the scores of a span of time in as many points as there is room for."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from service.api.deps import READ, Running, problems
from service.problems import Problem

LONGEST = 21_600.0
"""Seconds of a span at most: six hours are some 200,000 scores, which are read for it."""

Moment = Annotated[float | None, Query(ge=0, le=1e11, allow_inf_nan=False)]

router = APIRouter(prefix="/v1/streams", tags=["streams"])


class TimelineView(BaseModel):
    """Columns of equal length, oldest first. A stretch of time without a score has no place in them."""

    time: list[float] = Field(description="Capture time of the first score of each stretch, seconds since 1970.")
    raw: list[float | None] = Field(description="The highest of each stretch, as in the columns below.")
    score: list[float | None]
    smoothed: list[float | None]
    anomalous: list[bool] = Field(description="Whether the state was anomalous at any time in it.")


@router.get("/{id}/timeline", operation_id="read_timeline", dependencies=[READ], responses=problems(404))
async def timeline(
    id: str,
    running: Running,
    seconds: Annotated[float, Query(gt=0, le=LONGEST, description="Up to the newest score, if no span is given.")] = 60,
    start: Moment = None,
    end: Moment = None,
    points: Annotated[int, Query(ge=2, le=5000, description="At most.")] = 1000,
) -> TimelineView:
    """The scores of the last seconds, or of a span (`start` and `end`, seconds since 1970), thinned by their highest.

    Also of a stream that was deleted without its scores.
    """
    if start is None or end is None:
        if start is not None or end is not None:
            raise Problem(422, "start and end: give both, or neither")
        end = _newest(running, id) + 1e-3
        start = end - seconds
    if not 0 < end - start <= LONGEST:
        raise Problem(422, f"end: expected a time after start, by {LONGEST:.0f} seconds at most")
    found = await asyncio.to_thread(running.store.timeline, id, start, end, points)
    columns = list(zip(*found, strict=True)) or [(), (), (), (), ()]
    names = ("time", "raw", "score", "smoothed", "anomalous")
    return TimelineView(**{name: list(column) for name, column in zip(names, columns, strict=True)})


def _newest(running: Running, id: str) -> float:
    """Capture time of a stream's newest score: a pushed one has its own clock."""
    stream = running.roster.get(id).stream
    return time.time() if stream is None or stream.latest is None else stream.latest.score.captured
