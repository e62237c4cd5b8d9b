"""What a subscriber missed, out of the store, until the memory has the rest."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from typing import NamedTuple, Protocol

from service import messages
from service.feeds import Feed
from service.messages import GapReason
from service.records import Score

PAGE = 100
"""Scores that are read from the store at once; so few that encoding them holds up nobody else."""

log = logging.getLogger(__name__)


class Position(NamedTuple):
    """Where a subscriber stands: epoch, and seq (of all streams: `at`) of the last message it has."""

    epoch: int
    seq: int

    @classmethod
    def parse(cls, text: str) -> Position:
        """Reads `epoch:seq`.

        Raises:
            ValueError: for anything else.
        """
        epoch, colon, seq = text.partition(":")
        if not (colon and all(part.isascii() and part.isdigit() and len(part) <= 18 for part in (epoch, seq))):
            raise ValueError(f"since {text[:40]!r}: expected epoch:seq, two whole numbers out of the last message")
        return cls(int(epoch), int(seq))

    def __str__(self) -> str:
        return f"{self.epoch}:{self.seq}"


ANYWHERE = Position(0, 0)
"""Of one who has no position yet: from the oldest run on of which anything is kept."""

_BEGINNING = Position(1, 0)  # runs count from 1


class Said(NamedTuple):
    """An encoded message, and where its reader then stands."""

    data: bytes
    position: Position


class History(Protocol):
    """Scores that are stored; called in a thread."""

    def history(self, stream: str, *, after: tuple[int, int], limit: int) -> list[tuple[int, Score]]:
        """Scores with their epochs, oldest first, after an epoch and seq."""

    def bounds(self, stream: str) -> tuple[int, int]:
        """Oldest and newest stored seq of this run; 0 and 0: none."""


class Replay:
    """Goes from a position to one that the feed covers. What cannot be replayed becomes a gap.

    However much is stored, a page of it is read when the one before has been taken: nothing grows.

    Attributes:
        at: where it is; all before it was replayed, or told to be missing.
    """

    def __init__(self, feed: Feed, epoch: int, history: History, since: Position) -> None:
        """Makes it.

        Args:
            feed: of the subscription.
            epoch: this run of the service.
            history: what is stored.
            since: the subscriber's position. `ANYWHERE` of all streams is the beginning of this run: no other is kept.
        """
        self._anywhere = since == ANYWHERE
        self.at = Position(epoch, 0) if self._anywhere and feed.stream is None else max(since, _BEGINNING)
        self._feed = feed
        self._epoch = epoch
        self._history = history
        self._unread = False  # the store could not be read just now

    @property
    def there(self) -> bool:
        """Whether the feed has all that is yet to come."""
        return self.at.epoch == self._epoch and self._feed.covers(self.at.seq) and self.at.seq <= self._feed.newest

    async def pages(self) -> AsyncGenerator[list[Said], None]:
        """Messages, some at a time."""
        newest = Position(self._epoch, self._feed.newest)
        if self.at > newest or (self._feed.stream is None and self.at.epoch != self._epoch):
            yield [self._gap(newest, None, "unknown")]
        elif self.at.epoch < self._epoch and not self._anywhere and not await self._is_stored():
            following = await self._read(self.at, 1)
            start = Position(following[0][0], following[0][1].seq - 1) if following else self._start
            yield [self._gap(start, None, "expired")]
        while not self.there:
            page = await self._read(self.at, PAGE)
            said: list[Said] = []
            for epoch, score in page:
                if (epoch, score.seq) > (self._epoch, self._feed.newest):
                    break  # committed and about to be said
                before = Position(epoch, score.seq - 1)
                known = self.at.seq if self.at.epoch == epoch else 0
                if before.seq > known:
                    self.at = Position(epoch, known)
                    said.append(self._gap(before, before.seq - known, "expired"))
                self.at = Position(epoch, score.seq)
                said.append(Said(messages.score(score, epoch).data, self.at))
            if not page:
                said += self._rest()
            if said:
                yield said

    @property
    def _start(self) -> Position:
        """From where on the feed has everything."""
        return Position(self._epoch, self._feed.forgotten)

    def _rest(self) -> list[Said]:
        """A gap over what is neither stored nor in the feed, if that is anything."""
        start = self._start
        if self.at.epoch == start.epoch:
            return [self._gap(start, start.seq - self.at.seq, "expired")]
        if self._unread:  # there may be more than anybody has counted
            return [self._gap(start, None, "expired")]
        self.at = Position(self._epoch, 0)
        return [self._gap(start, start.seq, "expired")] if start.seq else []

    def _gap(self, last: Position, missed: int | None, reason: GapReason) -> Said:
        first = (self.at.epoch, self.at.seq + 1)
        self.at = last
        return Said(messages.gap(self._feed.stream, first=first, last=last, missed=missed, reason=reason), last)

    async def _is_stored(self) -> bool:
        """Whether the position or the next one is still there, so that what follows is all that followed."""
        epoch, seq = self.at
        found = await self._read(Position(epoch, max(0, seq - 1)), 1)
        return bool(found) and found[0][0] == epoch and found[0][1].seq <= seq + 1

    async def _read(self, after: Position, limit: int) -> list[tuple[int, Score]]:
        self._unread = False
        if self._feed.stream is None:
            return []
        try:
            return await asyncio.to_thread(self._history.history, self._feed.stream, after=after, limit=limit)
        except Exception:  # a store in trouble costs a subscriber what it would have replayed, and says so by a gap
            log.exception("stream %s: what is stored could not be read", self._feed.stream)
            self._unread = True
            return []
