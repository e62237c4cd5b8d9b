"""Clips from folders of frames, videos and zips: (clip, frame number, time stamp, picture), in order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


class FootageError(Exception):
    """Footage that cannot be read; the message says what, where, and what to do."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded picture of a clip.

    Attributes:
        number: frame number: the last run of digits of the file name, or the 0-based index in a video.
        pts: seconds. Folders: `number / fps`; videos: the time stamp, 0 at the first frame.
        image: uint8, H×W luma (full range), or H×W×3 BGR where colour was asked for.
    """

    number: int
    pts: float
    image: Image
