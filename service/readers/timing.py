"""When the pictures of a source were taken, when those of a file are due, and which are too many."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

_ASTRAY: Final = 2.0
"""Seconds by which a camera's own time may go away from the arrival of its pictures."""

_EARLY: Final = 0.25
"""Of an interval: how much too early a picture may come and still be within its rate."""


class SourceClock:
    """The time stamps of one connection to a camera: seconds since 1970 at its begin, and from there by its own clock.

    Pictures are taken evenly and arrive unevenly, so the camera's own clock is the better one, as long as it is one:
    where it stands still, or leaves the arrival by over two seconds, the arrival counts and it begins anew.
    """

    def __init__(
        self, *, monotonic: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time
    ) -> None:
        """Begins now."""
        self._monotonic = monotonic
        self._offset = wall() - monotonic()  # once: a step of the machine's clock is no hole in the pictures
        self._own: tuple[float, float] | None = None  # the camera's time, and what it was here
        self._last: float | None = None

    def stamp(self, own: float | None) -> float:
        """Seconds since 1970 of a picture that arrives now.

        Args:
            own: when it was taken by the camera's clock; None: it does not say.
        """
        here = self._monotonic() + self._offset
        stood_still = own is not None and own == self._last
        self._last = own
        if own is None or stood_still:
            return here
        if self._own is not None:
            stamp = self._own[1] + own - self._own[0]
            if abs(stamp - here) <= _ASTRAY:
                return stamp
        self._own = own, here
        return here


class Pacer:
    """When the pictures of a file are due if it is played at its own speed."""

    def __init__(self) -> None:
        self._origin: float | None = None  # when its second 0 was
        self._last = 0.0

    def wait(self, pts: float, now: float) -> float:
        """Seconds to wait before the picture with this time stamp; 0 where it is late."""
        if self._origin is None or pts < self._last:  # the first one, or the file begins anew
            self._origin = now - pts
        self._last = pts
        return max(0.0, self._origin + pts - now)


class RateCap:
    """Lets through so many frames a second at most, in the mean, by their time stamps."""

    def __init__(self, rate: float | None) -> None:
        """Makes it; None: all."""
        self._interval = 1 / rate if rate else 0.0
        self._due: float | None = None

    def take(self, pts: float) -> bool:
        """Whether the frame is within the rate."""
        due, interval = self._due, self._interval
        if due is None or pts < due - 2 * interval or pts > due + interval:  # the first one, a jump back, or a hole
            self._due = pts + interval
            return True
        if pts < due - _EARLY * interval:
            return False
        self._due = due + interval
        return True
