"""How much waits in the queues of all streams together, so that many slow ones cannot fill the memory."""

from __future__ import annotations

import threading


class Backlog:
    """Bytes of waiting frames against a bound; thread-safe.

    One frame of each stream always fits: a bound that many streams share must not silence any of them.

    Attributes:
        most: bytes that may wait.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._waiting = 0
        self._lock = threading.Lock()

    @property
    def waiting(self) -> int:
        """Bytes that wait."""
        return self._waiting

    def has_room(self, size: int) -> bool:
        """Whether so many bytes more are within the bound."""
        return self._waiting + size <= self.most

    def add(self, size: int) -> None:
        """Bytes have come, or for a negative number have gone."""
        with self._lock:
            self._waiting += size
