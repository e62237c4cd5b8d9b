"""JPEGs by libjpeg-turbo itself: OpenCV, which has it inside, keeps to itself what it says of damaged ones."""

from __future__ import annotations

import re
from typing import cast

import numpy as np
import simplejpeg
from numpy.typing import NDArray

# What libjpeg goes on after, with grey or shifted blocks in the picture (jerror.h). Its other warnings are of headers,
# and change no pixel.
_DAMAGE = re.compile(
    r"premature end|bad Huffman code|bad arithmetic code|instead of RST|Invalid SOS parameters|too many scanlines",
    re.IGNORECASE,
)
# Webcams leave a few bytes before the end mark by habit. More are a part of the picture, and before any other mark a
# part of it is missing.
_EXTRANEOUS = re.compile(r"(\d+) extraneous bytes before marker 0x([0-9a-f]{2})")
_END_MARK = "d9"
_LEFT_BEHIND = 64  # bytes


class DamagedError(ValueError):
    """The picture can be decoded in part only; the message is libjpeg's."""


def decode_jpeg(data: bytes, *, colour: bool) -> NDArray[np.uint8] | None:
    """Decodes a JPEG into the very pixels that OpenCV gives.

    Args:
        data: a whole file.
        colour: BGR instead of luma.

    Returns:
        uint8 H×W or H×W×3; None: of a kind that only OpenCV reads (CMYK), with a header that libjpeg finds odd, or not
        to be read at all.

    Raises:
        DamagedError: some of it is missing or wrong.
    """
    try:
        return _decode(data, colour, strict=True)
    except ValueError as error:
        if _is_damage(str(error)):
            raise DamagedError(str(error)) from None
    try:
        return _decode(data, colour, strict=False)
    except ValueError:
        return None


def _decode(data: bytes, colour: bool, *, strict: bool) -> NDArray[np.uint8]:
    image = simplejpeg.decode_jpeg(data, colorspace="BGR" if colour else "GRAY", strict=strict)
    return cast("NDArray[np.uint8]", image if colour else image[..., 0])


def _is_damage(said: str) -> bool:
    extraneous = _EXTRANEOUS.search(said)
    if extraneous is not None:
        return extraneous[2] != _END_MARK or int(extraneous[1]) > _LEFT_BEHIND
    return _DAMAGE.search(said) is not None
