"""A batcher with streams of its own, and what the tests give it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from model.frames import Prepared
from service.engine.batching import Batcher, BatchLimits
from service.engine.seats import ClipSeat
from service.engine.slots import Slot
from service.engine.tickets import ClipCall, ClipTicket, StreamTicket
from service.models import Model
from service.queues import QueueLimits
from service.records import IncomingFrame
from service.stream import Stream
from tests.model import detectors
from tests.service.live import model, png, stream

PICTURE = png(detectors.pictures(1)[0])
PREPARED = Prepared(np.zeros((64, 96), np.uint8), 0.0)
DOOR = model()


class Engine:
    """Tells a batcher of frames."""

    def __init__(self, batcher: Batcher) -> None:
        self._batcher = batcher

    def wake(self, stream: Stream) -> None:
        self._batcher.wake(stream)

    def change(self, stream: Stream) -> None:
        pass


class World:
    """A batcher with streams of its own."""

    def __init__(self, size: int = 8, latest_ahead: int = 2) -> None:
        self.batcher = Batcher(BatchLimits(size, latest_ahead))
        self.size = size

    def stream(self, name: str = "cam", of: Model = DOOR, **settings: object) -> Stream:
        one = stream(of, name, queue_limits=QueueLimits(latest=100, every=100), **settings)
        one.engine = Engine(self.batcher)
        self.batcher.seat(one)
        return one

    def pull(self) -> list[StreamTicket]:
        """Everything that can be pulled now."""
        pulled = []
        while (ticket := self.batcher.pull(wait=False)) is not None:
            pulled.append(ticket)
        return pulled

    def decode(self) -> list[StreamTicket]:
        pulled = self.pull()
        for ticket in pulled:
            self.batcher.decoded(ticket, PREPARED)
        return pulled

    def take(self) -> list[StreamTicket | ClipTicket]:
        return self.batcher.take(size=self.size, timeout=0.0, patience=0.0)


def offer(one: Stream, count: int, *, first: int = 0, step: float = 0.1, data: bytes = PICTURE) -> None:
    for number in range(first, first + count):
        assert one.offer(IncomingFrame(number, number * step, 1.7e9, data))


def names(tickets: Sequence[StreamTicket | ClipTicket]) -> list[str]:
    return [f"{t.stream.id}{t.frame.number}" if isinstance(t, StreamTicket) else "clip" for t in tickets]


def clip(world: World, count: int) -> ClipSeat:
    seat = ClipSeat(Slot(DOOR))
    call = ClipCall(count)
    assert world.batcher.put(seat, [ClipTicket(seat.slot, PREPARED.image, False, call) for _ in range(count)])
    return seat
