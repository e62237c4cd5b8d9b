"""Encoded pictures (JPEG, PNG, BMP, TIFF, WebP) to arrays, with their size checked before anything is decoded."""

from __future__ import annotations

import os
from typing import cast

MAX_PIXELS = 33_554_432  # 8192 × 4096; a header may claim any size, and the decoder would allocate it
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_PIXELS))  # read when cv2 is first imported

import cv2  # noqa: E402
import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

from model.jpeg import DamagedError, decode_jpeg  # noqa: E402
from model.tiff import page_count  # noqa: E402

Image = NDArray[np.uint8]

MAX_PICTURE_BYTES = 1 << 28  # MAX_PIXELS in 16-bit colour, uncompressed, and some room

# As the camera stored it: an EXIF rotation that comes and goes would look like an anomaly.
_GRAY = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION
_COLOUR = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
_CUT = "cut short: its end is missing"


class PictureError(ValueError):
    """Data that is no whole picture; the message gives the reason."""


def decode_image(data: bytes, *, colour: bool = False) -> Image:
    """Decode one picture; 16 bits a channel become 8, alpha is dropped, EXIF rotation is ignored.

    Args:
        data: a whole JPEG, PNG, BMP, TIFF or WebP file.
        colour: keep colour.

    Returns:
        uint8, H×W luma (of a JPEG: its own full-range Y), or H×W×3 BGR with `colour`.

    Raises:
        PictureError: not a picture of these kinds, cut short, damaged, or over `MAX_PIXELS`.
    """
    width, height = image_size(data)
    if width * height > MAX_PIXELS:
        raise PictureError(f"{width}×{height} pixels are over the limit of {MAX_PIXELS}")
    _refuse_cut(data)
    if data.startswith(b"\xff\xd8\xff"):
        try:
            decoded = decode_jpeg(data, colour=colour)
        except DamagedError as error:
            raise PictureError(f"damaged: {error}") from None
        if decoded is not None:
            return decoded
    if (pages := page_count(data)) > 1:
        raise PictureError(
            f"holds {pages} pictures, of which one would be read; convert it to single pictures or a video"
        )
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), _COLOUR if colour else _GRAY)
    except cv2.error as error:
        raise PictureError("damaged: it cannot be decoded") from error
    if image is None:
        raise PictureError("damaged or cut short: it cannot be decoded")
    return cast(Image, image)


def image_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels, from the header alone.

    Raises:
        PictureError: not a JPEG, PNG, BMP, TIFF or WebP, or the header is cut short or claims no size.
    """
    try:
        if data.startswith(b"\xff\xd8\xff"):
            size = _jpeg_size(data)
        elif data.startswith(b"\x89PNG\r\n\x1a\n"):
            size = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
        elif data.startswith(b"BM"):
            size = _bmp_size(data)
        elif data.startswith((b"II*\0", b"MM\0*")):
            size = _tiff_size(data)
        elif data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            size = _webp_size(data)
        else:
            raise PictureError("empty" if not data else "not a picture (JPEG, PNG, BMP, TIFF and WebP are read)")
    except IndexError:
        raise PictureError(_CUT) from None
    if min(size) <= 0:
        raise PictureError("damaged or cut short: its header gives no size")
    return size


def _refuse_cut(data: bytes) -> None:
    """The decoder would fill what is missing of a JPEG with grey; the other kinds it refuses, but noisily."""
    if data.startswith(b"\xff\xd8\xff"):
        # From the frame header on: a thumbnail inside the EXIF block has an end marker of its own.
        whole = data.rfind(b"\xff\xd9", _jpeg_frame(data)) >= 0
    elif data.startswith(b"\x89PNG"):
        whole = data.rfind(b"IEND") >= 0
    elif data.startswith(b"RIFF"):
        whole = int.from_bytes(data[4:8], "little") + 8 <= len(data)
    else:
        whole = True
    if not whole:
        raise PictureError(_CUT)


def _jpeg_frame(data: bytes) -> int:
    """Where the frame header (SOF) marker lies."""
    at = 2
    while True:
        if data[at] != 0xFF:
            raise PictureError("damaged: its JPEG header is broken")
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return at
        if marker == 0xFF or marker == 0x01 or 0xD0 <= marker <= 0xD8:  # fill byte; markers without a length
            at += 1 if marker == 0xFF else 2
        else:
            at += 2 + _number(data, at + 2, 2, "big")


def _jpeg_size(data: bytes) -> tuple[int, int]:
    at = _jpeg_frame(data)
    return _number(data, at + 7, 2, "big"), _number(data, at + 5, 2, "big")


def _bmp_size(data: bytes) -> tuple[int, int]:
    if _number(data, 14, 4) == 12:  # OS/2
        return _number(data, 18, 2), _number(data, 20, 2)
    height = _number(data, 22, 4)
    return _number(data, 18, 4), height if height < 1 << 31 else (1 << 32) - height  # negative: stored top-down


def _webp_size(data: bytes) -> tuple[int, int]:
    kind = data[12:16]
    if kind == b"VP8X":
        return _number(data, 24, 3) + 1, _number(data, 27, 3) + 1
    if kind == b"VP8L":
        bits = _number(data, 21, 4)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return _number(data, 26, 2) & 0x3FFF, _number(data, 28, 2) & 0x3FFF


def _tiff_size(data: bytes) -> tuple[int, int]:
    order = "little" if data.startswith(b"II") else "big"
    directory = _number(data, 4, 4, order)
    sides = {256: 0, 257: 0}  # the tags of width and height
    for at in range(directory + 2, directory + 2 + 12 * _number(data, directory, 2, order), 12):
        tag = _number(data, at, 2, order)
        if tag in sides:
            sides[tag] = _number(data, at + 8, 2 if _number(data, at + 2, 2, order) == 3 else 4, order)
    return sides[256], sides[257]


def _number(data: bytes, at: int, count: int, order: str = "little") -> int:
    if at + count > len(data):
        raise IndexError
    return int.from_bytes(data[at : at + count], "little" if order == "little" else "big")
