from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import cv2
import numpy as np
import pytest

from model.pictures import MAX_PIXELS, PictureError, decode_image, image_size
from tests.model.drawn import encoded, picture

KINDS = [
    pytest.param(".jpg", [], id="jpeg"),
    pytest.param(".jpg", [cv2.IMWRITE_JPEG_PROGRESSIVE, 1], id="progressive jpeg"),
    pytest.param(".png", [], id="png"),
    pytest.param(".bmp", [], id="bmp"),
    pytest.param(".tif", [], id="tiff"),
    pytest.param(".webp", [cv2.IMWRITE_WEBP_QUALITY, 80], id="lossy webp"),
    pytest.param(".webp", [cv2.IMWRITE_WEBP_QUALITY, 101], id="lossless webp"),
]


@pytest.mark.parametrize(("ending", "options"), KINDS)
def test_size_and_picture(ending: str, options: list[int]) -> None:
    data = encoded(ending, options=options)
    assert image_size(data) == (96, 64)
    colour, gray = decode_image(data, colour=True), decode_image(data)
    assert colour.shape == (64, 96, 3) and gray.shape == (64, 96)
    assert colour.dtype == gray.dtype == np.uint8
    lossless = cv2.cvtColor(colour, cv2.COLOR_BGR2GRAY).astype(int)
    assert np.abs(gray - lossless).mean() < 1.5


@pytest.mark.parametrize("share", [0, 0.01, 0.25, 0.5, 0.9, 0.999])
@pytest.mark.parametrize(("ending", "options"), KINDS)
def test_cut_pictures_are_refused(ending: str, options: list[int], share: float) -> None:
    data = encoded(ending, options=options)
    with pytest.raises(PictureError):
        decode_image(data[: int(len(data) * share)])


def test_end_marker_of_a_thumbnail_does_not_count() -> None:
    data, thumbnail = encoded(), encoded(at=5)
    with_thumbnail = data[:2] + b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail + data[2:]
    assert decode_image(with_thumbnail).shape == (64, 96)
    with pytest.raises(PictureError, match="cut short"):
        decode_image(with_thumbnail[:-40])


def test_bytes_after_the_end_are_allowed() -> None:
    assert decode_image(encoded() + b"maker notes").shape == (64, 96)


@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_sixteen_bits_become_eight(ending: str) -> None:
    data = cv2.imencode(ending, picture().astype(np.uint16) * 257)[1].tobytes()
    assert np.array_equal(decode_image(data, colour=True), picture())


def test_alpha_is_dropped() -> None:
    data = cv2.imencode(".png", np.dstack([picture(), np.zeros((64, 96), np.uint8)]))[1].tobytes()
    assert np.array_equal(decode_image(data, colour=True), picture())


def test_rotation_is_ignored() -> None:
    quarter_turn = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    data = encoded()
    turned = data[:2] + b"\xff\xe1" + struct.pack(">H", len(quarter_turn) + 2) + quarter_turn + data[2:]
    by_default = cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR)
    assert by_default is not None and by_default.shape == (96, 64, 3)
    assert np.array_equal(decode_image(turned, colour=True), decode_image(data, colour=True))


def png_of_claimed_size(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + chunk + b"\0\0\0\0IEND\xaeB`\x82"


def jpeg_of_claimed_size(width: int, height: int) -> bytes:
    data = bytearray(encoded())
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


@pytest.mark.parametrize("make", [png_of_claimed_size, jpeg_of_claimed_size])
@pytest.mark.parametrize(("size", "says"), [((60_000, 60_000), str(MAX_PIXELS)), ((0, 50), "gives no size")])
def test_claimed_sizes(make: Callable[[int, int], bytes], size: tuple[int, int], says: str) -> None:
    with pytest.raises(PictureError, match=says):
        decode_image(make(*size))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"hello", "not a picture"),
        (b"GIF89a" + bytes(100), "not a picture"),
        (b"\xff\xd8\xff", "cut short"),
        (b"\xff\xd8\xff\xe0\0\x02" + bytes(50), "JPEG header is broken"),
        (b"II*\0" + b"\xff" * 50, "cut short"),
        (png_of_claimed_size(8, 8), "cannot be decoded"),
    ],
)
def test_not_pictures(data: bytes, says: str) -> None:
    with pytest.raises(PictureError, match=says):
        decode_image(data)
