"""One stream of the service: its record, its place at the engine, its events, its pictures, whoever sends it."""

from __future__ import annotations

from collections import Counter
from typing import Protocol

from service.announcer import Watch
from service.recorder.ring import Ring
from service.records import Dropped, Health, StreamRecord
from service.stream import Stream


class Sender(Protocol):
    """Whoever sends the frames of a pushed stream."""

    def stop(self, reason: str) -> None:
        """The stream was removed. From the event loop."""


class Member:
    """A stream of the service, also one that cannot be scored at present.

    Attributes:
        record: as it is stored.
        stream: at the engine; None: it waits for a model, see `problem`.
        problem: why there is no `stream`, or "".
        watch: its events.
        sender: of a pushed stream, while one is connected.
        lost: frames that were dropped before they came to the engine.
        last_frame: monotonic seconds of its newest frame.
        removed: it is not in the roster any more.
        ring: its last pictures; None: they are not kept.
    """

    def __init__(self, record: StreamRecord, watch: Watch, ring: Ring | None = None) -> None:
        self.record = record
        self.stream: Stream | None = None
        self.problem = ""
        self.watch = watch
        self.sender: Sender | None = None
        self.lost: Counter[Dropped] = Counter()
        self.last_frame = 0.0
        self.removed = False
        self.ring = ring

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def health(self) -> Health:
        return Health.FAILED if self.stream is None else self.stream.health

    @property
    def frames_in(self) -> int:
        return self.lost.total() + (0 if self.stream is None else self.stream.frames_in)

    @property
    def scored(self) -> int:
        return 0 if self.stream is None else self.stream.scored

    @property
    def reconnects(self) -> int:
        return 0 if self.stream is None else self.stream.reconnects

    @property
    def dropped(self) -> dict[Dropped, int]:
        counted = dict.fromkeys(Dropped, 0) if self.stream is None else self.stream.dropped
        return {cause: count + self.lost[cause] for cause, count in counted.items()}
