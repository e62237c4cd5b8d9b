"""One client that sends frames over a websocket, and gets their scores back on it."""

from __future__ import annotations

import asyncio
import logging
import struct
import time
from collections import deque
from contextlib import suppress
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from service import messages
from service.member import Member
from service.monitor import Monitor
from service.records import Dropped, Health, IncomingFrame
from service.stream import Stream
from service.subscription import GRACE, REVOKED, Close, Subscription
from service.unscored import Unscored

HEADER = struct.Struct("<QII")
"""Before each frame with `?header=1`: capture time in microseconds, number of the frame, flags (0)."""

END = "end"
"""A text message after the last frame: the scores of all frames are sent, then the socket is closed."""

_LATEST = 253_402_300_799 * 1_000_000  # microseconds: what a time stamp can say, the year 9999
_GRANTED = 8  # frames of credit that are told together
_MOST_SAID = 256
log = logging.getLogger(__name__)


class HeaderError(ValueError):
    """A frame's header that is none."""


class Ingest:
    """The session of one sender.

    With the policy `every`, `credit` messages say how many more frames may be sent. A client that sends more is not
    refused: its socket is not read until there is room.
    """

    def __init__(
        self, websocket: WebSocket, running: Monitor, member: Member, stream: Stream | Unscored, *, header: bool
    ) -> None:
        self._websocket = websocket
        self._running = running
        self._member = member
        self._stream = stream
        self._header = header
        self._sending = asyncio.Lock()
        self._room = asyncio.Event()
        self._news = asyncio.Event()
        self._ended = asyncio.Event()
        self._close = Close(1000, "")
        self._said: deque[bytes] = deque(maxlen=_MOST_SAID)
        self._received = 0
        self._granted = 0
        self._anchor = time.time() - time.monotonic()

    def stop(self, reason: str) -> None:
        """Ends the session: the stream was removed."""
        self._end(Close(1000, reason))

    def revoke(self) -> None:
        """Ends the session: the sender's key is valid no longer."""
        self._end(REVOKED)

    async def run(self, subscription: Subscription | None) -> None:
        """Takes frames in until the client goes, or says that it has sent all, or the service stops.

        Args:
            subscription: gives the scores; None: the client wants none.
        """
        loop = asyncio.get_running_loop()
        self._stream.on_room = lambda credit: loop.call_soon_threadsafe(self._on_room)
        self._member.watch.refused = lambda number, cause, detail: loop.call_soon_threadsafe(
            self._refused, number, cause, detail
        )
        ending = asyncio.create_task(self._say_goodbye() if subscription is None else self._deliver(subscription))
        receiving = asyncio.create_task(self._receive())
        tasks: set[asyncio.Task[Any]] = {receiving, asyncio.create_task(self._tell()), ending}
        if subscription is None:
            tasks.add(asyncio.create_task(self._until_draining()))
        self._news.set()
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if self._ended.is_set():  # the last word is said by one task alone
                receiving.cancel()
                await asyncio.wait({ending}, timeout=2 * GRACE)  # the client may read nothing
                done |= {ending} if ending.done() else set()
            for task in done:
                with suppress(WebSocketDisconnect, RuntimeError):
                    task.result()
        finally:
            self._stream.on_room = None
            self._member.watch.refused = None
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _receive(self) -> None:
        while not self._running.draining.is_set():
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            data = message.get("bytes")
            if data is None:
                if message.get("text") == END:
                    await self._finish()
                else:
                    await self._refuse(1003, "not_binary", "expected a frame: a binary message with a JPEG or PNG")
                return
            if len(data) > self._running.settings.max_frame_bytes + (HEADER.size if self._header else 0):
                limit = self._running.settings.max_frame_bytes
                await self._refuse(1009, "too_big", f"a frame may have {limit} bytes at most")
                return
            try:
                frame = self._frame(data)
            except HeaderError as error:
                await self._refuse(1008, "bad_header", str(error))
                return
            if not await self._offer(frame):
                with suppress(TimeoutError):  # whoever has closed the stream says why
                    async with asyncio.timeout(GRACE):
                        await self._ended.wait()
                if not self._ended.is_set():
                    self._end(Close(1000, "the stream has ended"))
                return
        await asyncio.Event().wait()  # the scores of what has come in still go out

    def _frame(self, data: bytes) -> IncomingFrame:
        self._received += 1
        if not self._header:
            now = self._anchor + time.monotonic()
            return IncomingFrame(self._stream.frames_in, now, now, data)
        if len(data) < HEADER.size:
            raise HeaderError(f"{len(data)} bytes: expected a header of {HEADER.size} bytes and a JPEG or PNG")
        microseconds, number, flags = HEADER.unpack_from(data)
        if microseconds > _LATEST or flags:
            raise HeaderError(
                f"time {microseconds}, flags {flags}: expected microseconds (u64), number (u32), 0 (u32), little-endian"
            )
        seconds = microseconds / 1e6
        return IncomingFrame(number, seconds, seconds, data[HEADER.size :])

    async def _offer(self, frame: IncomingFrame) -> bool:
        """Waits for room; False: the stream has ended."""
        while not self._stream.offer(frame):
            self._room.clear()
            if self._stream.offer(frame):
                break
            if self._stream.closed:
                return False
            await self._room.wait()
        self._running.roster.arrivals.pushed(self._member, frame)
        return True

    async def _finish(self) -> None:
        """Waits until every frame is scored and its score stored; the session then ends."""
        stream, scorer = self._stream, self._running.scorer
        while not (stream.closed or scorer.failed or stream.concluded):  # noqa: ASYNC110  # it has no word for it
            await asyncio.sleep(0.01)
        if scorer.failed:
            await self._refuse(1011, "engine_failed", scorer.failed)
            return
        await asyncio.wrap_future(scorer.run(lambda: None))
        await asyncio.wrap_future(self._running.store.commit_scores([]))
        self._running.roster.arrivals.set_health(self._member, Health.ENDED, "the client has sent its last frame")
        await asyncio.sleep(0)
        self._end(Close(1000, "all frames are scored"))
        await asyncio.Event().wait()

    async def _deliver(self, subscription: Subscription) -> None:
        """Sends scores; ends as the session does, after what was said before."""
        ending = asyncio.create_task(self._ended.wait())
        delivering = asyncio.create_task(subscription.deliver(self._pass_on))
        try:
            await asyncio.wait({ending, delivering}, return_when=asyncio.FIRST_COMPLETED)
            if not delivering.done():
                subscription.end(self._close)
            close = await delivering
            await self._websocket.close(close.code, close.reason)
        finally:
            ending.cancel()
            delivering.cancel()
            await asyncio.gather(ending, delivering, return_exceptions=True)

    async def _pass_on(self, data: bytes) -> None:
        """Sends what all subscribers are told, after what is for this one: nothing may come after `bye`."""
        while self._said:
            await self._send(self._said.popleft())
        await self._send(data)

    async def _until_draining(self) -> None:
        await self._running.draining.wait()
        self._end(Close(1012, "the service restarts"))

    async def _tell(self) -> None:
        """Sends what is not said to all subscribers: credit, and frames that could not be used."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._said:
                await self._send(self._said.popleft())
            await self._grant()

    async def _grant(self) -> None:
        if self._stream.queue.policy != "every" or self._ended.is_set():
            return
        left = max(0, self._granted - self._received)
        more = self._stream.credit - left
        if more >= _GRANTED or (more > 0 and left == 0):
            self._granted = self._received + left + more
            await self._send(messages.credit(self._stream.id, more))

    def _on_room(self) -> None:
        self._room.set()
        self._news.set()

    def _refused(self, number: int, cause: Dropped, detail: str) -> None:
        self._said.append(messages.dropped(self._stream.id, number, cause, detail))
        self._news.set()

    async def _refuse(self, code: int, name: str, detail: str) -> None:
        await self._send(messages.error(name, detail, stream=self._stream.id))
        await self._websocket.close(code, detail[:100])

    def _end(self, close: Close) -> None:
        self._close = close
        self._ended.set()
        self._room.set()

    async def _send(self, data: bytes) -> None:
        async with self._sending:
            await self._websocket.send_text(data.decode())

    async def _say_goodbye(self) -> None:
        """The last word to a client that wants no scores, when the session has ended."""
        await self._ended.wait()
        if self._close is REVOKED:
            await self._pass_on(messages.error("revoked", REVOKED.reason, stream=self._stream.id))
        else:
            await self._pass_on(messages.bye(self._close.reason, stream=self._stream.id))
        await self._websocket.close(self._close.code, self._close.reason)
