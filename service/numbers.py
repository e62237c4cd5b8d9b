"""Where a stream's numbers go on within a run, also those of an id that was purged and made again."""

from __future__ import annotations

from collections.abc import Callable

_MOST = 4096


class Numbers:
    """The last `seq` of the streams that were removed in this run: no epoch and seq may mean two scores.

    So many are known at most. Of an id that was forgotten, or never was, the numbers then go on behind the highest
    one that was forgotten: they may begin late, but none comes twice.
    """

    def __init__(self, stored: Callable[[str], int], *, most: int = _MOST) -> None:
        """Knows none yet.

        Args:
            stored: gives the newest stored `seq` of a stream in this run, 0 if there is none.
            most: streams that are known at most.
        """
        self._stored = stored
        self._most = most
        self._last: dict[str, int] = {}
        self._forgotten = 0

    def keep(self, stream: str, seq: int) -> None:
        """Notes the last number of a stream that ends."""
        if seq == 0:
            return
        self._last.pop(stream, None)
        self._last[stream] = seq
        if len(self._last) > self._most:
            self._forgotten = max(self._forgotten, self._last.pop(next(iter(self._last))))

    def last(self, stream: str) -> int:
        """The number after which a stream's next one comes; 0: it begins."""
        return max(self._stored(stream), self._last.get(stream, self._forgotten))
