"""Normal or anomalous: threshold, hysteresis, minimum duration."""

from __future__ import annotations

import math
from enum import Enum, StrEnum, auto

import numpy as np
from numpy.typing import NDArray

MINIMUM_SECONDS = 0.2
"""How long an excursion lasts by default before it counts as anomalous."""

_TOLERANCE = 1e-6
"""Seconds: stamps that were computed as n / fps count as exact."""


class State(StrEnum):
    WARMING = "warming"
    NORMAL = "normal"
    ANOMALOUS = "anomalous"


class _Level(Enum):
    ABSENT = auto()  # nothing to judge
    LOW = auto()  # below `leave`
    BETWEEN = auto()  # from `leave` up to `enter`
    HIGH = auto()  # `enter` and above


class _Phase(Enum):
    WARMING = State.WARMING
    NORMAL = State.NORMAL
    RISING = "an excursion that is not yet long enough"
    ANOMALOUS = State.ANOMALOUS


_NEXT: dict[_Phase, dict[_Level, _Phase]] = {
    _Phase.WARMING: {
        _Level.ABSENT: _Phase.WARMING,
        _Level.LOW: _Phase.NORMAL,
        _Level.BETWEEN: _Phase.NORMAL,
        _Level.HIGH: _Phase.RISING,
    },
    _Phase.NORMAL: {
        _Level.ABSENT: _Phase.WARMING,
        _Level.LOW: _Phase.NORMAL,
        _Level.BETWEEN: _Phase.NORMAL,
        _Level.HIGH: _Phase.RISING,
    },
    _Phase.RISING: {
        _Level.ABSENT: _Phase.WARMING,
        _Level.LOW: _Phase.NORMAL,
        _Level.BETWEEN: _Phase.RISING,
        _Level.HIGH: _Phase.RISING,
    },
    _Phase.ANOMALOUS: {
        _Level.ABSENT: _Phase.WARMING,
        _Level.LOW: _Phase.NORMAL,
        _Level.BETWEEN: _Phase.ANOMALOUS,
        _Level.HIGH: _Phase.ANOMALOUS,
    },
}


class StateMachine:
    """The state of one stream, online.

    An excursion opens when `smoothed` reaches `enter` and lasts until it falls below `leave` or is missing. The state
    is anomalous from the moment the excursion has lasted `minimum` seconds.
    """

    def __init__(self, enter: float = 0.5, leave: float = 0.45, minimum: float = MINIMUM_SECONDS) -> None:
        """Makes the machine, warming.

        Args:
            enter: `smoothed` at which an excursion opens.
            leave: `smoothed` below which it ends; less than `enter`.
            minimum: seconds an excursion must last to be anomalous; 0: at once.

        Raises:
            ValueError: for levels that are not finite or not in this order, or a negative duration.
        """
        if not (math.isfinite(enter) and math.isfinite(leave) and leave < enter):
            raise ValueError(f"enter at {enter!r}, leave below {leave!r}: leave must be less than enter")
        if not (math.isfinite(minimum) and minimum >= 0):
            raise ValueError(f"minimum duration {minimum!r}: expected seconds, 0 or more")
        self.enter = enter
        self.leave = leave
        self.minimum = minimum
        self._phase = _Phase.WARMING
        self._opened = 0.0

    @property
    def state(self) -> State:
        """The state after the frame pushed last."""
        return State.NORMAL if self._phase is _Phase.RISING else State(self._phase.value)

    def push(self, pts: float, smoothed: float | None) -> State:
        """The state at the next frame.

        Args:
            pts: the frame's time stamp, seconds; ascending while `smoothed` is there.
            smoothed: None while warming, also after a gap.

        Raises:
            ValueError: if `smoothed` is not a number; the machine is as before.
        """
        before, self._phase = self._phase, _NEXT[self._phase][self._level(smoothed)]
        if self._phase is _Phase.RISING:
            if before is not _Phase.RISING:
                self._opened = pts
            if pts - self._opened >= self.minimum - _TOLERANCE:
                self._phase = _Phase.ANOMALOUS
        return self.state

    def _level(self, smoothed: float | None) -> _Level:
        if smoothed is None:
            return _Level.ABSENT
        if math.isnan(smoothed):
            raise ValueError("smoothed is not a number: expected a number, or None while warming")
        if smoothed >= self.enter:
            return _Level.HIGH
        return _Level.BETWEEN if smoothed >= self.leave else _Level.LOW


def excursions(
    times: NDArray[np.float64], smoothed: NDArray[np.float64], machine: StateMachine
) -> list[tuple[float, float]]:
    """The stretches that a fresh machine of these settings calls anomalous, over a whole clip at once.

    Args:
        times: N time stamps, seconds, ascending wherever `smoothed` is known.
        smoothed: N values, NaN while warming; a NaN between two clips keeps them apart.
        machine: gives the settings; its own state is not used and does not change.

    Returns:
        Time stamps of the first and the last anomalous frame of every stretch.
    """
    first, last = _long_enough(times, smoothed, machine)
    found = []
    for opened, end in zip(first.tolist(), last.tolist(), strict=True):
        waited = times[opened : end + 1] - times[opened] >= machine.minimum - _TOLERANCE
        found.append((float(times[opened + int(waited.argmax())]), float(times[end])))
    return found


def count_alarms(times: NDArray[np.float64], smoothed: NDArray[np.float64], machine: StateMachine) -> int:
    """How often a fresh machine of these settings turns anomalous: `len(excursions(...))`, without a loop."""
    return len(_long_enough(times, smoothed, machine)[0])


def _long_enough(
    times: NDArray[np.float64], smoothed: NDArray[np.float64], machine: StateMachine
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices of the first and the last frame of every excursion that lasts the minimum duration."""
    if times.shape != smoothed.shape or times.ndim != 1:
        raise ValueError(f"{times.shape} time stamps for {smoothed.shape} values: expected one each")
    # NaN is below everything, so a gap ends a stretch as a low value does.
    edges = np.flatnonzero(np.diff(smoothed >= machine.leave, prepend=False, append=False))
    begin, end = edges[::2], edges[1::2]
    high = np.append(np.flatnonzero(smoothed >= machine.enter), len(smoothed))
    opened = high[np.searchsorted(high, begin)]
    inside = opened < end
    opened, last = opened[inside], end[inside] - 1
    lasting = times[last] - times[opened] >= machine.minimum - _TOLERANCE
    return opened[lasting], last[lasting]
