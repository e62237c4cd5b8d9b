"""Frames of a live stream for a recording, without holding up what scores them."""

from __future__ import annotations

import threading
from collections import deque
from typing import Final

from service.records import IncomingFrame

_WAITING: Final = 32
_BYTES: Final = 64 * 2**20


class Tap:
    """A short queue between whoever takes frames in and the one thread that records them.

    Attributes:
        lost: frames that came while it was full.
    """

    def __init__(self) -> None:
        self.lost = 0
        self._frames: deque[IncomingFrame] = deque()
        self._bytes = 0
        self._changed = threading.Condition()

    def __len__(self) -> int:
        """How many frames wait."""
        return len(self._frames)

    def __call__(self, frame: IncomingFrame) -> None:
        """A frame has come. From any thread; never waits."""
        with self._changed:
            if len(self._frames) >= _WAITING or (self._frames and self._bytes + frame.size > _BYTES):
                self.lost += 1
                return
            self._frames.append(frame)
            self._bytes += frame.size
            self._changed.notify()

    def next(self, seconds: float) -> IncomingFrame | None:
        """The frame that has waited longest; None: none has come for so long."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._frames, seconds):
                return None
            frame = self._frames.popleft()
            self._bytes -= frame.size
            return frame
