"""The picture of an event's peak, and its heat map, as files that browsers show."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from model.pictures import PictureError, decode_image
from service.records import IncomingFrame

_AT_THRESHOLD = 192  # of 255: red and yellow up to there, white beyond
_ENLARGED = 16
_QUALITY = 85


def snapshot(frame: IncomingFrame) -> bytes:
    """A frame as JPEG: as it came, if it came as one.

    Raises:
        PictureError: it cannot be decoded or encoded.
    """
    data: Any = frame.data
    if isinstance(data, bytes):
        if data.startswith(b"\xff\xd8"):
            return data
        data = decode_image(data, colour=True)
    return _encoded(".jpg", data, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])


def heat_map(heat: NDArray[np.float32], threshold: float) -> bytes:
    """Errors as PNG, to be laid over the frame: black over red to yellow, the threshold, to white.

    Args:
        heat: float32, rows of errors that cover the whole frame.
        threshold: error that is the threshold.

    Raises:
        PictureError: it cannot be encoded.
    """
    level = np.clip(np.nan_to_num(heat) / threshold * _AT_THRESHOLD, 0, 255).astype(np.uint8)
    large = cv2.resize(level, None, fx=_ENLARGED, fy=_ENLARGED, interpolation=cv2.INTER_CUBIC)
    return _encoded(".png", cv2.applyColorMap(large, cv2.COLORMAP_HOT), [])


def _encoded(kind: str, picture: Any, options: list[int]) -> bytes:
    done, data = cv2.imencode(kind, picture, options)
    if not done:
        raise PictureError("it cannot be encoded")
    return bytes(data)
