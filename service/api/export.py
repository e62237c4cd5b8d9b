"""Events with their labels as a table, for spreadsheets and for learning from what people said."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response, StreamingResponse

from service.api.deps import READ, Running, problems
from service.messages import timestamp
from service.monitor import Monitor
from service.records import Event

COLUMNS = (
    "id", "stream", "kind", "started", "ended", "peaked", "peak", "peak_frame", "muted", "label", "reason",
)  # fmt: skip
"""Of the table; times as in messages, an open event has no `ended`, one without a word of anybody no `label`."""

_PAGE = 200
_TABLE: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {}}, "description": "CSV"}}

router = APIRouter(prefix="/v1", tags=["events"])


@router.get(
    "/events.csv",
    operation_id="export_events",
    dependencies=[READ],
    response_class=Response,
    responses={**problems(), **_TABLE},
)
async def export_events(
    running: Running,
    stream: Annotated[str | None, Query(max_length=64)] = None,
    label: Literal["true", "false", "none"] | None = None,
) -> Response:
    """All events, newest first, with the labels that people gave them."""
    first = await asyncio.to_thread(running.store.events, stream, None, _PAGE, label)
    return StreamingResponse(
        _lines(running, stream, label, first),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="events.csv"'},
    )


def _lines(
    running: Monitor,
    stream: str | None,
    label: Literal["true", "false", "none"] | None,
    page: tuple[list[Event], str | None],
) -> Iterator[str]:
    """The table a page at a time, so that its length does not matter."""
    yield _written([COLUMNS])
    while True:
        events, following = page
        yield _written([_row(event) for event in events])
        if following is None:
            return
        page = running.store.events(stream, following, _PAGE, label)


def _row(event: Event) -> Sequence[object]:
    ended = "" if event.ended is None else timestamp(event.ended)
    return (
        *(event.id, event.stream, event.kind, timestamp(event.started), ended, timestamp(event.peaked)),
        *(f"{event.peak:.6f}", event.peak_frame, int(event.muted), event.label or "", event.reason),
    )


def _written(rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
