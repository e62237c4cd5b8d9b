"""What is decoded is decided by header, rate cap and time stamp alone."""

from __future__ import annotations

import random
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.frames import Repair
from model.pictures import Image, PictureError
from service.engine.intake import Intake, decode, picture_size
from service.records import IncomingFrame
from tests.model import detectors
from tests.service.live import jpeg, png

SIZE = (64, 96)


def frame(data: bytes | Image) -> IncomingFrame:
    return IncomingFrame(0, 0.0, 0.0, data)


def picture() -> Image:
    return detectors.pictures(1)[0]


def passed(stamps: list[float], max_rate: float | None) -> list[float]:
    """Stamps that the rate cap lets through, whatever the sampler says of them."""
    intake = Intake(1.0, max_rate)
    return [pts for pts in stamps if intake.offer(pts, SIZE) is not None]


@pytest.mark.parametrize(
    ("data", "size"),
    [
        pytest.param(png(picture()), SIZE, id="png"),
        pytest.param(jpeg(picture()), SIZE, id="jpeg"),
        pytest.param(picture(), SIZE, id="luma"),
        pytest.param(np.zeros((*SIZE, 3), np.uint8), SIZE, id="colour"),
    ],
)
def test_size_is_known_before_decoding(data: bytes | Image, size: tuple[int, int]) -> None:
    assert picture_size(frame(data), 1 << 20) == size


@pytest.mark.parametrize(
    ("data", "says"),
    [
        pytest.param(b"", "empty", id="empty"),
        pytest.param(b"GIF89a" + bytes(50), "neither JPEG nor PNG", id="another format"),
        pytest.param(cv2.imencode(".bmp", picture())[1].tobytes(), "neither JPEG nor PNG", id="bmp"),
        pytest.param(jpeg(picture())[:10], "cut short", id="cut header"),
        pytest.param(b"\x89PNG\r\n\x1a\n" + bytes(20), "header gives no size", id="no size"),
        pytest.param(png(np.zeros((600, 600), np.uint8)), "expected 1 to 300000", id="too large"),
        pytest.param(np.zeros(SIZE, np.float32), "no uint8 picture", id="floats"),
        pytest.param(np.zeros((*SIZE, 4), np.uint8), "no uint8 picture", id="four channels"),
        pytest.param(np.zeros((0, 5), np.uint8), "expected 1 to", id="no pixels"),
    ],
)
def test_other_data_is_refused_by_its_header(data: bytes | Image, says: str) -> None:
    with pytest.raises(PictureError, match=says):
        picture_size(frame(data), 300_000)


def test_decoded_frame_is_what_the_detector_prepares() -> None:
    detector = detectors.detector()
    expected = detector.prepare(picture(), Repair()).image
    for data in (picture(), png(picture()), cv2.cvtColor(picture(), cv2.COLOR_GRAY2BGR)):
        prepared = decode(frame(data), SIZE, detector, Repair())  # type: ignore[arg-type]
        assert np.array_equal(prepared.image, expected)


def test_picture_that_is_not_of_its_headers_size_is_refused() -> None:
    with pytest.raises(PictureError, match="header says 10×20 pixels, it has 96×64"):
        decode(frame(png(picture())), (20, 10), detectors.detector(), Repair())


def test_no_cap_lets_everything_through() -> None:
    stamps = [n / 100 for n in range(50)]
    assert passed(stamps, None) == stamps


@pytest.mark.parametrize(("source", "cap"), [(25, 10), (30, 10), (30, 25), (100, 7.5), (10, 10), (5, 10)])
def test_cap_holds_in_the_mean_and_is_used_up(source: float, cap: float) -> None:
    times = passed([n / source for n in range(2000)], cap)
    assert (len(times) - 1) / (times[-1] - times[0]) == pytest.approx(min(source, cap), rel=0.01)


@given(st.integers(0, 10**6))
def test_cap_holds_over_every_stretch_of_a_jittery_source(seed: int) -> None:
    chance = random.Random(seed)
    stamps = [0.0]
    for _ in range(200):
        stamps.append(stamps[-1] + chance.choice([0.001, 0.02, 0.04, 0.5]))
    times = passed(stamps, 10.0)
    for first in range(len(times)):
        for last in range(first, min(len(times), first + 20)):
            assert last - first <= 10 * (times[last] - times[first]) + 2 + 1e-6


def test_jump_back_is_not_held_up_by_the_cap() -> None:
    assert passed([100.0, 100.01, 5.0, 5.01], 10.0) == [100.0, 5.0]


def test_frame_over_the_cap_is_unknown_to_the_sampler() -> None:
    capped, alone = Intake(0.1, 10.0), Intake(0.1)
    for n in range(40):
        decision = capped.offer(n * 0.04, SIZE)
        if decision is not None:
            assert decision == alone.offer(n * 0.04, SIZE)


@given(st.lists(st.floats(0, 0.3), min_size=2, max_size=30), st.sampled_from([None, 8.0]), st.data())
def test_copy_goes_on_as_the_original_would_have(steps: list[float], cap: float | None, data: st.DataObject) -> None:
    stamps = [sum(steps[:n]) for n in range(len(steps))]
    assert all(before <= after for before, after in pairwise(stamps))
    at = data.draw(st.integers(0, len(stamps) - 1))
    intake = Intake(0.1, cap)
    for pts in stamps[:at]:
        intake.offer(pts, SIZE)
    twin = intake.copy()
    expected = [intake.offer(pts, SIZE) for pts in stamps[at:]]
    assert [twin.offer(pts, SIZE) for pts in stamps[at:]] == expected


@pytest.mark.parametrize("max_rate", [None, 2.0])
def test_time_stamps_that_stand_still_are_told_until_they_move(max_rate: float | None) -> None:
    intake = Intake(0.1, max_rate)
    told = []
    for pts in [1.0] * 40 + [1.1]:
        intake.offer(pts, SIZE)
        told.append(intake.standstill)
    assert told[:30] == [""] * 30
    assert all(reason.startswith("time stamps stand still: 30 frames and more") for reason in told[30:40])
    assert told[40] == ""


def test_stamps_of_whole_seconds_do_not_stand_still() -> None:
    intake = Intake(0.1)
    for n in range(300):
        intake.offer(float(n // 30), SIZE)
        assert intake.standstill == ""
