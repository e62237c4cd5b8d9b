"""Streams: made, changed, removed; their stored scores and newest pictures."""

from __future__ import annotations

import asyncio
import secrets
from datetime import datetime
from typing import Annotated, Any

import cv2
import numpy as np
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from model.pictures import PictureError
from service.api.deps import ADMIN, READ, RequestName, Running, place_of, problems
from service.api.views import Id, ScorePage, StreamBody, StreamChange, StreamView, score_view, stream_view
from service.member import Member
from service.picturing import WIDTHS, encode, picture_of
from service.problems import Problem
from service.repeats import digest
from service.replay import Position
from service.stream import Latest

router = APIRouter(prefix="/v1/streams", tags=["streams"])
_PICTURE: dict[int | str, dict[str, Any]] = {200: {"content": {"image/jpeg": {}}, "description": "JPEG"}}


class StreamList(BaseModel):
    streams: list[StreamView]


@router.post("", operation_id="create_stream", status_code=201, dependencies=[ADMIN], responses=problems(404, 409))
async def create(
    body: StreamBody, running: Running, request: Request, response: Response, name: RequestName = None
) -> StreamView:
    """Make a stream, of a camera or one that frames are pushed to."""
    roster = running.roster
    place = place_of(request, "streams", name)
    async with running.repeats.claim(place, exists=roster.has) as claim:
        claim.asks(digest(body.model_dump(mode="json")))
        if claim.made is None:
            record = body.record(body.id or secrets.token_hex(6))
            await asyncio.to_thread(claim.remember, record.id)
            member = await asyncio.to_thread(roster.create, record)
        else:
            member = roster.get(claim.made)
    response.headers["Location"] = str(request.url_for("read_stream", id=member.id).path)
    return stream_view(member, running.store.epoch)


@router.put(
    "/{id}",
    operation_id="put_stream",
    dependencies=[ADMIN],
    responses={**problems(404, 409), 201: {"description": "It was made", "model": StreamView}},
)
async def put(id: Id, body: StreamBody, running: Running, response: Response) -> StreamView:
    """Make a stream, or make one that is there as it is described: for tools that keep a configuration.

    What is not given is at its default. Where only options or the name change, the source is read on; one that has
    failed for good is tried again.
    """
    if body.id not in (None, id):
        raise Problem(422, f"id: the body says {body.id!r}, the path {id!r}")
    member, made = await asyncio.to_thread(running.roster.put, body.record(id))
    response.status_code = 201 if made else 200
    return stream_view(member, running.store.epoch)


@router.get("", operation_id="list_streams", dependencies=[READ], responses=problems())
async def all_streams(running: Running) -> StreamList:
    """All streams, and how they are."""
    return StreamList(streams=[stream_view(member, running.store.epoch) for member in running.roster])


@router.get("/{id}", operation_id="read_stream", name="read_stream", dependencies=[READ], responses=problems(404))
async def read(id: str, running: Running) -> StreamView:
    """One stream, and how it is."""
    return stream_view(running.roster.get(id), running.store.epoch)


@router.patch("/{id}", operation_id="change_stream", dependencies=[ADMIN], responses=problems(404, 409))
async def change(id: str, body: StreamChange, running: Running) -> StreamView:
    """Change a stream while it runs."""
    changes = body.changes(body.model_fields_set)
    member = await asyncio.to_thread(running.roster.change, id, name=body.name, changes=changes)
    return stream_view(member, running.store.epoch)


@router.delete("/{id}", operation_id="delete_stream", status_code=204, dependencies=[ADMIN], responses=problems(404))
async def delete(id: str, running: Running, purge: bool = False) -> None:
    """Remove a stream in any state; with `purge` also its scores and events."""
    await asyncio.to_thread(running.roster.remove, id, purge=purge)


@router.post(
    "/{id}/reference",
    operation_id="accept_picture",
    status_code=204,
    dependencies=[ADMIN],
    responses=problems(404, 409),
)
async def accept_picture(id: str, running: Running) -> None:
    """Say that the camera's picture is right as it is: tampering is judged against it from now on."""
    stream = running.roster.get(id).stream
    if stream is None:
        raise Problem(409, f"stream {id} is not scored: tampering is not looked for")
    stream.sentry.accept()


@router.get("/{id}/scores", operation_id="list_scores", dependencies=[READ], responses=problems(404))
async def scores(
    id: str,
    running: Running,
    since: Annotated[
        str | None, Query(description="`epoch:seq`, or a time (RFC 3339); if not given, from the oldest.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=5000)] = 1000,
) -> ScorePage:
    """Stored scores, oldest first, also of earlier runs of the service."""
    running.roster.get(id)
    after, moment = (0, 0), None
    if since is not None:
        if "T" in since.upper():
            moment = _time(since)
        else:
            try:
                after = Position.parse(since)
            except ValueError as error:
                raise Problem(422, str(error)) from None
    found = await asyncio.to_thread(running.store.history, id, after=after, since=moment, limit=limit)
    following = f"{found[-1][0]}:{found[-1][1].seq}" if found else None
    return ScorePage(scores=[score_view(epoch, score) for epoch, score in found], next=following)


@router.get(
    "/{id}/frame.jpg",
    operation_id="read_frame",
    dependencies=[READ],
    response_class=Response,
    responses={**problems(404), **_PICTURE},
)
async def frame(id: str, running: Running) -> Response:
    """The newest frame that was scored."""
    latest = _latest(running, id)
    return _picture(await asyncio.to_thread(_jpeg, running.roster.get(id), latest))


@router.get(
    "/{id}/heatmap.jpg",
    operation_id="read_heatmap",
    dependencies=[READ],
    response_class=Response,
    responses={**problems(404), **_PICTURE},
)
async def heatmap(id: str, running: Running) -> Response:
    """Where the newest scored frame does not fit what was learned: from black over yellow, the threshold, to white."""
    latest = _latest(running, id)
    if latest.heat is None:
        raise Problem(404, f"stream {id} has no heat map yet: its first window is not full")
    return _picture(await asyncio.to_thread(_heat_jpeg, latest.heat, latest.score.threshold))


def _latest(running: Running, id: str) -> Latest:
    latest = running.roster.get(id).latest
    if latest is None:
        raise Problem(404, f"stream {id} has no frame yet")
    return latest


def _picture(data: bytes) -> Response:
    return Response(data, media_type="image/jpeg")


def _jpeg(member: Member, latest: Latest) -> bytes:
    try:
        return encode(picture_of(member, latest), WIDTHS[1])[0]
    except PictureError:  # it was decoded before it was scored
        raise Problem(404, "the newest frame cannot be shown") from None


def _heat_jpeg(heat: np.ndarray[tuple[int, ...], np.dtype[np.float32]], theta: float) -> bytes:
    level = np.clip(heat / theta * 192, 0, 255).astype(np.uint8)
    large = cv2.resize(level, None, fx=16, fy=16, interpolation=cv2.INTER_CUBIC)
    return cv2.imencode(".jpg", cv2.applyColorMap(large, cv2.COLORMAP_HOT))[1].tobytes()


def _time(text: str) -> float:
    try:
        found = datetime.fromisoformat(text.replace(" ", "+"))  # a plus that was not escaped in the query
    except ValueError:
        raise Problem(422, f"since {text[:40]!r}: expected epoch:seq, or a time such as 2026-01-31T12:00:00Z") from None
    if found.tzinfo is None:
        raise Problem(422, f"since {text[:40]!r}: give the time zone, such as Z")
    return found.timestamp()
