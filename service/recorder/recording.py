"""The pictures of one event on their way from its stream's ring to the disk."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from service.recorder import spool
from service.recorder.ring import Ring, Still

GRACE: Final = 2.0
"""Seconds that the pictures after an event may come late, before its clip ends without them."""

_LATE: Final = 0.5


@dataclass(frozen=True, slots=True)
class ClipTimes:
    """What a clip shows.

    Attributes:
        before, after: seconds that it shows before and after the event.
        longest: seconds of a clip at most.
    """

    before: float = 5.0
    after: float = 5.0
    longest: float = 120.0


class Recording:
    """Takes the pictures of an event out of the ring and keeps them in a file. For one thread.

    Attributes:
        event: id.
        stream: id.
        ring: of the stream.
        path: the file.
        until: capture time of the last picture at most, once the end of the event is known.
        bytes: of the file.
        reason: why the clip is not all that it should be, or "".
        failed: why there will be none, or "".
    """

    def __init__(
        self,
        event: int,
        stream: str,
        started: float,
        ring: Ring,
        path: Path,
        times: ClipTimes,
        monotonic: Callable[[], float],
    ) -> None:
        """Begins `times.before` seconds before capture time `started`; nothing is taken yet."""
        self.event = event
        self.stream = stream
        self.ring = ring
        self.path = path
        self.until: float | None = None
        self.bytes = 0
        self.reason = ""
        self.failed = ""
        self._times = times
        self._monotonic = monotonic
        self._begin = started - times.before
        self._next = 0
        self._last = -math.inf
        self._over = False
        self._patience = math.inf

    @property
    def position(self) -> int:
        """Number of the picture that is taken next."""
        return self._next

    @property
    def over(self) -> bool:
        """Whether nothing more is to be taken."""
        return self._over or bool(self.failed) or self._monotonic() >= self._patience

    @property
    def overdue(self) -> float:
        """When it is over even if no further picture comes, monotonic seconds."""
        return self._patience

    def end(self, ended: float) -> None:
        """The event has ended, at this capture time."""
        self.until = ended + self._times.after
        self._patience = self._monotonic() + self._times.after + GRACE
        self._over = self._over or self._last > self.until

    def cut(self, reason: str) -> None:
        """Nothing more is taken, for a reason."""
        self._over = True
        self.reason = self.reason or reason

    def pull(self, room: int) -> int:
        """Takes what has come.

        Args:
            room: bytes that it may keep.

        Returns:
            Bytes that were kept.
        """
        if self.over:
            return 0
        self._next, stills = self.ring.take(self._next)
        chosen = self._chosen(stills)
        if not chosen:
            return 0
        if not self.bytes:
            self._note_begin(chosen[0].captured)
        size = sum(len(still.data) for still in chosen)
        if size > room:
            self.cut("it ends early: too many pictures waited to be encoded")
            return 0
        try:
            written = spool.append(self.path, chosen)
        except OSError as error:
            self.failed = f"its pictures could not be kept ({error.strerror or error})"
            return 0
        self.bytes += written
        return written

    def _chosen(self, stills: list[Still]) -> list[Still]:
        """Those of the event's time, up to where the clip ends."""
        chosen: list[Still] = []
        for still in stills:
            if still.captured < self._begin and self._last == -math.inf:
                continue
            if still.captured < self._last - _LATE:
                self.cut("it ends early: the clock of the source jumped back")
                break
            if still.captured <= self._last:
                continue
            if self.until is not None and still.captured > self.until:
                self._over = True
                break
            if still.captured - self._begin > self._times.longest:
                self.cut(f"it ends after {self._times.longest:g} s, the longest a clip may be")
                break
            self._last = still.captured
            chosen.append(still)
        return chosen

    def _note_begin(self, captured: float) -> None:
        crowded = self.ring.crowded
        if crowded is not None and crowded >= self._begin:
            missing = captured - self._begin
            self.reason = f"its first {missing:.1f} s are missing: the memory for pictures was full"
