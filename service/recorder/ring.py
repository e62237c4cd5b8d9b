"""The last seconds of each live stream, as the encoded pictures that came in: what an event's clip begins with."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from service.readers.timing import RateCap

RATE = 10.0
"""Pictures a second that are kept at most."""

PER_STREAM = 64 * 2**20
"""Bytes that one stream may use at most, however few there are."""

_FRESH = 3.0


@dataclass(frozen=True, slots=True)
class Still:
    """One picture.

    Attributes:
        captured: seconds since 1970.
        data: a JPEG or PNG file, not looked at yet.
    """

    captured: float
    data: bytes = field(repr=False)


class Ring:
    """The newest pictures of one stream. Any thread may add; nobody waits for anybody.

    Pictures that a recording has yet to take stay beyond their seconds, and go only when the bytes do not suffice. So
    do those that came in a moment ago: a client may send faster than its pictures were taken.

    Attributes:
        limit: bytes at most; may be changed at any time.
        crowded: capture time of the newest picture that had to go for want of room; None: none had to.
        on_add: called after a picture was added while a recording waits for it; at once, from the adding thread.
    """

    def __init__(
        self, seconds: float, limit: int = PER_STREAM, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Makes it empty.

        Args:
            seconds: how far back it reaches.
            limit: see the attribute.
            monotonic: seconds.
        """
        self.limit = limit
        self.crowded: float | None = None
        self.on_add: Callable[[], object] | None = None
        self._seconds = seconds
        self._lock = threading.Lock()
        self._cap = RateCap(RATE)
        self._monotonic = monotonic
        self._stills: deque[Still] = deque()
        self._came: deque[float] = deque()
        self._first = 0  # number of the oldest picture
        self._bytes = 0
        self._held: int | None = None

    @property
    def size(self) -> int:
        """Bytes that it holds."""
        return self._bytes

    def __len__(self) -> int:
        return len(self._stills)

    def add(self, captured: float, data: bytes) -> None:
        """Adds a picture, if it is not too soon after the one before it."""
        with self._lock:
            if not self._cap.take(captured):
                return
            self._stills.append(Still(captured, data))
            self._came.append(self._monotonic())
            self._bytes += len(data)
            while self._stills and self._bytes > self.limit:
                self.crowded = self._drop().captured
            while self._stills and self._outdated(self._stills[0], captured):
                self._drop()
            held = self._held
        if held is not None and self.on_add is not None:
            self.on_add()

    def take(self, after: int) -> tuple[int, list[Still]]:
        """The pictures from number `after` on that are still there, and the number of the next one."""
        with self._lock:
            skip = max(0, after - self._first)
            return self._first + len(self._stills), list(self._stills)[skip:]

    def near(self, captured: float, within: float) -> bytes | None:
        """The picture that was taken nearest to a moment, if it is within so many seconds of it."""
        with self._lock:
            found = min(reversed(self._stills), key=lambda still: abs(still.captured - captured), default=None)
        return None if found is None or abs(found.captured - captured) > within else found.data

    def hold(self, number: int | None) -> None:
        """Keeps pictures from this number on although they are old; None: none."""
        with self._lock:
            self._held = number

    def _outdated(self, still: Still, now: float) -> bool:
        if (self._held is not None and self._first >= self._held) or self._came[-1] - self._came[0] < _FRESH:
            return False
        return not now - self._seconds <= still.captured <= now  # a clock that jumped back leaves what never was

    def _drop(self) -> Still:
        still = self._stills.popleft()
        self._came.popleft()
        self._first += 1
        self._bytes -= len(still.data)
        return still


class Rings:
    """The rings of all streams, within one bound: each may use the same share of it."""

    def __init__(self, seconds: float, total: int) -> None:
        """Makes it empty.

        Args:
            seconds: how far back each reaches.
            total: bytes of all together.
        """
        self._seconds = seconds
        self._total = total
        self._lock = threading.Lock()
        self._rings: dict[str, Ring] = {}

    @property
    def size(self) -> int:
        """Bytes that all hold together."""
        return sum(ring.size for ring in self)

    def __iter__(self) -> Iterator[Ring]:
        return iter(list(self._rings.values()))

    def get(self, stream: str) -> Ring | None:
        """The ring of a stream."""
        return self._rings.get(stream)

    def open(self, stream: str) -> Ring:
        """A ring for a stream; one that it has already is kept no longer."""
        with self._lock:
            ring = self._rings[stream] = Ring(self._seconds)
            self._share_out()
            return ring

    def close(self, stream: str) -> Ring | None:
        """Forgets a stream; gives its ring, from which a recording may still take."""
        with self._lock:
            ring = self._rings.pop(stream, None)
            self._share_out()
            return ring

    def _share_out(self) -> None:
        for ring in self._rings.values():
            ring.limit = min(PER_STREAM, self._total // len(self._rings))
