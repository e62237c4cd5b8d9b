"""Bodies of requests and answers about events."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from service.api.views import Body, Time, moment
from service.messages import file_facts
from service.recorder.records import ClipState, EventFiles
from service.records import Event, EventLabel

_EVENT: dict[str, Any] = {
    "id": 17,
    "stream": "gate",
    "kind": "anomaly",
    "epoch": 3,
    "started": "2026-01-31T12:00:00.000000Z",
    "ended": "2026-01-31T12:00:04.200000Z",
    "peaked": "2026-01-31T12:00:01.900000Z",
    "peak": 0.71,
    "peak_frame": 2421,
    "first_seq": 1201,
    "peak_seq": 1220,
    "last_seq": 1243,
    "muted": False,
    "label": None,
    "reason": "",
    "heat": [[0.0, 0.4], [0.1, 1.9]],
    "clip": "/v1/events/17/clip.mp4",
    "clip_state": "ready",
    "clip_reason": "",
    "clip_started": "2026-01-31T11:59:55.000000Z",
    "clip_ended": "2026-01-31T12:00:09.200000Z",
    "snapshot": "/v1/events/17/snapshot.jpg",
    "heatmap": "/v1/events/17/heatmap.png",
}


class EventView(BaseModel):
    """An excursion."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EVENT]})
    id: int
    stream: str
    kind: str
    epoch: int
    started: Time
    ended: Time | None
    peaked: Time
    peak: float
    peak_frame: int
    first_seq: int
    peak_seq: int
    last_seq: int | None
    muted: bool
    label: EventLabel | None
    reason: str
    heat: list[list[float]] | None
    clip: str | None = Field(description="Path of the video of it, MP4; null: there is none, see `clip_state`.")
    clip_state: ClipState
    clip_reason: str = Field(description="Why there is no clip, or why it is not all that it should be.")
    clip_started: Time | None = Field(description="When the clip's first picture was captured.")
    clip_ended: Time | None
    snapshot: str | None = Field(description="Path of the picture of its peak, JPEG.")
    heatmap: str | None = Field(description="Path of the heat map of that, PNG, to be laid over it.")


class EventPage(BaseModel):
    events: list[EventView]
    next: str | None


class EventChange(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"label": "false"}]})
    label: EventLabel | None = Field(description="What a person says of it: a true or a false alarm.")


def event_view(event: Event, files: EventFiles | None, root: str = "") -> EventView:
    """An event as clients see it.

    Args:
        event: of the store.
        files: what is kept of it; None: nothing is known.
        root: path at which the service is shown.
    """
    files = files or EventFiles(event.id, event.stream, "none")
    return EventView(
        id=event.id,
        stream=event.stream,
        kind=event.kind,
        epoch=event.epoch,
        started=moment(event.started),
        ended=moment(event.ended),
        peaked=moment(event.peaked),
        peak=event.peak,
        peak_frame=event.peak_frame,
        first_seq=event.first_seq,
        peak_seq=event.peak_seq,
        last_seq=event.last_seq,
        muted=event.muted,
        label=event.label,
        reason=event.reason,
        heat=None if event.heat is None else [list(row) for row in event.heat],
        **file_facts(files, root),
    )
