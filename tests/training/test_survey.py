"""The look at all footage before training: everything bad in one message, one camera, its rate and its mean picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from model.clips import Clip, FootageError
from model.footage import open_footage
from model.frames import reference_of
from model.progress import Tick, no_progress
from tests.model.detectors import MemoryClip, clip, pictures, scene
from tests.training.drawn import write_clips, write_moving_video
from training.survey import Survey, survey


def look(clips: Sequence[Clip], *, skip_bad: bool = False) -> Survey:
    return survey(clips, skip_bad=skip_bad, progress=no_progress)


def sized(name: str, *sizes: tuple[int, int], frames: int = 4) -> MemoryClip:
    """A clip with some frames of each size, one size after the other."""
    images = [image for height, width in sizes for image in pictures(frames, height=height, width=width)]
    return MemoryClip([(n / 10, image) for n, image in enumerate(images)], name)


@pytest.fixture
def spoilt(tmp_path: Path) -> Path:
    """Three clips; two frames are cut short and one is no picture."""
    root = write_clips(tmp_path / "normal", 3, 6)
    for name in ("01/frame_00002.jpg", "03/frame_00000.jpg"):
        data = (root / name).read_bytes()
        (root / name).write_bytes(data[: len(data) // 2])
    (root / "03" / "frame_00005.jpg").write_text("not a picture")
    return root


def test_everything_unreadable_is_named_in_one_message(spoilt: Path) -> None:
    with open_footage([spoilt]) as footage, pytest.raises(FootageError) as caught:
        look(footage.clips)
    message = str(caught.value)
    assert message.startswith("3 unreadable frames or files:")
    for name in ("01/frame_00002.jpg", "03/frame_00000.jpg", "03/frame_00005.jpg"):
        assert str(spoilt / name) in message
    assert "--skip-bad" in message


def test_what_is_unreadable_is_left_out_where_that_was_asked_for(spoilt: Path) -> None:
    with open_footage([spoilt]) as footage:
        found = look(footage.clips, skip_bad=True)
    assert len(found.bad) == 3
    assert [one.frames for one in found.surveys] == [5, 6, 4]


def test_a_truncated_video_is_named(tmp_path: Path) -> None:
    video = write_moving_video(tmp_path / "gate.mp4", 40)
    video.write_bytes(video.read_bytes()[:-400])
    with open_footage([tmp_path]) as footage, pytest.raises(FootageError, match=r"gate\.mp4"):
        look(footage.clips)


def test_a_clip_without_a_readable_frame_is_left_out(tmp_path: Path) -> None:
    root = write_clips(tmp_path, 2, 3)
    for picture in (root / "01").iterdir():
        picture.write_bytes(b"")
    with open_footage([root]) as footage:
        found = look(footage.clips, skip_bad=True)
    assert [one.name for one in found.clips] == ["02"]


@pytest.mark.parametrize(
    ("clips", "parts"),
    [
        (
            [sized("a", (64, 96), frames=6), sized("b", (64, 64))],
            ["clip b is 64x64 from frame 0 on", "clip a is 96x64"],
        ),
        ([sized("a", (64, 96), (96, 96))], ["clip a is 96x96 from frame 4 on", "clip a is 96x64"]),
    ],
    ids=["two clips", "within a clip"],
)
def test_pictures_of_two_aspects_are_refused(clips: list[Clip], parts: list[str]) -> None:
    with pytest.raises(FootageError, match="a model learns one camera") as caught:
        look(clips)
    for part in parts:
        assert part in str(caught.value)


def test_another_size_of_the_same_aspect_is_no_other_camera() -> None:
    found = look([sized("a", (64, 96), frames=6), sized("b", (128, 192))])
    assert found.size == (64, 96)


@pytest.mark.parametrize("clips", [[], [clip(1)], [clip(1), clip(1, name="02")]], ids=["none", "one", "two"])
def test_single_frames_are_nothing_to_learn_from(clips: list[Clip]) -> None:
    with pytest.raises(FootageError, match="nothing to learn from"):
        look(clips)


def test_rate_and_length_are_those_of_most_footage() -> None:
    found = look([clip(30, step=0.1), clip(5, step=0.5, name="02"), clip(1, name="03")])
    assert found.interval == pytest.approx(0.1)
    assert found.frames == 36
    assert found.seconds == pytest.approx(2.9 + 2.0)


def test_a_hole_does_not_change_the_rate() -> None:
    shots = [(n / 10 + (5.0 if n > 10 else 0.0), image) for n, image in enumerate(pictures(20))]
    assert look([MemoryClip(shots)]).interval == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("stamps", "seconds", "jumps"),
    [
        ([0.0, 0.1, 0.2, 0.3], 0.3, False),
        ([0.0, 0.1, 0.2, 0.3, 0.0, 0.1], 0.4, True),
        ([5.0, 5.1, 5.2, 0.0, 0.1], 0.3, True),
    ],
)
def test_a_jump_back_does_not_shorten_the_footage(stamps: list[float], seconds: float, jumps: bool) -> None:
    found = look([MemoryClip(list(zip(stamps, pictures(len(stamps)), strict=True)))])
    assert found.seconds == pytest.approx(seconds)
    assert found.surveys[0].jumps is jumps


def test_the_reference_is_the_mean_picture() -> None:
    found = look([clip(60)])
    difference = found.reference.astype(float) - reference_of(scene())
    assert found.reference.dtype == np.uint8
    assert np.abs(difference).mean() < 15  # what moves there is smeared


def test_every_frame_is_counted_for_the_bar() -> None:
    told: list[tuple[str, int | None]] = []
    ticks: list[int] = []

    @contextmanager
    def bar(label: str, total: int | None, unit: str = "frame") -> Iterator[Tick]:
        told.append((label, total))
        yield ticks.append

    survey([clip(7), clip(5, name="02")], skip_bad=False, progress=bar)
    assert told == [("checking footage", 12)]
    assert sum(ticks) == 12
