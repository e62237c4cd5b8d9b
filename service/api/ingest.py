"""The websocket that frames come in on."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.websockets import WebSocket

from service.api.deps import INGEST, Running
from service.api.scores import subscribe
from service.auth import key_of
from service.ingest import Ingest
from service.problems import Problem
from service.records import Health

router = APIRouter(prefix="/v1/streams", tags=["scores"])


@router.websocket("/{id}/ingest", dependencies=[INGEST])
async def ingest(
    websocket: WebSocket,
    id: str,
    running: Running,
    header: Annotated[bool, Query(description="Each frame begins with 16 bytes: time, number, flags.")] = False,
    scores: Annotated[bool, Query(description="Whether scores come back.")] = True,
) -> None:
    """Binary messages, one JPEG or PNG each; scores come back on the same socket."""
    member = running.roster.get(id)
    if member.record.source is not None:
        raise Problem(409, f"stream {id} has a source of its own: frames cannot be pushed to it")
    inlet = member.inlet
    if inlet is None:
        raise Problem(503, member.problem, retry_after=30)
    if member.sender is not None:
        raise Problem(409, f"another client sends the frames of stream {id}")
    visit = running.enter(key_of(websocket))
    session = member.sender = Ingest(websocket, running, member, inlet, header=header)
    visit.on_revoked = session.revoke
    try:
        subscription = subscribe(running, id, None, 0) if scores else None
        await websocket.accept()
        await session.run(subscription)
    finally:
        member.sender = None
        visit.leave()
        if member.health is not Health.ENDED:
            running.roster.arrivals.set_health(member, Health.RECONNECTING, "the client went away")
