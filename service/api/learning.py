"""Learning a camera: begun, followed, cancelled, and its model put to use."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from service.api.deps import ADMIN, READ, Running, problems
from service.api.views import Body, Time, moment
from service.learning.records import Learning, LearningState

router = APIRouter(tags=["learning"])


class LearnBody(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"minutes": 30}]})
    minutes: float = Field(30.0, ge=0.1, le=1440, description="Of footage that is recorded; half an hour or more.")


class LearningView(BaseModel):
    """A camera that is, or was, being learned."""

    id: str
    stream: str
    state: LearningState
    minutes: float
    recorded: float = Field(description="Seconds of footage so far.")
    created: Time
    finished: Time | None
    progress: float = Field(description="0 to 1, of the present state.")
    detail: str = Field(description="What goes on, or why it failed.")
    model: str | None = Field(description="Name of the model that came of it.")
    report: dict[str, Any] | None = Field(
        description="How good it is: `text` for people, `notes`, and its figures (held-out error, threshold and false "
        "alarms an hour with their bound, coverage, self-test)."
    )


class LearningList(BaseModel):
    learning: list[LearningView]


@router.post(
    "/v1/streams/{id}/learn",
    operation_id="learn_stream",
    status_code=202,
    dependencies=[ADMIN],
    responses=problems(404, 409, 507),
)
async def learn(id: str, body: LearnBody, running: Running) -> LearningView:
    """Record a stream, which must show normal activity meanwhile, and train a model on it; scoring goes on."""
    return view(await asyncio.to_thread(running.learner.begin, id, body.minutes))


@router.get("/v1/learning", operation_id="list_learning", dependencies=[READ], responses=problems())
async def every(running: Running) -> LearningList:
    """All that was learned, or is being learned, newest first."""
    return LearningList(learning=[view(one) for one in await asyncio.to_thread(running.learner.all)])


@router.get("/v1/learning/{id}", operation_id="read_learning", dependencies=[READ], responses=problems(404))
async def one(id: str, running: Running) -> LearningView:
    """How far it is, and what came of it."""
    return view(await asyncio.to_thread(running.learner.get, id))


@router.delete(
    "/v1/learning/{id}",
    operation_id="cancel_learning",
    status_code=204,
    dependencies=[ADMIN],
    responses=problems(404),
)
async def cancel(id: str, running: Running) -> None:
    """Cancel it, which removes what was recorded; forget one that has ended. A model that came of it stays."""
    await asyncio.to_thread(running.learner.cancel, id)


@router.post(
    "/v1/learning/{id}/activate",
    operation_id="activate_learning",
    dependencies=[ADMIN],
    responses=problems(404, 409),
)
async def activate(id: str, running: Running) -> LearningView:
    """Score the stream with the model that was learned from it, from now on."""
    return view(await asyncio.to_thread(running.learner.activate, id))


def view(learning: Learning) -> LearningView:
    return LearningView(
        id=learning.id,
        stream=learning.stream,
        state=learning.state,
        minutes=learning.minutes,
        recorded=learning.recorded,
        created=moment(learning.created),
        finished=moment(learning.finished),
        progress=learning.progress,
        detail=learning.detail,
        model=learning.model,
        report=learning.report,
    )
