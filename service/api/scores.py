"""Scores as they come: websockets and server-sent events, for one stream or all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from functools import partial
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Header, Query, Request
from starlette.responses import StreamingResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from service.addresses import redact
from service.api.deps import READ, Running, problems
from service.auth import key_of
from service.monitor import Monitor
from service.problems import Problem
from service.replay import Position
from service.subscription import GRACE, REVOKED, Subscription

KEEP_ALIVE = 15.0
"""Seconds of silence after which an event stream gets a comment, for proxies that cut off what is silent."""

router = APIRouter(prefix="/v1", tags=["scores"])

Since = Annotated[str | None, Query(max_length=50, description="`epoch:seq` of the last message that is known.")]
Batch = Annotated[int, Query(ge=0, le=10_000, description="Milliseconds that messages are gathered into arrays for.")]
LastId = Annotated[str | None, Header(alias="Last-Event-ID", max_length=50)]
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {}}, "description": "Server-sent events"}
}


@router.websocket("/streams/{id}/scores", dependencies=[READ])
async def stream_scores(
    websocket: WebSocket, id: str, running: Running, since: Since = None, batch_ms: Batch = 0
) -> None:
    """Everything that is said of one stream."""
    running.roster.get(id)
    await _deliver(websocket, running, id, _position(since), batch_ms)


@router.websocket("/scores", dependencies=[READ])
async def all_scores(websocket: WebSocket, running: Running, since: Since = None, batch_ms: Batch = 0) -> None:
    """Everything that is said of all streams; `since` is `epoch:at`."""
    await _deliver(websocket, running, None, _position(since), batch_ms)


@router.get(
    "/streams/{id}/scores/sse",
    operation_id="follow_stream",
    dependencies=[READ],
    response_class=StreamingResponse,
    responses={**problems(404), **_STREAM},
)
async def stream_events(
    request: Request, id: str, running: Running, since: Since = None, last: LastId = None, batch_ms: Batch = 0
) -> StreamingResponse:
    """The websocket's messages of one stream as server-sent events."""
    running.roster.get(id)
    return _events(request, running, id, _position(last or since), batch_ms)


@router.get(
    "/scores/sse",
    operation_id="follow_all",
    dependencies=[READ],
    response_class=StreamingResponse,
    responses={**problems(), **_STREAM},
)
async def all_events(
    request: Request, running: Running, since: Since = None, last: LastId = None, batch_ms: Batch = 0
) -> StreamingResponse:
    """The websocket's messages of all streams as server-sent events."""
    return _events(request, running, None, _position(last or since), batch_ms)


def facts(running: Monitor, stream: str | None) -> dict[str, Any]:
    """What `hello` says besides positions."""
    if stream is None:
        active = running.models.active
        return {"model": None if active is None else active.name, "streams": len(running.roster)}
    member = running.roster.get(stream)
    plan = None if member.stream is None else member.stream.plan
    return {
        "model": None if plan is None else plan.model.name,
        "threshold": None if plan is None else plan.theta,
        "health": member.health.value,
        "reason": redact(member.reason),
    }


def subscribe(running: Monitor, stream: str | None, since: Position | None, batch_ms: int) -> Subscription:
    """A subscription with the facts of its stream.

    Raises:
        Problem: 404: the stream was removed just now.
    """
    try:
        said = facts(running, stream)
        return running.hub.subscribe(stream, since=since, batch_ms=batch_ms, facts=said)
    except KeyError:
        raise Problem(404, "the stream was deleted") from None


async def until_gone(websocket: WebSocket) -> None:
    """Reads and drops what a client sends, until it is gone."""
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass


async def _deliver(websocket: WebSocket, running: Monitor, stream: str | None, since: Position | None, ms: int) -> None:
    with running.enter(key_of(websocket)) as visit:
        subscription = subscribe(running, stream, since, ms)
        visit.on_revoked = partial(subscription.end, REVOKED)
        await websocket.accept()

        async def send(data: bytes) -> None:
            await websocket.send_text(data.decode())

        delivering = asyncio.create_task(subscription.deliver(send))
        gone = asyncio.create_task(until_gone(websocket))
        try:
            await asyncio.wait({delivering, gone}, return_when=asyncio.FIRST_COMPLETED)
            if delivering.done() and not gone.done():
                with suppress(WebSocketDisconnect, RuntimeError):
                    close = delivering.result()
                    await websocket.close(close.code, close.reason)
        finally:
            delivering.cancel()
            gone.cancel()
            await asyncio.gather(delivering, gone, return_exceptions=True)


def _events(
    request: Request, running: Monitor, stream: str | None, since: Position | None, ms: int
) -> StreamingResponse:
    visit = running.enter(key_of(request))
    try:
        subscription = subscribe(running, stream, since, ms)
    except BaseException:
        visit.leave()
        raise
    visit.on_revoked = partial(subscription.end, REVOKED)
    response = _EventStream(subscription, visit.leave)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    return response


class _EventStream(StreamingResponse):
    """Counts as a client until it has ended, however it ends; one that reads nothing is given up soon after that."""

    def __init__(self, subscription: Subscription, leave: Callable[[], object]) -> None:
        self._lines = _lines(subscription)
        super().__init__(self._lines, media_type="text/event-stream")
        self._subscription = subscription
        self._leave = leave

    async def __call__(self, *arguments: Any) -> None:
        sending = asyncio.create_task(super().__call__(*arguments))
        ended = asyncio.create_task(self._subscription.wait_ended())
        try:
            await asyncio.wait({sending, ended}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({sending}, timeout=GRACE)
            if sending.done():
                sending.result()
        finally:
            sending.cancel()
            ended.cancel()
            await asyncio.gather(sending, ended, return_exceptions=True)
            await self._lines.aclose()
            self._leave()


async def _lines(subscription: Subscription) -> AsyncGenerator[bytes, None]:
    """Messages as events; those that have a position carry it as their id, so that browsers resume after it."""
    async with aclosing(subscription.__aiter__()) as said:
        following = asyncio.ensure_future(anext(said))
        try:
            while True:
                done, _ = await asyncio.wait({following}, timeout=KEEP_ALIVE)
                if not done:
                    yield b": alive\n\n"
                    continue
                try:
                    data = following.result()
                except StopAsyncIteration:
                    return
                yield b"%bdata: %b\n\n" % (_id_of(data), data)
                following = asyncio.ensure_future(anext(said))
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)


def _id_of(data: bytes) -> bytes:
    found = orjson.loads(data)
    for message in reversed(found if isinstance(found, list) else [found]):
        place = message.get("at", message.get("seq"))
        if place is not None and message["type"] in ("score", "gap"):
            return b"id: %d:%d\n" % (message["epoch"], place)
    return b""


def _position(text: str | None) -> Position | None:
    if not text:
        return None
    try:
        return Position.parse(text)
    except ValueError as error:
        raise Problem(422, str(error)) from None
