"""Frames of a damaged video that never come out of the decoder: how many there were, by the time they leave open."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_DELAY = 16  # pictures that a decoder may hold back, to put them in order
_MOST = 10_000  # frames: a longer hole is a time stamp that is damaged itself


@dataclass(frozen=True, slots=True)
class Loss:
    """What is known to be wrong before the next picture.

    Attributes:
        why: continues "frame 7: ".
        packets: of the stream that are lost for certain; 0: there may be none.
    """

    why: str
    packets: int = 0


class Losses:
    """Gives lost frames their places: a decoder tells of a bad packet while it still holds good pictures back.

    Holes in a video without any loss are not looked at: a camera may have dropped frames.
    """

    def __init__(self) -> None:
        self._why = ""
        self._packets = 0
        self._pictures = _DELAY  # since it was told

    @property
    def near(self) -> bool:
        """Whether something was lost so shortly before that what comes out now may be affected."""
        return self._pictures < _DELAY

    def add(self, loss: Loss) -> None:
        """Notes what was told."""
        if loss.packets or not self.near:
            self._why = loss.why
        self._packets += loss.packets
        self._pictures = 0

    def before(self, step: float | None) -> Iterator[str]:
        """The reasons of frames that are missing before a picture, one for each.

        Args:
            step: frames from the picture before to this one, by their time stamps; None: unknown.
        """
        if not self.near:
            return
        missing = self._packets if step is None else max(0, round(step) - 1)
        if missing > _MOST:
            missing = self._packets
        self._packets = max(0, self._packets - missing)
        self._pictures += 1
        for _ in range(missing):
            yield self._why

    def rest(self) -> Iterator[str]:
        """The reasons of packets that left no hole, and of frames that are missing behind the last picture."""
        for _ in range(self._packets):
            yield self._why
