"""Recordings: thinned, cut at gaps, bounded, and gone on with after a restart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model.footage import open_footage
from model.pictures import PictureError, image_size
from service.learning.child import mean_interval, notes
from service.learning.recording import FPS, Recording, RecordingFull, RecordingLimits, storable
from service.learning.tap import Tap
from service.records import IncomingFrame
from tests.model.drawn import picture
from tests.service.live import jpeg, png

SMALL = picture()
LIMITS = RecordingLimits(10**7)


def record(recording: Recording, stamps: list[float]) -> list[bool]:
    return [recording.add(pts, jpeg(SMALL)) for pts in stamps]


def clips(folder: Path) -> list[list[int]]:
    """Milliseconds of the pictures, clip by clip."""
    return [sorted(int(file.stem) for file in clip.iterdir()) for clip in sorted(folder.iterdir())]


@pytest.mark.parametrize("rate", [10, 12.5, 25, 30, 60])
def test_a_fast_source_is_thinned_to_ten_pictures_a_second(tmp_path: Path, rate: float) -> None:
    recording = Recording(tmp_path, LIMITS)
    record(recording, [n / rate for n in range(round(10 * rate))])
    assert 9.8 <= recording.seconds <= 10
    assert recording.frames == pytest.approx(100, abs=2)
    with open_footage([tmp_path], fps=FPS) as footage:
        assert mean_interval(footage.clips) == pytest.approx(0.1, rel=0.03)


def test_a_slow_source_is_kept_whole(tmp_path: Path) -> None:
    recording = Recording(tmp_path, LIMITS)
    assert all(record(recording, [n / 4 for n in range(20)]))


@pytest.mark.parametrize(
    ("stamps", "expected"),
    [
        ([0, 0.1, 0.2, 5, 5.1], [[0, 100, 200], [0, 100]]),
        ([7, 7.1, 3, 3.1], [[0, 100], [0, 100]]),
        ([0.0, 0.4, 0.8, 1.2, 1.6, 2.0, 2.4], [[0, 400, 800, 1200, 1600], [0, 400]]),
    ],
    ids=["gap", "backwards", "long enough"],
)
def test_a_new_clip_begins(tmp_path: Path, stamps: list[float], expected: list[list[int]]) -> None:
    record(Recording(tmp_path, RecordingLimits(10**7, clip=2.0)), stamps)
    assert clips(tmp_path) == expected


def test_a_picture_of_another_size_begins_a_clip(tmp_path: Path) -> None:
    recording = Recording(tmp_path, LIMITS)
    recording.add(0.0, SMALL)
    recording.add(0.1, picture(0, 64, 64))
    assert clips(tmp_path) == [[0], [0]]


def test_a_recording_goes_on_after_a_restart(tmp_path: Path) -> None:
    first = Recording(tmp_path, LIMITS)
    record(first, [0, 0.1, 0.2])
    (tmp_path / "clip-00001" / "000000300.jpg").touch()  # cut off by a crash
    again = Recording(tmp_path, LIMITS)
    assert (again.frames, again.bytes) == (3, first.bytes)
    assert again.seconds == pytest.approx(0.2)
    record(again, [0, 0.1])
    assert clips(tmp_path) == [[0, 100, 200], [0, 100]]


def test_a_recording_keeps_to_its_bytes(tmp_path: Path) -> None:
    recording = Recording(tmp_path, RecordingLimits(2 * len(jpeg(SMALL))))
    with pytest.raises(RecordingFull):
        record(recording, [0, 0.1, 0.2])
    assert recording.frames == 2


def test_clips_too_short_for_a_window_are_left_out(tmp_path: Path) -> None:
    recording = Recording(tmp_path, LIMITS)
    record(recording, [*(n / 10 for n in range(20)), 50, 50.1])
    recording.tidy()
    assert [len(clip) for clip in clips(tmp_path)] == [20]
    assert recording.seconds == pytest.approx(1.9)


def test_a_jpeg_is_kept_as_it_came_and_a_large_picture_made_smaller() -> None:
    data = jpeg(SMALL)
    assert storable(data) is data
    assert image_size(storable(png(SMALL))) == (96, 64)
    large = np.zeros((1080, 1920, 3), dtype=np.uint8)
    assert image_size(storable(large)) == image_size(storable(jpeg(large))) == (853, 480)


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    recording = Recording(tmp_path, LIMITS)
    with pytest.raises(PictureError):
        recording.add(0.0, b"no picture")
    assert not list(tmp_path.iterdir())


def test_a_tap_never_waits() -> None:
    tap = Tap()
    for number in range(100):
        tap(IncomingFrame(number, number / 10, 1e9, b"x"))
    assert tap.lost == 100 - 32
    first = tap.next(0.0)
    assert first is not None and first.number == 0


@pytest.mark.parametrize(("minutes", "said"), [(1.0, "1.0 minutes were learned from"), (30.0, "")])
def test_little_footage_is_said_to_be_little(minutes: float, said: str) -> None:
    assert said in "".join(notes(minutes))
    assert bool(notes(minutes)) == bool(said)
