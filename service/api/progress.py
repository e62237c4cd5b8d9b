"""The websocket that tells how far a job is, until it has ended."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import orjson
from fastapi import APIRouter
from starlette.websockets import WebSocket, WebSocketDisconnect

from service import messages
from service.api.deps import READ, Running
from service.api.job_views import job_view
from service.api.scores import until_gone
from service.auth import key_of
from service.monitor import Monitor
from service.subscription import REVOKED
from service.videos.jobs import ENDED

_EVERY = 0.25  # seconds between two looks at the job

router = APIRouter(prefix="/v1/jobs", tags=["videos"])


@router.websocket("/{id}/progress", dependencies=[READ])
async def progress(websocket: WebSocket, id: str, running: Running) -> None:
    """A message whenever the job is further, with the same fields as GET has; closed when it has ended."""
    await asyncio.to_thread(running.jobs.get, id)
    with running.enter(key_of(websocket)) as visit:
        await websocket.accept()
        telling, gone = asyncio.create_task(_tell(websocket, running, id)), asyncio.create_task(until_gone(websocket))
        stop, revoked = asyncio.create_task(running.draining.wait()), asyncio.create_task(visit.revoked.wait())
        tasks = {telling, gone, stop, revoked}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            with suppress(WebSocketDisconnect, RuntimeError):
                if telling.done():
                    telling.result()
                elif revoked.done():
                    await websocket.send_text(messages.error("revoked", REVOKED.reason).decode())
                    await websocket.close(1008)
                elif not gone.done():
                    await websocket.send_text(messages.bye("the service restarts").decode())
                    await websocket.close(1012)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _tell(websocket: WebSocket, running: Monitor, id: str) -> None:
    said = b""
    while await asyncio.to_thread(running.jobs.has, id):
        job = await asyncio.to_thread(running.jobs.get, id)
        fields = {"v": messages.VERSION, "type": "job", **job_view(job).model_dump(mode="json")}
        if (data := orjson.dumps(fields)) != said:
            said = data
            await websocket.send_text(data.decode())
        if job.state in ENDED:
            await websocket.close(1000)
            return
        await asyncio.sleep(_EVERY)
    await websocket.send_text(messages.bye("the job was deleted").decode())
    await websocket.close(1000)
