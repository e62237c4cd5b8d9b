"""Scores that are committed and published, and subscribers that read them; for the tests of the hub."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from itertools import islice
from typing import Any

import orjson

from model.states import State
from service import messages
from service.hub import Hub
from service.records import Score
from service.replay import Position
from service.subscription import SubscriberLimits, Subscription

EPOCH = 3
Said = dict[str, Any]


def score(seq: int, stream: str = "cam") -> Score:
    return Score(stream, seq, seq, seq / 10, 1.7e9, 1.7e9, 0.1, 0.5, 0.5, 0.1, State.NORMAL)


class Stored:
    """A store in memory.

    Attributes:
        rows: epoch and score, in order.
        broken: reading fails.
        reads: how often it was read.
    """

    def __init__(self) -> None:
        self.rows: list[tuple[int, Score]] = []
        self.broken = False
        self.reads = 0

    def history(self, stream: str, *, after: tuple[int, int], limit: int) -> list[tuple[int, Score]]:
        self.reads += 1
        if self.broken:
            raise OSError("disk gone")
        later = (row for row in self.rows if row[1].stream == stream and (row[0], row[1].seq) > after)
        return list(islice(later, limit))

    def bounds(self, stream: str) -> tuple[int, int]:
        if self.broken:
            raise OSError("disk gone")
        seqs = [score.seq for epoch, score in self.rows if epoch == EPOCH and score.stream == stream]
        return min(seqs, default=0), max(seqs, default=0)


class Publisher:
    """Commits scores to a store and publishes them, as the service does."""

    def __init__(self, hub: Hub, stored: Stored, stream: str = "cam") -> None:
        self._hub = hub
        self._stored = stored
        self._stream = stream
        self.seq = 0

    def say(self, count: int = 1) -> None:
        for _ in range(count):
            self.seq += 1
            one = score(self.seq, self._stream)
            self._stored.rows.append((EPOCH, one))
            self._hub.publish([messages.score(one, EPOCH)])


async def read(subscription: Subscription, until: Callable[[Said], bool]) -> list[Said]:
    """What a subscriber gets up to the message that it waits for, and no more: then it is gone."""
    got: list[Said] = []
    async with asyncio.timeout(120), aclosing(subscription.__aiter__()) as said:
        async for data in said:
            got.append(orjson.loads(data))
            if until(got[-1]):
                break
    return got


async def read_all(subscription: Subscription) -> list[Said]:
    """Everything, to its end."""
    return await read(subscription, lambda said: False)


def is_score(seq: int) -> Callable[[Said], bool]:
    return lambda said: said["type"] == "score" and said["seq"] == seq


def seqs(got: list[Said]) -> list[int]:
    return [said["seq"] for said in got if said["type"] == "score"]


def types(got: list[Said]) -> list[str]:
    return [said["type"] for said in got]


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class World:
    """A hub with one stream, its store and its publisher."""

    def __init__(self, *, kept: int = 20, kept_of_all: int = 40, limits: SubscriberLimits | None = None) -> None:
        self.clock = Clock()
        self.stored = Stored()
        self.hub = Hub(EPOCH, self.stored, kept=kept, kept_of_all=kept_of_all, limits=limits, monotonic=self.clock)
        self.hub.open("cam")
        self.cam = Publisher(self.hub, self.stored)

    def subscribe(self, since: tuple[int, int] | None = None, *, batch_ms: int = 0) -> Subscription:
        return self.hub.subscribe("cam", since=None if since is None else Position(*since), batch_ms=batch_ms)


def in_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Runs a test in an event loop of its own."""

    def run() -> None:
        asyncio.run(test())

    return run


def reading(said: AsyncGenerator[bytes, None]) -> asyncio.Task[bytes]:
    """Waits for the next message aside."""

    async def one() -> bytes:
        return await anext(said)

    return asyncio.create_task(one())


async def attached(subscription: Subscription) -> None:
    """Until it has got what it missed."""
    while not subscription.listening:  # noqa: ASYNC110 (a test may look where users do not)
        await asyncio.sleep(0.001)


async def listening(subscription: Subscription, until: Callable[[Said], bool]) -> asyncio.Task[list[Said]]:
    """A reader that has got its hello and waits for more."""
    task = asyncio.create_task(read(subscription, until))
    await attached(subscription)
    return task
