"""Which frames of a source are scored, by their time stamps: the one sampler of every path, live and offline."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

SHORTEST_STEP = 0.5
"""A step of a valid window is at least this many intervals."""

LONGEST_STEP = 2.0
"""A step of a valid window is at most this many intervals; a longer one begins a new window."""

_EARLY = 0.42
"""A frame may come at most this many intervals before it is due. Steps that are all off by up to 20 % run at most
0.4 intervals ahead, so a jittery camera at the model's rate is taken frame by frame."""

_EARLY_STEPS = 0.55
"""And at most this many of the source's own steps: beyond half a step the next frame will lie nearer. A little more
than half, so that a tie goes to the earlier frame."""

_FOLLOW = 0.5
"""How much of a frame's deviation the due time takes over: it follows a camera that runs a little fast or slow."""

_WANDER = 0.25
"""The next frame is due in 1 ± this many intervals."""

_SLOW_GAPS = 3
"""So many holes, with no run of as many good steps in between, make a source too slow."""

_TOLERANCE = 1e-6
"""Of an interval: stamps that were computed as n / fps count as exact."""


class Reason(StrEnum):
    """Why a frame is not simply the next one of its window."""

    OK = ""
    START = "start"
    THINNED = "thinned"
    GAP = "gap"
    BACKWARDS = "backwards"
    SIZE = "size change"
    TOO_SLOW = "source slower than half the model's frame rate"


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with one offered frame.

    Attributes:
        take: feed the frame to the encoder; False: it repeats the last score.
        restart: clear the slot first, this frame begins a new window; only ever with `take`.
        reason: why; OK for a frame that continues its window.
    """

    take: bool
    restart: bool
    reason: Reason

    @property
    def too_slow(self) -> bool:
        """Whether the source is so slow that its windows never fill."""
        return self.reason is Reason.TOO_SLOW


_OK = Decision(take=True, restart=False, reason=Reason.OK)
_THINNED = Decision(take=False, restart=False, reason=Reason.THINNED)


class Sampler:
    """Picks the frames of one source that lie one model interval apart, as well as the source allows.

    Causal: a decision depends on the frames offered so far. Between two restarts every step of the taken frames is
    0.5 to 2 intervals. A source up to a quarter faster than the model's rate is taken frame by frame, so that it
    never gets an odd double step, which would look like double speed; a faster one is thinned to that rate in the mean
    (within 15 %, exactly where the rates are multiples).

    Example:
        >>> sampler = Sampler(interval=0.1)
        >>> [sampler.offer(n / 20).take for n in range(5)]
        [True, False, True, False, True]
    """

    def __init__(self, interval: float) -> None:
        """Makes the sampler of one source.

        Args:
            interval: seconds between the frames of the model's training footage.

        Raises:
            ValueError: if the interval is not positive and finite.
        """
        if not (math.isfinite(interval) and interval > 0):
            raise ValueError(f"frame interval {interval!r}: expected a positive number of seconds")
        self.interval = interval
        self._taken: float | None = None  # stamp of the frame taken last
        self._offered = 0.0  # stamp of the frame offered last
        self._due = 0.0  # when the next frame should come
        self._size: tuple[int, int] | None = None
        self._gaps = 0
        self._good_steps = 0
        self._steps: deque[float] = deque(maxlen=5)  # between offered frames; their median is the source's own step

    def copy(self) -> Sampler:
        """A sampler in the same state, to go back to."""
        twin = Sampler.__new__(Sampler)  # `copy.copy` takes ten times as long
        twin.__dict__.update(self.__dict__, _steps=self._steps.copy())
        return twin

    @property
    def too_slow(self) -> bool:
        """Whether the source's steps are persistently over two intervals, so that no window ever fills."""
        return self._gaps >= _SLOW_GAPS

    def explain(self) -> str:
        """The reason for a too slow source with both rates in it, or for one that is so now and then what its steps
        are; empty for any other source."""
        if not self.too_slow:
            return ""
        model, step = 1 / self.interval, median(self._steps)
        if step <= LONGEST_STEP * self.interval:
            return (
                f"irregular source: most of its frames come at {1 / step:.3g} a second, but steps of over "
                f"{LONGEST_STEP * self.interval:.3g} seconds come again and again, and no window fills; give it a "
                f"constant frame rate (a video: ffmpeg -i in.mp4 -r {model:.3g} out.mp4)"
            )
        return (
            f"{Reason.TOO_SLOW}: its frames come at {1 / step:.3g} a second, the model was trained "
            f"at {model:.3g} and needs at least {model / LONGEST_STEP:.3g}"
        )

    def offer(self, pts: float, size: tuple[int, int] | None = None) -> Decision:
        """Decides about the source's next frame.

        Args:
            pts: the frame's time stamp, seconds, from any origin.
            size: height and width of the picture as decoded; None where the source cannot change it.

        Raises:
            ValueError: if the time stamp is not finite; the sampler is as before.
        """
        if not math.isfinite(pts):
            raise ValueError(f"time stamp {pts!r}: expected a finite number of seconds")
        previous, self._offered = self._offered, pts
        if self._taken is None:
            return self._restart(pts, size, Reason.START)
        if pts > previous:
            self._steps.append(pts - previous)
        if size is not None and self._size is not None and size != self._size:
            return self._restart(pts, size, Reason.SIZE)
        step = pts - self._taken
        if step < 0:
            return self._restart(pts, size, Reason.BACKWARDS)
        # Large origins (seconds since 1970) leave stamps themselves less exact than the tolerance.
        slack = _TOLERANCE * self.interval + min(2 * math.ulp(pts), 0.01 * self.interval)
        if step > LONGEST_STEP * self.interval + slack:
            self._gaps += 1
            self._good_steps = 0
            return self._restart(pts, size, Reason.TOO_SLOW if self.too_slow else Reason.GAP)
        if pts < previous:  # late, between the last taken frame and a thinned one: out of order, no jump
            return _THINNED
        early = min(_EARLY * self.interval, _EARLY_STEPS * median(self._steps)) if self._steps else 0.0
        if step < SHORTEST_STEP * self.interval - slack or pts <= self._due - early + slack:
            return _THINNED
        self._due += self.interval + _FOLLOW * (pts - self._due)
        nearest, farthest = pts + (1 - _WANDER) * self.interval, pts + (1 + _WANDER) * self.interval
        self._due = min(max(self._due, nearest), farthest)
        self._taken = pts
        self._size = size or self._size
        self._good_steps += 1
        if self._good_steps >= _SLOW_GAPS:
            self._gaps = 0
        return _OK

    def _restart(self, pts: float, size: tuple[int, int] | None, reason: Reason) -> Decision:
        self._taken = pts
        self._due = pts + self.interval
        self._size = size or self._size
        return Decision(take=True, restart=True, reason=reason)
