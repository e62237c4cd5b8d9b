"""One stream of the service: its record, its place at the engine, its events, its pictures, whoever sends it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Protocol

from service.announcer import Watch
from service.recorder.ring import Ring
from service.records import Dropped, Health, IncomingFrame, StreamRecord
from service.stream import Latest, Stream
from service.unscored import Unscored


class Sender(Protocol):
    """Whoever sends the frames of a pushed stream."""

    def stop(self, reason: str) -> None:
        """The stream was removed. From the event loop."""


class Member:
    """A stream of the service, also one that cannot be scored at present.

    Attributes:
        record: as it is stored.
        stream: at the engine; None: it waits for a model, see `problem`.
        unscored: stands for `stream` while there is no model, so that the camera can be learned; None: it cannot be
            read at all.
        problem: why there is no `stream`, or "".
        watch: its events.
        sender: of a pushed stream, while one is connected.
        lost: frames that were dropped before they came to the engine.
        told: what was last said of `unusable`.
        last_frame: monotonic seconds of its newest frame.
        moved: how many frames were scored when it was last looked at, and since when, monotonic seconds.
        removed: it is not in the roster any more.
        ring: its last pictures; None: they are not kept.
        taps: get every frame that is taken in; at once, from any thread, and they must not block.
    """

    def __init__(self, record: StreamRecord, watch: Watch, ring: Ring | None = None) -> None:
        self.record = record
        self.stream: Stream | None = None
        self.unscored: Unscored | None = None
        self.problem = ""
        self.watch = watch
        self.sender: Sender | None = None
        self.lost: Counter[Dropped] = Counter()
        self.told = ""
        self.last_frame = 0.0
        self.moved = (0, 0.0)
        self.removed = False
        self.ring = ring
        self.taps: set[Callable[[IncomingFrame], object]] = set()

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def health(self) -> Health:
        return Health.FAILED if self.inlet is None else self.inlet.health

    @property
    def reason(self) -> str:
        """Why `health` is what it is, or why nothing is scored; may hold the source's login."""
        if self.inlet is None:
            return self.problem
        return self.inlet.reason or self.unusable or self.problem

    @property
    def unusable(self) -> str:
        """Why its frames, which arrive, cannot be scored, or ""."""
        return "" if self.stream is None else self.stream.unusable

    @property
    def error_class(self) -> str:
        return "" if self.inlet is None else self.inlet.error_class

    @property
    def inlet(self) -> Stream | Unscored | None:
        """What takes its frames in."""
        return self.unscored if self.stream is None else self.stream

    @property
    def latest(self) -> Latest | None:
        """Its newest picture."""
        if self.stream is not None and self.stream.unusable and self.stream.unfit is not None:
            return self.stream.unfit
        return None if self.inlet is None else self.inlet.latest

    @property
    def frames_in(self) -> int:
        return self.lost.total() + (0 if self.inlet is None else self.inlet.frames_in)

    @property
    def scored(self) -> int:
        return 0 if self.inlet is None else self.inlet.scored

    @property
    def reconnects(self) -> int:
        return 0 if self.inlet is None else self.inlet.reconnects

    @property
    def dropped(self) -> dict[Dropped, int]:
        counted = dict.fromkeys(Dropped, 0) if self.inlet is None else self.inlet.dropped
        return {cause: count + self.lost[cause] for cause, count in counted.items()}
