"""Whether a source is alive: its pictures come, stop coming, or are always the same one."""

from __future__ import annotations

import numpy as np

from model.pictures import Image
from service.readers.failures import ReadError
from service.readers.protocol import Condition
from service.records import Health


class Pulse:
    """The health of one source, from what happens to it. Without a clock of its own: every event says when it is.

    | from | picture | silence | same picture | failure | permanent failure | end |
    |---|---|---|---|---|---|---|
    | connecting | live | | | reconnecting | failed | ended |
    | live | | stalled | stalled | reconnecting | failed | ended |
    | stalled | live, if it is another one | | | reconnecting | failed | ended |
    | reconnecting | live | | | reconnecting | failed | ended |

    Attributes:
        condition: as it is now.
        worked: a picture has come at some time.
    """

    def __init__(self, stalled_after: float, identical_after: float, *, watch_identical: bool = True) -> None:
        """Begins as connecting.

        Args:
            stalled_after: seconds without a picture.
            identical_after: seconds of one picture.
            watch_identical: False for files, in which a still picture is what it is.
        """
        self.condition = Condition(Health.CONNECTING)
        self.worked = False
        self._stalled_after = stalled_after
        self._identical_after = identical_after
        self._watch_identical = watch_identical
        self._picture_at: float | None = None  # of this connection
        self._changed_at = 0.0
        self._last: bytes | Image | None = None

    def picture(self, data: bytes | Image, now: float) -> bool:
        """A picture came; gives whether the condition is another one now."""
        first = self._picture_at is None
        self._picture_at = now
        self.worked = True
        same = self._watch_identical and not first and _same(data, self._last)
        if not same:
            self._last, self._changed_at = data, now
        elif now - self._changed_at >= self._identical_after:
            return self._become(
                Condition(Health.STALLED, f"the same picture for {self._identical_after:g} seconds: is it frozen?")
            )
        elif self.condition.health is Health.STALLED and now - self._changed_at >= self._stalled_after:
            return False  # stalled by silence and back with the old picture: it must show that it moves
        return self._become(Condition(Health.LIVE))

    def tick(self, now: float) -> bool:
        """Time goes by; gives whether the condition is another one now."""
        silent = self._picture_at is not None and now - self._picture_at >= self._stalled_after
        if self.condition.health is not Health.LIVE or not silent:
            return False
        return self._become(Condition(Health.STALLED, f"no picture for {self._stalled_after:g} seconds"))

    def held(self, now: float) -> None:
        """The service holds the source back: its silence is not its own."""
        if self._picture_at is not None:
            self._picture_at = now

    def failed(self, error: ReadError, wait: float | None) -> bool:
        """The connection is over; it is tried again after `wait` seconds, or never."""
        self._picture_at = self._last = None
        if wait is None:
            return self._become(Condition(Health.FAILED, str(error), error.error_class))
        return self._become(Condition(Health.RECONNECTING, str(error), error.error_class))

    def ended(self) -> bool:
        """The source is at its end."""
        return self._become(Condition(Health.ENDED))

    def _become(self, condition: Condition) -> bool:
        news, self.condition = condition != self.condition, condition
        return news


def _same(one: bytes | Image, other: bytes | Image | None) -> bool:
    if isinstance(one, bytes) and isinstance(other, bytes):
        return one == other
    return isinstance(one, np.ndarray) and isinstance(other, np.ndarray) and np.array_equal(one, other)
