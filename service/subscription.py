"""One subscriber: what it missed, then what is said from now on, in a queue that never grows beyond its bound."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass

from service import messages
from service.feeds import Entry, Feed
from service.replay import History, Position, Replay, Said

GRACE = 1.0
"""Seconds in which a subscriber that has ended may still get its last messages."""

_AT_ONCE = 64  # messages that are sent before others have their turn
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Close:
    """How a subscription ended.

    Attributes:
        code: for the websocket: 1000 done, 1008 its key is valid no longer, 1012 the service restarts, 1013 the
            subscriber is too slow.
        reason: in words.
    """

    code: int
    reason: str


TOO_SLOW = Close(1013, "messages were not read fast enough")


REVOKED = Close(1008, "the key was revoked")
_ERRORS = {TOO_SLOW: "too_slow", REVOKED: "revoked"}


@dataclass(frozen=True, slots=True)
class SubscriberLimits:
    """What a subscriber may cost.

    Attributes:
        queued: messages that wait for it, besides what it gets from the feed at first; then the oldest is dropped.
        patience: seconds that it may go on losing messages; then it is cut off.
        calm: seconds without a loss after which all is forgiven.
    """

    queued: int = 256
    patience: float = 15.0
    calm: float = 5.0


@dataclass(slots=True)
class _Lost:
    """Messages that were dropped, one after the other."""

    first: int
    last: int
    counted: int = 0
    others: int = 0


class Subscription:
    """An async iterator of encoded messages: hello, what was missed, what is said. To be used once.

    Attributes:
        lost: messages that were dropped because it was too slow, so far.
        close: how it ended; None: it has not.
        position: after the message handed out last; what to give as `since` the next time.
        listening: it has got what it missed; from now on what is said waits for it.
    """

    def __init__(
        self,
        feed: Feed,
        epoch: int,
        history: History,
        *,
        since: Position | None,
        hello: Callable[[int, int], bytes],
        batch: float,
        limits: SubscriberLimits,
        join: Callable[[Subscription], object],
        leave: Callable[[Subscription], object],
    ) -> None:
        """For the hub; see `Hub.subscribe`."""
        self.feed = feed
        self.lost = 0
        self.close: Close | None = None
        self.position = since or Position(epoch, feed.newest)
        self._epoch = epoch
        self._history = history
        self._since = since
        self._hello = hello
        self._batch = batch
        self._limits = limits
        self._places = limits.queued + feed.places
        self._join = join
        self._leave = leave
        self._queue: deque[Entry] = deque()
        self._missing: _Lost | None = None
        self.listening = False
        self._wake = asyncio.Event()
        self._ended = asyncio.Event()
        self._losing_since = 0.0
        self._lost_at = -math.inf

    def put(self, entry: Entry, now: float) -> None:
        """Hands it the next message of its feed; the oldest one that waits makes room. Never waits."""
        if not self.listening or self.close is not None:
            return
        if len(self._queue) >= self._places:
            self._lose(self._queue.popleft(), now)
        self._queue.append(entry)
        self._wake.set()

    def end(self, close: Close) -> None:
        """Nothing more will come."""
        if self.close is None:
            self.close = close
            self._wake.set()
            self._ended.set()

    async def wait_ended(self) -> None:
        """Returns when nothing more will come."""
        await self._ended.wait()

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        self._join(self)
        try:
            async with aclosing(self._pages()) as pages:
                async for page in pages:
                    for said in self._packed(page):
                        self.position = said.position
                        yield said.data
                        if self._broken_off:
                            break
        finally:
            self._leave(self)

    @property
    def _broken_off(self) -> bool:
        """Whether it has ended amid what it missed, which may be long: whoever gave a position comes back with it."""
        return self.close is not None and self._since is not None and not self.listening

    async def deliver(self, send: Callable[[bytes], Awaitable[object]]) -> Close:
        """Sends everything; a `send` that does not come back is given up once the subscription has ended.

        Returns:
            How it ended.

        Raises:
            Exception: what `send` raises, when the other side is gone.
        """

        async def sending() -> None:
            count = 0
            async with aclosing(self.__aiter__()) as said:
                async for data in said:
                    await send(data)
                    count += 1
                    if not count % _AT_ONCE:  # sending need not wait for anything, not even to learn of a lost client
                        await asyncio.sleep(0)

        sender = asyncio.create_task(sending())
        ended = asyncio.create_task(self._ended.wait())
        try:
            await asyncio.wait({sender, ended}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({sender}, timeout=GRACE)
            if sender.done():
                sender.result()
        finally:
            sender.cancel()
            ended.cancel()
            await asyncio.wait({sender, ended})
            if not sender.cancelled():
                sender.exception()  # looked at: asyncio would complain
            self._leave(self)
        return self.close or Close(1000, "")

    async def _pages(self) -> AsyncGenerator[list[Said], None]:
        oldest = await self._oldest()
        newest = Position(self._epoch, self.feed.newest)
        since = self._since or newest
        yield [Said(self._hello(oldest, newest.seq), since)]
        replay = Replay(self.feed, self._epoch, self._history, since)
        async with aclosing(replay.pages()) as pages:
            async for page in pages:
                yield page
                if self._broken_off:
                    break
        if not self._broken_off:
            self._listen(replay.at.seq)
        while True:
            await self._wake.wait()
            if self._batch and self.close is None:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._ended.wait(), self._batch)
            self._wake.clear()
            ended = self.close is not None
            yield self._drained()
            if ended:
                return

    async def _oldest(self) -> int:
        """Position of the oldest message of this run that can be replayed; 0: none."""
        if self.feed.stream is None:
            return self.feed.oldest
        try:
            stored, _ = await asyncio.to_thread(self._history.bounds, self.feed.stream)
        except Exception:
            log.exception("stream %s: what is stored could not be read", self.feed.stream)
            stored = 0
        return min(filter(None, (stored, self.feed.oldest)), default=0)

    def _listen(self, position: int) -> None:
        self._queue.extend(self.feed.after(position))
        self.listening = True
        if self._queue:
            self._wake.set()

    def _drained(self) -> list[Said]:
        said: list[Said] = []
        if self._missing is not None:
            said.append(Said(self._gap(self._missing), Position(self._epoch, self._missing.last)))
            self._missing = None
        said += [Said(entry.data, Position(self._epoch, entry.position)) for entry in self._queue]
        self._queue.clear()
        last = said[-1].position if said else self.position
        if self.close in _ERRORS:
            said.append(Said(messages.error(_ERRORS[self.close], self.close.reason, stream=self.feed.stream), last))
        elif self.close is not None:
            said.append(Said(messages.bye(self.close.reason, stream=self.feed.stream), last))
        return said

    def _gap(self, lost: _Lost) -> bytes:
        return messages.gap(
            self.feed.stream,
            first=(self._epoch, lost.first),
            last=(self._epoch, lost.last),
            missed=lost.counted,
            others=lost.others,
            reason="slow",
        )

    def _lose(self, entry: Entry, now: float) -> None:
        self.lost += 1
        if self._missing is None:
            self._missing = _Lost(entry.position + (not entry.counted), entry.position)
        self._missing.last = entry.position
        self._missing.counted += entry.counted
        self._missing.others += not entry.counted
        if now - self._lost_at > self._limits.calm:
            self._losing_since = now
        self._lost_at = now
        if now - self._losing_since > self._limits.patience:
            self._queue.clear()
            self.end(TOO_SLOW)

    def _packed(self, said: Sequence[Said]) -> Sequence[Said]:
        """As it is sent: one by one, or with `batch` as a JSON array."""
        if not (self._batch and said):
            return said
        return [Said(b"[%b]" % b",".join(data for data, _ in said), said[-1].position)]
