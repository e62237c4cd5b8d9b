"""How long to wait before the next try."""

from __future__ import annotations

import random
from collections.abc import Callable


class Backoff:
    """Waits that double from try to try up to a cap, each shortened at random so that many sources spread out.

    Example:
        >>> backoff = Backoff(1.0, 60.0, uniform=lambda low, high: high)
        >>> [backoff.next() for _ in range(8)]
        [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    """

    def __init__(
        self, first: float = 1.0, cap: float = 60.0, *, uniform: Callable[[float, float], float] = random.uniform
    ) -> None:
        """Makes the waits of one source.

        Args:
            first: seconds of the first wait.
            cap: seconds of the longest.
            uniform: draws a number between two.
        """
        self._first, self._cap = first, cap
        self._uniform = uniform
        self._wait = first

    def next(self) -> float:
        """Seconds to wait now: half of the full wait at least."""
        wait = self._wait
        self._wait = min(2 * wait, self._cap)
        return self._uniform(wait / 2, wait)

    def reset(self) -> None:
        """It works again: the next wait is the first one."""
        self._wait = self._first
