"""JPEGs are found by their own structure, however wrong what stands between them is."""

from __future__ import annotations

import cv2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.readers.failures import ErrorClass, ReadError
from service.readers.jpegs import read_jpeg
from tests.model.drawn import encoded

LIMIT = 100_000
PICTURES = [encoded(".jpg", at) for at in range(3)]
PROGRESSIVE = encoded(".jpg", 5, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])
RESTARTS = encoded(".jpg", 6, [cv2.IMWRITE_JPEG_RST_INTERVAL, 4])
THUMBNAIL = PICTURES[0][:2] + b"\xff\xe1" + (len(PICTURES[1]) + 8).to_bytes(2, "big") + b"Exif\0\0" + PICTURES[1]
WITH_THUMBNAIL = THUMBNAIL + PICTURES[0][2:]


class Stream:
    """Data that comes in pieces of a given size, then ends."""

    def __init__(self, data: bytes, piece: int = 1000) -> None:
        self.buffer = bytearray()
        self._pieces = [data[at : at + piece] for at in range(0, len(data), piece)]

    def more(self) -> None:
        if not self._pieces:
            raise ReadError(ErrorClass.CONNECTION, "end")
        self.buffer += self._pieces.pop(0)


def read_all(data: bytes, piece: int = 1000, limit: int = LIMIT) -> list[bytes | None]:
    stream, found = Stream(data, piece), []
    while True:
        try:
            found.append(read_jpeg(stream, limit))
        except ReadError:
            return found


@pytest.mark.parametrize("piece", [1, 2, 7, 1000, 10**6])
@pytest.mark.parametrize(
    "between",
    [
        b"",
        b"\r\n--frame\r\nContent-Type: image/jpeg\r\nContent-Length: 12\r\n\r\n",
        b"--another boundary",
        b"\xff",
        b"\xff\xd9\xff\xd9",
        bytes(3000),
    ],
    ids=["nothing", "wrong length", "wrong boundary", "FF", "ends", "zeros"],
)
def test_whatever_stands_between_pictures_is_skipped(between: bytes, piece: int) -> None:
    assert read_all(between + between.join(PICTURES) + between, piece) == PICTURES


@pytest.mark.parametrize("piece", [1, 1000])
@pytest.mark.parametrize("picture", [PROGRESSIVE, RESTARTS, WITH_THUMBNAIL], ids=["progressive", "restarts", "thumb"])
def test_every_kind_of_jpeg_is_found_whole(picture: bytes, piece: int) -> None:
    assert read_all(PICTURES[0] + picture + PICTURES[1], piece) == [PICTURES[0], picture, PICTURES[1]]


@pytest.mark.parametrize("piece", [1, 1000])
def test_half_a_begin_counts_as_a_bad_picture(piece: int) -> None:
    assert read_all(b"\xff\xd8".join(PICTURES), piece) == [PICTURES[0], None, PICTURES[1], None, PICTURES[2]]


def test_a_picture_is_given_as_soon_as_it_has_ended() -> None:
    stream = Stream(PICTURES[0], 1)
    assert read_jpeg(stream, LIMIT) == PICTURES[0]


@pytest.mark.parametrize("share", [0.01, 0.3, 0.7, 0.99])
def test_a_picture_that_is_cut_short_does_not_cost_the_next_one(share: float) -> None:
    cut = PICTURES[0][: max(4, int(len(PICTURES[0]) * share))]
    found = read_all(cut + b"\r\n--frame\r\n\r\n" + PICTURES[1] + PICTURES[2])
    assert found[0] is None and found[-1] == PICTURES[2]
    assert next(picture for picture in found if picture is not None) in PICTURES[1:]


def test_a_picture_over_the_limit_is_left_out() -> None:
    big = PICTURES[0][:2] + (b"\xff\xe1" + (60_000).to_bytes(2, "big") + bytes(59_998)) * 3 + PICTURES[0][2:]
    found = read_all(PICTURES[1] + big + PICTURES[2])
    assert found[0] == PICTURES[1] and found[-1] == PICTURES[2] and None in found


def test_compressed_data_without_an_end_is_left_out() -> None:
    at = PICTURES[0].index(b"\xff\xda")
    found = read_all(PICTURES[0][: at + 20] + bytes(3 * LIMIT) + PICTURES[1])
    assert found[0] is None and found[-1] == PICTURES[1]


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_any_damage_costs_the_damaged_pictures_at_most(data: st.DataObject) -> None:
    damaged = bytearray(PICTURES[0])
    for _ in range(data.draw(st.integers(1, 20))):
        damaged[data.draw(st.integers(3, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    found = read_all(bytes(damaged) + b"--frame" + PICTURES[1] + b"--frame" + PICTURES[2] * 30)
    assert found[-1] == PICTURES[2]
    assert all(picture is None or len(picture) <= LIMIT for picture in found)


@given(st.binary(max_size=300))
def test_any_bytes_give_pictures_or_nothing(data: bytes) -> None:
    assert all(one is None or one.startswith(b"\xff\xd8\xff") for one in read_all(b"\xff\xd8\xff" + data, 50, 200))
