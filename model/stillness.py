"""Whether a picture is frozen: nothing in it changes, not even noise, for longer than is usual for its camera."""

from __future__ import annotations

import math

import cv2
import numpy as np

from model.pictures import Image

LASTS = 5.0
"""Seconds without any change after which the picture of a camera that always shows noise is frozen."""

CALM = 30.0
"""Seconds for a camera whose picture also stands still of itself, as compression makes a quiet scene do."""

_CELLS = (32, 18)  # columns, rows
_CHANGE = 0.05  # mean change of a cell, of 255, below which it stands still: real footage has 0.3 or more
_ALL = 0.95  # part of the cells that must: a clock in the picture goes on
_SMALL = 2.5  # change of the median cell at which a look may be a re-encoded still picture
_LARGEST = 12.0  # and of any cell: more is something that moves
_OFTEN = 0.5  # usual part of still cells above which a still picture tells little
_USUAL = 60.0  # seconds (time constant) of what is usual
_LIVELY = 4  # looks at a changing picture before a still one tells anything
_LONGER = 3.0  # times the longest still time so far


class Stillness:
    """Follows one stream. The first key frame after a freeze, which encodes the same picture anew, does not end it.

    Attributes:
        longest: seconds that the picture stood still without being frozen, at the longest.
    """

    def __init__(self, longest: float = 0.0) -> None:
        self.longest = longest
        self._last: Image | None = None
        self._usual: float | None = None
        self._lively = 0
        self._still = 0.0
        self._odd = 0
        self._frozen = False

    def push(self, step: float | None, image: Image) -> bool:
        """Takes the next look.

        Args:
            step: seconds since the last one; None: time has jumped.
            image: uint8 H×W or H×W×3, which nobody changes afterwards.

        Returns:
            Whether the picture is frozen.
        """
        last, self._last = self._last, image
        if last is None or step is None or last.shape != image.shape:
            self._still, self._odd = 0.0, 0
            return self._frozen
        cells = _changes(last, image)
        still = float(np.mean(cells < _CHANGE))
        if still >= _ALL:
            self._still += step
            self._odd = 0
        elif self._still and not self._odd and np.median(cells) < _SMALL and cells.max() < _LARGEST:
            self._odd = 1
        else:
            self._moves()
        self._frozen = self._lively >= _LIVELY and self._still >= self._limit() - 1e-6
        if not self._frozen:
            part = -math.expm1(-step / _USUAL)
            self._usual = still if self._usual is None else self._usual + (still - self._usual) * part
        return self._frozen

    def _moves(self) -> None:
        if not self._frozen:
            self.longest = max(self.longest, self._still)
        self._lively += 1
        self._still, self._odd = 0.0, 0

    def _limit(self) -> float:
        if self._usual is None or self._usual < _OFTEN:
            return max(LASTS, _LONGER * self.longest if self.longest > 1 else 0.0)
        return max(CALM, _LONGER * self.longest)


def _changes(one: Image, other: Image) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    difference = cv2.absdiff(one, other)
    if difference.ndim == 3:
        difference = difference.max(axis=2)
    cells = cv2.resize(difference.astype(np.float32), _CELLS, interpolation=cv2.INTER_AREA)
    return np.asarray(cells, dtype=np.float32)
