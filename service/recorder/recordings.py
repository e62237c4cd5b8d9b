"""The recordings under way, of all streams, and what their rings keep for them."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Iterator

from service.recorder.recording import Recording
from service.recorder.ring import Ring


class Recordings:
    """The recordings under way, by event. Any thread may begin one; a ring keeps what is yet to be taken out of it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_event: dict[int, Recording] = {}

    def __iter__(self) -> Iterator[Recording]:
        with self._lock:
            return iter(list(self._by_event.values()))

    @property
    def overdue(self) -> float:
        """When the first of them is over even if no further picture comes, monotonic seconds."""
        return min((one.overdue for one in self), default=math.inf)

    def get(self, event: int) -> Recording | None:
        """That of an event."""
        return self._by_event.get(event)

    def begin(self, recording: Recording) -> None:
        """Adds one; its ring keeps all that it has."""
        with self._lock:
            self._by_event[recording.event] = recording
            recording.ring.hold(0)

    def drop(self, event: int) -> None:
        """Forgets that of an event."""
        with self._lock:
            self._by_event.pop(event, None)

    def hold(self, rings: Iterable[Ring]) -> None:
        """Has the rings keep what is yet to be taken, and no more."""
        with self._lock:
            held: dict[int, int] = {}
            for one in self._by_event.values():
                held[id(one.ring)] = min(one.position, held.get(id(one.ring), one.position))
            for ring in rings:
                ring.hold(held.get(id(ring)))
