"""The frames of one stream that wait for their turn: the newest few, or all of them with the source held back."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

from service.backlog import Backlog
from service.records import IncomingFrame, Policy


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """How much may wait.

    Attributes:
        latest: frames of a stream with the policy `latest`: a few, so that a burst is no overload.
        every: frames of a stream with the policy `every`: what its source may be ahead.
        bytes: of all waiting frames of a stream; one frame always fits.
    """

    latest: int = 4
    every: int = 32
    bytes: int = 64 * 2**20


class FrameQueue:
    """A bounded queue; thread-safe.

    What is in it is the only drop signal: announced and measured frame rates are estimates, a full queue is a fact.

    Attributes:
        offered: frames that were put in, so far.
        overtaken: frames of these that a newer one pushed out, so far.
    """

    def __init__(self, policy: Policy, limits: QueueLimits | None = None, backlog: Backlog | None = None) -> None:
        """Makes it empty.

        Args:
            policy: what happens when it is full.
            limits: how much may wait in it.
            backlog: of all streams; None: this one stands alone.
        """
        self.offered = 0
        self.overtaken = 0
        self._policy = policy
        self._limits = limits or QueueLimits()
        self._backlog = backlog or Backlog(2**62)
        self._lock = threading.Lock()
        self._frames: deque[tuple[IncomingFrame, float]] = deque()
        self._bytes = 0
        self._closed = False

    @property
    def policy(self) -> Policy:
        return self._policy

    @policy.setter
    def policy(self, policy: Policy) -> None:
        with self._lock:
            self._policy = policy
            if policy == "latest":
                self._overtake(0)

    @property
    def credit(self) -> int:
        """How many frames may be put in before one is refused; large frames may use it up sooner."""
        if self._closed:
            return 0
        if self._policy == "latest":
            return self._limits.latest
        if self._bytes >= self._limits.bytes or (self._frames and not self._backlog.has_room(1)):
            return 0
        return max(0, self._limits.every - len(self._frames))

    def __len__(self) -> int:
        return len(self._frames)

    def put(self, frame: IncomingFrame, now: float) -> bool:
        """Adds a frame.

        Args:
            frame: the stream's next one.
            now: monotonic seconds, for its waiting time.

        Returns:
            False: there is no room (policy `every`) or the queue is closed; the frame was not taken.
        """
        with self._lock:
            if self._closed:
                return False
            if self._policy == "latest":
                self._overtake(frame.size, places=1)
            elif self._frames and not (
                len(self._frames) < self._limits.every
                and self._bytes + frame.size <= self._limits.bytes
                and self._backlog.has_room(frame.size)
            ):
                return False
            self._frames.append((frame, now))
            self._bytes += frame.size
            self._backlog.add(frame.size)
            self.offered += 1
            return True

    def take(self) -> tuple[IncomingFrame, float] | None:
        """The frame that has waited longest and when it was put in; None: nothing waits."""
        with self._lock:
            return self._pop() if self._frames else None

    def close(self) -> None:
        """Drops what waits and takes no more."""
        with self._lock:
            self._closed = True
            self._frames.clear()
            self._backlog.add(-self._bytes)
            self._bytes = 0

    def _overtake(self, room: int, places: int = 0) -> None:
        """Drops the oldest frames until `room` more bytes in `places` more frames fit."""
        while self._frames and (
            len(self._frames) + places > self._limits.latest
            or self._bytes + room > self._limits.bytes
            or not self._backlog.has_room(room)
        ):
            self._pop()
            self.overtaken += 1

    def _pop(self) -> tuple[IncomingFrame, float]:
        frame, since = self._frames.popleft()
        self._bytes -= frame.size
        self._backlog.add(-frame.size)
        return frame, since
