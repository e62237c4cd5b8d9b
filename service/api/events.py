"""Events: what was found, and what people say of it."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import FileResponse, Response

from service.api.deps import ADMIN, READ, Running, problems
from service.api.event_views import EventChange, EventPage, EventView, event_view
from service.monitor import Monitor
from service.problems import Problem, not_found
from service.recorder.shelf import CLIP, HEAT_MAP, SNAPSHOT
from service.records import Event

router = APIRouter(prefix="/v1/events", tags=["events"])
EventId = Annotated[int, Path(ge=1, le=2**62)]


@router.get("", operation_id="list_events", dependencies=[READ], responses=problems())
async def events(
    running: Running,
    request: Request,
    stream: str | None = None,
    label: Literal["true", "false", "none"] | None = None,
    cursor: Annotated[str | None, Query(max_length=100)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> EventPage:
    """Events, newest first; new ones do not shift the pages."""
    found, following = await asyncio.to_thread(running.store.events, stream, cursor, limit, label)
    return EventPage(events=await _views(running, request, found), next=following)


@router.get("/{id}", operation_id="read_event", dependencies=[READ], responses=problems(404))
async def event(id: EventId, running: Running, request: Request) -> EventView:
    """One event, with the heat map of its peak."""
    found = await asyncio.to_thread(running.store.event, id)
    if found is None:
        raise not_found("event", id)
    (view,) = await _views(running, request, [found])
    return view


@router.patch("/{id}", operation_id="label_event", dependencies=[ADMIN], responses=problems(404))
async def label_event(id: EventId, body: EventChange, running: Running, request: Request) -> EventView:
    """Say whether it was a true or a false alarm; null takes that back."""
    found = await asyncio.to_thread(running.store.label_event, id, body.label)
    if found is None:
        raise not_found("event", id)
    (view,) = await _views(running, request, [found])
    return view


@router.get(
    "/{id}/clip.mp4",
    operation_id="read_clip",
    dependencies=[READ],
    response_class=Response,
    responses={**problems(404, 416), 200: {"content": {"video/mp4": {}}, "description": "MP4, H.264; byte ranges"}},
)
async def clip(id: EventId, running: Running, download: bool = False) -> Response:
    """The video of an event, with the seconds before and after it; `download` names it as a file to be kept."""
    return await _file(running, id, CLIP, "video/mp4", download)


@router.get(
    "/{id}/snapshot.jpg",
    operation_id="read_snapshot",
    dependencies=[READ],
    response_class=Response,
    responses={**problems(404, 416), 200: {"content": {"image/jpeg": {}}, "description": "JPEG"}},
)
async def snapshot(id: EventId, running: Running) -> Response:
    """The picture of an event's peak; while it goes on, of its begin."""
    return await _file(running, id, SNAPSHOT, "image/jpeg")


@router.get(
    "/{id}/heatmap.png",
    operation_id="read_event_heatmap",
    dependencies=[READ],
    response_class=Response,
    responses={**problems(404, 416), 200: {"content": {"image/png": {}}, "description": "PNG"}},
)
async def heat_map(id: EventId, running: Running) -> Response:
    """The heat map of an event's peak, to be laid over its picture: black over yellow, the threshold, to white."""
    return await _file(running, id, HEAT_MAP, "image/png")


async def _views(running: Monitor, request: Request, events: list[Event]) -> list[EventView]:
    files = await asyncio.to_thread(running.store.files.of, [event.id for event in events])
    root = request.scope.get("root_path", "")
    return [event_view(event, files.get(event.id), root) for event in events]


async def _file(running: Monitor, id: int, name: str, kind: str, download: bool = False) -> Response:
    """A file of an event: only names of the service's own lead to it.

    Raises:
        Problem: 404, with the reason.
    """
    path = running.recorder.shelf.path(id, name)
    found = await asyncio.to_thread(running.store.event, id)
    if found is None:
        raise not_found("event", id)
    if not await asyncio.to_thread(path.is_file):
        files = (await asyncio.to_thread(running.store.files.of, [id])).get(id)
        reason = "" if files is None else f": {files.reason or files.state}"
        raise Problem(404, f"event {id} has no {name}{reason}")
    fixed = name == CLIP  # the pictures are those of the peak so far
    return FileResponse(
        path,
        media_type=kind,
        headers={"Cache-Control": "private, max-age=3600" if fixed else "private, no-cache"},
        content_disposition_type="attachment" if download else "inline",
        filename=f"framewatch-{found.stream}-{id}.mp4" if download else None,
    )
