"""What another threshold would have found lately."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from service.api.deps import READ, Running, problems
from service.api.views import Time, moment
from service.problems import Problem
from service.records import Event
from service.what_if import Chained, find_events, since

LONGEST = 21_600
"""Seconds that are looked back at most: six hours are some 200,000 scores."""

router = APIRouter(prefix="/v1/streams", tags=["streams"])


class SpanView(BaseModel):
    """An event that there would have been."""

    start: Time
    end: Time | None = Field(description="null: it would be going on.")
    peak: float


class WhatIfView(BaseModel):
    """What a threshold would have found."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "events": 1,
                    "spans": [{"start": "2026-01-31T12:00:00Z", "end": "2026-01-31T12:00:04Z", "peak": 0.71}],
                    "seconds": 3600,
                    "threshold": 0.8,
                    "scores": 36000,
                }
            ]
        }
    )
    events: int
    spans: list[SpanView]
    seconds: float
    threshold: float
    scores: int = Field(description="Stored scores that it rests on.")


@router.get("/{id}/what-if", operation_id="what_if", dependencies=[READ], responses=problems(404, 409))
async def what_if(
    id: str,
    running: Running,
    threshold: Annotated[
        float | None,
        Query(gt=0, allow_inf_nan=False, description="Raw error; if not given, the threshold in force."),
    ] = None,
    seconds: Annotated[float, Query(gt=0, le=LONGEST, description="How far to look back.")] = 3600,
) -> WhatIfView:
    """The events that a threshold would have found in the last seconds, by the stream's own smoothing and limits."""
    member = running.roster.get(id)
    stream = member.stream
    if stream is None:
        raise Problem(409, f"stream {id} is not scored: {member.problem}")
    plan, cooldown = stream.plan, member.record.options.cooldown
    chained = Chained(
        plan.model.detector.config,
        plan.theta if threshold is None else threshold,
        plan.smoothing,
        plan.minimum,
        running.settings.cooldown if cooldown is None else cooldown,
    )
    newest = time.time() if stream.latest is None else stream.latest.score.captured  # of a pushed one: its own clock

    def found() -> tuple[int, list[Event]]:
        scores = list(since(running.store, id, newest - seconds))
        return len(scores), find_events(scores, chained)

    count, events = await asyncio.to_thread(found)
    spans = [SpanView(start=moment(one.started), end=moment(one.ended), peak=one.peak) for one in events]
    return WhatIfView(events=len(spans), spans=spans, seconds=seconds, threshold=chained.theta, scores=count)
