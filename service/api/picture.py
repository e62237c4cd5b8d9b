"""The websocket that shows a stream: its newest picture, whenever the viewer asks for one."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.websockets import WebSocket, WebSocketDisconnect

from service import messages
from service.api.deps import READ, Running
from service.auth import key_of
from service.member import Member
from service.monitor import Monitor
from service.picturing import WIDTHS, Shown, StreamRemoved
from service.subscription import REVOKED
from service.visits import Visit

NEXT = "next"
"""What a viewer says when it is ready for a newer picture."""

_GRACE = 1.0  # seconds in which a viewer may still get the last word

router = APIRouter(prefix="/v1/streams", tags=["streams"])


@router.websocket("/{id}/picture", dependencies=[READ])
async def picture(
    websocket: WebSocket,
    id: str,
    running: Running,
    width: Annotated[int, Query(ge=WIDTHS[0], le=WIDTHS[1], description="Of the picture at most, pixels.")] = 320,
    heat: Annotated[bool, Query(description="Whether the heat map comes with it.")] = False,
) -> None:
    """A text message about the newest picture, the picture (JPEG), with `heat` the heat map (PNG); then the service
    waits for the text `next`, and sends the next one as soon as there is a newer picture or another health."""
    member = running.roster.get(id)
    with running.enter(key_of(websocket)) as visit, running.pictures.viewer(id, width):
        await websocket.accept()
        await _Viewer(websocket, running, visit, member, width, heat=heat).run()


class _Viewer:
    """One who looks at a stream."""

    def __init__(
        self, websocket: WebSocket, running: Monitor, visit: Visit, member: Member, width: int, *, heat: bool
    ) -> None:
        self._websocket = websocket
        self._running = running
        self._visit = visit
        self._member = member
        self._width = width
        self._heat = heat
        self._asked = asyncio.Event()

    async def run(self) -> None:
        """Until the viewer goes, the stream is removed, or the service stops. A viewer that reads nothing waits for
        itself alone: the server's own pings find out one that has vanished."""
        show, read = asyncio.create_task(self._show()), asyncio.create_task(self._read())
        stop = asyncio.create_task(self._running.draining.wait())
        revoked = asyncio.create_task(self._visit.revoked.wait())
        wake = asyncio.create_task(self._wake())
        tasks = {show, read, stop, revoked}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            with suppress(WebSocketDisconnect, RuntimeError):
                if read.done():
                    read.result()
                elif stop.done():
                    await self._end(1012, messages.bye("the service restarts", stream=self._member.id))
                elif revoked.done():
                    await self._end(1008, messages.error("revoked", REVOKED.reason, stream=self._member.id))
                else:
                    show.result()
        finally:
            for task in (*tasks, wake):
                task.cancel()
            await asyncio.gather(*tasks, wake, return_exceptions=True)

    async def _show(self) -> None:
        shown: Shown | None = None
        while True:
            try:
                shown = await self._running.pictures.after(self._member, shown, self._width, heat=self._heat)
            except StreamRemoved:
                await self._end(1000, messages.bye("the stream was deleted", stream=self._member.id))
                return
            self._asked.clear()
            await self._websocket.send_text(messages.picture(shown.score, shown.health, shown.size).decode())
            await self._websocket.send_bytes(shown.jpeg)
            if shown.heat is not None:
                await self._websocket.send_bytes(shown.heat)
            if not self._member.removed:
                await self._asked.wait()

    async def _wake(self) -> None:
        """Has a viewer that asks for nothing told too that the stream is removed."""
        await self._running.pictures.until_removed(self._member)
        self._asked.set()

    async def _read(self) -> None:
        while (message := await self._websocket.receive())["type"] != "websocket.disconnect":
            if message.get("text") != NEXT:
                await self._end(1003, messages.error("not_next", f"expected the text {NEXT!r}", stream=self._member.id))
                return
            self._asked.set()

    async def _end(self, code: int, said: bytes) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_GRACE):
                await self._websocket.send_text(said.decode())
                await self._websocket.close(code)
