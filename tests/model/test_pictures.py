from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import cv2
import numpy as np
import PIL.Image
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


SAMPLING = [
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
]


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("progressive", [0, 1])
@pytest.mark.parametrize("sampling", SAMPLING)
def test_jpegs_give_the_pixels_that_opencv_gives(sampling: int, progressive: int, colour: bool) -> None:
    options = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling, cv2.IMWRITE_JPEG_PROGRESSIVE, progressive]
    noisy = np.random.default_rng(0).integers(0, 256, (63, 97, 3), dtype=np.uint8)
    data = cv2.imencode(".jpg", cv2.GaussianBlur(noisy, (5, 5), 0), options)[1]
    by_opencv = cv2.imdecode(data, cv2.IMREAD_COLOR if colour else cv2.IMREAD_GRAYSCALE)
    assert by_opencv is not None
    assert np.array_equal(decode_image(data.tobytes(), colour=colour), by_opencv)


def scanned() -> tuple[bytes, int]:
    """A JPEG, and where its compressed picture begins."""
    data = encoded()
    at = data.rindex(b"\xff\xda")
    return data, at + 2 + int.from_bytes(data[at + 2 : at + 4])


def test_a_jpeg_that_lost_its_middle_is_refused() -> None:
    data, begins = scanned()
    middle = (begins + len(data)) // 2
    with pytest.raises(PictureError, match=r"damaged: .*premature end"):
        decode_image(data[:middle] + b"\xff\xd9")
    with pytest.raises(PictureError, match="damaged"):
        decode_image(data[:middle] + bytes(300) + data[middle + 300 :])


def test_bytes_before_any_other_mark_than_the_end_are_damage() -> None:
    noisy = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (240, 320), dtype=np.uint8), (5, 5), 0)
    data = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_RST_INTERVAL, 20])[1].tobytes()
    at = data.index(b"\xff\xd3")
    assert decode_image(data).shape == (240, 320)
    with pytest.raises(PictureError, match=r"damaged: .*extraneous bytes before marker 0xd3"):
        decode_image(data[:at] + bytes(20) + data[at:])


def test_stray_bytes_before_the_scan_do_not_hide_that_it_is_cut() -> None:
    data, begins = scanned()
    scan = data.rindex(b"\xff\xda")
    with pytest.raises(PictureError, match="damaged"):
        decode_image(data[:scan] + bytes(4) + data[scan : (begins + len(data)) // 2] + b"\xff\xd9")


def test_bytes_that_a_webcam_leaves_before_the_end_mark_are_allowed() -> None:
    data, _ = scanned()
    assert np.array_equal(decode_image(data[:-2] + bytes(20) + data[-2:]), decode_image(data))


def test_a_jpeg_in_printers_colours_is_read() -> None:
    inks = PIL.Image.fromarray(np.full((64, 96, 4), 90, np.uint8), mode="CMYK")
    file = io.BytesIO()
    inks.save(file, "JPEG")
    assert decode_image(file.getvalue()).shape == (64, 96)
    assert decode_image(file.getvalue(), colour=True).shape == (64, 96, 3)


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
