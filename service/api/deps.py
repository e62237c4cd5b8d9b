"""What routes ask for: the running service, and what every route may answer."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Header
from starlette.requests import HTTPConnection, Request

from service.auth import key_of, needs
from service.monitor import Monitor

_PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
}


def _running(connection: HTTPConnection) -> Monitor:
    monitor: Monitor = connection.app.state.monitor
    return monitor


Running = Annotated[Monitor, Depends(_running)]

RequestName = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern=r"^[!-~]+$",
        description="A name for this request: sent again within a day, it makes nothing more and is answered alike.",
    ),
]
"""What a client calls a request that it may have to send again."""


def place_of(request: Request, route: str, name: str | None) -> tuple[str, str, str] | None:
    """Where a request with a name is remembered; None: it has none."""
    return None if name is None else (key_of(request), route, name)


READ, INGEST, ADMIN = Depends(needs("read")), Depends(needs("ingest")), Depends(needs("admin"))
"""Dependencies of routes: what a caller's key must allow."""


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors that a route may answer with, besides those that all may, for the description of the interface."""
    content = {"application/problem+json": {"schema": _PROBLEM}}
    return {status: {"description": _SAID[status], "content": content} for status in {*statuses, 401, 403, 422, 503}}


_SAID = {
    401: "No valid key",
    403: "The key may not do that",
    404: "There is no such thing",
    408: "The body stands still",
    409: "It does not fit the state of things",
    413: "Too large",
    415: "Not a video",
    416: "The file has no such part",
    422: "The request is not valid",
    429: "Too many; come back later",
    503: "At capacity, or not ready",
    507: "Too little free disk space",
}
