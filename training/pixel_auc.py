"""How well heat maps part abnormal pixels from normal ones."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray


class PixelAuc:
    """ROC-AUC of heat maps over all pixels of all frames together, in bounded memory.

    Pixels are counted by the leading bits of their float32 value: the bit pattern of a non-negative float rises with
    its value, so this is a histogram with the same relative resolution (1/2048) at every scale and a bin for zero,
    and no range to choose. Values within a bin count as ties. 8 MiB, whatever the footage.

    Args:
        interpolation: how a heat map's cells are brought to the mask's size.
    """

    _DROPPED_BITS = 12
    _BINS = (0x7F800000 >> _DROPPED_BITS) + 1  # up to infinity

    def __init__(self, interpolation: Literal["bilinear", "nearest"] = "bilinear") -> None:
        self._interpolation = cv2.INTER_LINEAR if interpolation == "bilinear" else cv2.INTER_NEAREST_EXACT
        self._abnormal = np.zeros(self._BINS, dtype=np.int64)
        self._all = np.zeros(self._BINS, dtype=np.int64)

    def add(self, heat: NDArray[np.float32], mask: NDArray[np.bool_]) -> None:
        """Counts one frame.

        Args:
            heat: float32 (h, w), >= 0, higher is more anomalous; covers the whole picture.
            mask: bool (H, W), true where abnormal.

        Raises:
            ValueError: wrong shapes, or a heat that is negative or not finite.
        """
        if heat.ndim != 2 or mask.ndim != 2 or not heat.size or not mask.size:
            raise ValueError(f"heat and mask must be h×w and H×W; they are {heat.shape} and {mask.shape}")
        if not ((heat >= 0) & (heat < np.inf)).all():
            raise ValueError("a heat map must be >= 0 and finite everywhere")
        size = (mask.shape[1], mask.shape[0])
        pixels = cv2.resize(heat.astype(np.float32), size, interpolation=self._interpolation)
        bins = (np.abs(pixels).view(np.int32) >> self._DROPPED_BITS).ravel()  # abs: -0.0 has the sign bit set
        self._count(self._all, bins)
        self._count(self._abnormal, bins[mask.ravel()])

    @staticmethod
    def _count(histogram: NDArray[np.int64], bins: NDArray[np.int32]) -> None:
        counts = np.bincount(bins)
        histogram[: len(counts)] += counts

    def value(self) -> float | None:
        """The ROC-AUC so far; None while the pixels are of one class."""
        abnormal = self._abnormal.astype(np.float64)
        normal = (self._all - self._abnormal).astype(np.float64)
        pairs = abnormal.sum() * normal.sum()
        if not pairs:
            return None
        below = np.cumsum(normal) - normal
        return float((abnormal * (below + normal / 2)).sum() / pairs)
