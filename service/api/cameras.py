"""Before a camera is a stream: it is tried out; and a street to look at for whoever has none."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from service import demo
from service.api.deps import ADMIN, Running, problems
from service.api.views import Body, StreamBody, StreamView, stream_view
from service.problems import Problem
from service.readers.trial import try_source

_AT_ONCE = 2
"""Trials under way; each has a process of its own."""

router = APIRouter(prefix="/v1/streams", tags=["streams"])


class TrialBody(Body):
    """A source to try, as a stream has it: its text alone, or the whole body of a stream."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"source": "rtsp://user:password@10.0.0.5/live"}]})
    source: str | StreamBody = Field(description="A camera's URL or the name of a configured source.")

    def text(self) -> str:
        """The source's own text.

        Raises:
            Problem: 422: there is none.
        """
        found = self.source if isinstance(self.source, str) else self.source.source
        if not found or len(found) > 2048:
            raise Problem(422, "source: expected a camera's URL or the name of a configured source")
        return found


class TrialView(BaseModel):
    """What came of it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"ok": True, "width": 1920, "height": 1080, "frame_rate": 25.0},
                {"ok": False, "error_class": "auth", "reason": "the camera refuses the user or password"},
            ]
        }
    )
    ok: bool
    width: int | None = Field(default=None, description="Of its pictures, pixels.")
    height: int | None = None
    frame_rate: float | None = Field(default=None, description="Pictures a second; null: too few came to say.")
    error_class: str = Field(default="", description="What went wrong, one word.")
    reason: str = Field(default="", description="The same in a sentence.")


@router.post("/test", operation_id="test_source", dependencies=[ADMIN], responses=problems(429))
async def test_source(body: TrialBody, running: Running) -> TrialView:
    """Try a source: the answer says what comes of it, or exactly what fails. Nothing is kept."""
    if running.trials >= _AT_ONCE:
        raise Problem(429, f"{running.trials} sources are being tried already", retry_after=5)
    running.trials += 1
    try:
        found = await try_source(running.settings, body.text(), loops=demo.LOOPS)
    finally:
        running.trials -= 1
    if found.error_class:
        return TrialView(ok=False, error_class=found.error_class, reason=found.reason)
    return TrialView(ok=True, width=found.width, height=found.height, frame_rate=found.frame_rate)


@router.post(
    "/demo",
    operation_id="create_demo",
    status_code=201,
    dependencies=[ADMIN],
    responses={**problems(409), 200: {"description": "It is there already", "model": StreamView}},
)
async def create_demo(running: Running, response: Response) -> StreamView:
    """Make the demo stream: a drawn street in a loop, scored with the model that ships with the service."""
    member, made = await asyncio.to_thread(running.add_demo)
    response.status_code = 201 if made else 200
    return stream_view(member, running.store.epoch)
