"""Events: what was found, and what people say of it."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query

from service.api.deps import ADMIN, READ, Running, problems
from service.api.views import EventChange, EventPage, EventView, event_view
from service.problems import not_found

router = APIRouter(prefix="/v1/events", tags=["events"])
EventId = Annotated[int, Path(ge=1, le=2**62)]


@router.get("", operation_id="list_events", dependencies=[READ], responses=problems())
async def events(
    running: Running,
    stream: str | None = None,
    label: Literal["true", "false", "none"] | None = None,
    cursor: Annotated[str | None, Query(max_length=100)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> EventPage:
    """Events, newest first; new ones do not shift the pages."""
    found, following = await asyncio.to_thread(running.store.events, stream, cursor, limit, label)
    return EventPage(events=[event_view(event) for event in found], next=following)


@router.get("/{id}", operation_id="read_event", dependencies=[READ], responses=problems(404))
async def event(id: EventId, running: Running) -> EventView:
    """One event, with the heat map of its peak."""
    found = await asyncio.to_thread(running.store.event, id)
    if found is None:
        raise not_found("event", id)
    return event_view(found)


@router.patch("/{id}", operation_id="label_event", dependencies=[ADMIN], responses=problems(404))
async def label_event(id: EventId, body: EventChange, running: Running) -> EventView:
    """Say whether it was a true or a false alarm; null takes that back."""
    found = await asyncio.to_thread(running.store.label_event, id, body.label)
    if found is None:
        raise not_found("event", id)
    return event_view(found)
