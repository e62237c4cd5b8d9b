"""How alike two small pictures of a scene are in structure, whatever the light: for judging whether a camera was moved.

Local normalised correlation (as in template matching, windows of 7×7): a pixel counts as kept where the windows around
it correlate. Brightness, contrast, exposure and dusk cancel out; objects in front cost only the part they cover.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Small = NDArray[np.float32]
Mask = NDArray[np.bool_]

FLOOR = 2.0
"""Variance (of 255²) that a window has at least: below it there is nothing but noise and rounding."""

TEXTURE = 9.0
"""Variance above which a window of the reference shows something that can be found again."""

ALIKE = 0.5
"""Correlation at which a window counts as kept. Unrelated scenes reach it on under 0.3 of the picture, a camera's own
picture among passers-by on over 0.8 (`python -m bench.tampering` prints both)."""

_WINDOW = (7, 7)


@dataclass(frozen=True, slots=True, eq=False)
class Structure:
    """A small picture, taken apart for comparing.

    Attributes:
        picture: float32 rows×columns, 0 to 255.
        mean: of the window around each pixel.
        variance: of it.
    """

    picture: Small
    mean: Small
    variance: Small

    @classmethod
    def of(cls, picture: Small) -> Structure:
        mean = _box(picture)
        return cls(picture, mean, np.maximum(_box(picture * picture) - mean * mean, 0))

    @property
    def textured(self) -> Mask:
        """Where there is something that can be found again."""
        return np.asarray(self.variance > TEXTURE)

    def turned(self, rows: bool, columns: bool) -> Structure:
        """Upside down, mirrored, or both."""
        order = (slice(None, None, -1 if rows else 1), slice(None, None, -1 if columns else 1))
        return Structure(self.picture[order], self.mean[order], self.variance[order])

    def shifted(self, right: float, down: float) -> tuple[Structure, Mask]:
        """The picture of a camera that looks elsewhere, and where it shows what this one shows."""
        height, width = self.picture.shape
        by = np.array([[1, 0, right], [0, 1, down]], dtype=np.float32)
        moved = cv2.warpAffine(self.picture, by, (width, height))
        seen = cv2.warpAffine(np.ones_like(self.picture), by, (width, height))
        return Structure.of(np.asarray(moved, dtype=np.float32)), np.asarray(seen > 0.99)

    def flattened(self) -> NDArray[np.float64]:
        """Structure alone: every window with mean 0 and about the same variance."""
        return np.asarray((self.picture - self.mean) / np.sqrt(self.variance + 2 * FLOOR), dtype=np.float64)


def kept(one: Structure, other: Structure) -> Mask:
    """Where both show the same structure."""
    shared = _box(one.picture * other.picture) - one.mean * other.mean
    return np.asarray(shared > ALIKE * np.sqrt((one.variance + FLOOR) * (other.variance + FLOOR)))


def share(found: Mask, among: Mask) -> float:
    """Part of the pixels `among` that were found; 0 where there are none."""
    count = int(np.count_nonzero(among))
    return np.count_nonzero(found & among) / count if count else 0.0


def shift_between(reference: Structure, other: Structure) -> tuple[float, float]:
    """How far right and down the other picture shows what the reference shows, pixels (phase correlation)."""
    height, width = reference.picture.shape
    window = cv2.createHanningWindow((width, height), cv2.CV_64F)
    (right, down), _ = cv2.phaseCorrelate(reference.flattened(), other.flattened(), window)
    return right, down


def _box(picture: Small) -> Small:
    return np.asarray(cv2.boxFilter(picture, -1, _WINDOW, borderType=cv2.BORDER_REFLECT), dtype=np.float32)
