"""A stream that no model scores yet: its frames are counted, shown and recorded, so that it can be learned."""

from __future__ import annotations

import time
from collections.abc import Callable

from service.queues import FrameQueue
from service.records import Dropped, Health, IncomingFrame
from service.stream import Latest, unscored

UNLEARNED = "no model: learn this camera"
"""Why it is not scored."""


class Unscored:
    """What stands for a `service.stream.Stream` until there is a model. Every method may be called from any thread.

    Attributes:
        id: of the stream.
        health, reason, error_class, reconnects: as of a stream.
        frames_in: frames that came in so far.
        scored: 0.
        latest: the newest frame, with a score that says nothing.
        closed: it takes no more frames.
        on_room: never called: there is always room.
        queue: always empty; for its policy.
    """

    def __init__(self, id: str, *, clock: Callable[[], float] = time.time) -> None:
        self.id = id
        self.health = Health.CONNECTING
        self.reason = ""
        self.error_class = ""
        self.reconnects = 0
        self.frames_in = 0
        self.scored = 0
        self.latest: Latest | None = None
        self.closed = False
        self.on_room: Callable[[int], object] | None = None
        self.queue = FrameQueue("latest")
        self._clock = clock

    @property
    def credit(self) -> int:
        return self.queue.credit

    @property
    def dropped(self) -> dict[Dropped, int]:
        """All frames: none has a score."""
        return dict.fromkeys(Dropped, 0) | {Dropped.UNLEARNED: self.frames_in}

    @property
    def concluded(self) -> bool:
        return True

    def offer(self, frame: IncomingFrame) -> bool:
        """Takes a frame in; False: it is closed."""
        if self.closed:
            return False
        self.frames_in += 1
        self.latest = unscored(self.id, frame, self.frames_in, self._clock(), UNLEARNED)
        return True

    def set_health(self, health: Health, reason: str = "", error_class: str = "") -> bool:
        """Notes what the source says; gives whether that is news."""
        news = (health, reason, error_class) != (self.health, self.reason, self.error_class)
        if health is Health.RECONNECTING and self.health is not Health.RECONNECTING:
            self.reconnects += 1
        self.health, self.reason, self.error_class = health, reason, error_class
        return news
