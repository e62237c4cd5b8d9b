"""Heat maps as pictures: one 16-bit PNG a frame."""

from __future__ import annotations

import errno
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from model.tables import Row

AT_THRESHOLD = 1000
"""The value of a place whose error is the checkpoint's threshold; 65535 is 65 times that, and more is cut off."""


class HeatFiles:
    """Writes `<folder>/<clip>/<frame>.png`, as they come: memory does not grow with the footage.

    Args:
        folder: exists; files of an earlier run are overwritten.
        theta: the checkpoint's threshold.
    """

    def __init__(self, folder: Path, theta: float) -> None:
        self._folder = folder
        self._scale = AT_THRESHOLD / theta
        self._clip: str | None = None

    def write(self, row: Row, heat: NDArray[np.float32]) -> None:
        """Writes one frame's heat map, float32 h×w, which covers the whole input.

        Raises:
            OSError: it cannot be written.
        """
        folder = self._folder / row.clip
        if row.clip != self._clip:
            folder.mkdir(parents=True, exist_ok=True)
            self._clip = row.clip
        values = np.clip(np.rint(heat * self._scale), 0, 65535).astype(np.uint16)
        done, encoded = cv2.imencode(".png", values)
        if not done:
            raise OSError(errno.EIO, "the heat map cannot be encoded", str(folder))
        (folder / f"{row.frame:06d}.png").write_bytes(encoded.tobytes())
