from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from model.states import State
from model.tables import Row
from training.fit import LossPoint
from training.frame_metrics import curves, frame_values
from training.plots import plot_evaluation, plot_loss, plot_timeline
from training.timeline import ClipTimeline, TimelineRecorder


def clip_rows(clip: str, smoothed: list[float | None], fps: float = 10.0) -> list[Row]:
    rows = []
    for frame, value in enumerate(smoothed):
        state = State.WARMING if value is None else State.ANOMALOUS if value >= 0.5 else State.NORMAL
        score = 0.2 if value is None else value
        rows.append(Row(clip, frame, frame / fps, score / (1 - score), score, value, state))
    return rows


def wave(frames: int, *at: int, base: float = 0.2) -> list[float | None]:
    """Ten frames of warming, then `base` with a peak at each of some frames, the later the higher."""
    values = np.full(frames, base)
    for index, frame in enumerate(at):
        values = np.maximum(values, (0.6 + 0.05 * index) - 0.05 * np.abs(np.arange(frames) - frame))
    return [None] * 10 + [float(value) for value in values[10:]]


def picture(frame: int) -> NDArray[np.uint8]:
    return np.full((48, 72), frame % 256, dtype=np.uint8)


def size(path: Path) -> tuple[int, int]:
    image = cv2.imread(str(path))
    assert image is not None
    assert image.std() > 1  # not blank
    return image.shape[1], image.shape[0]


def recorded(clip: str, values: list[float | None], image: bool = True) -> ClipTimeline:
    timeline = ClipTimeline(clip)
    heat = np.ones((3, 4), dtype=np.float32)
    for row in clip_rows(clip, values):
        timeline.add(row, image=picture(row.frame) if image else None, heat=heat if image else None)
    return timeline


@pytest.mark.parametrize("frames", [7, 8, 9, 40, 1000])
def test_merged_stretches_keep_the_highest(frames: int) -> None:
    values: list[float | None] = [float(v) for v in np.random.default_rng(frames).random(frames) * 0.9]
    timeline = ClipTimeline("01", points=4)
    for index, row in enumerate(clip_rows("01", values)):
        timeline.add(row, abnormal=index == frames - 1)
    bins, ends = timeline.points()
    stride = -(-frames // 8)
    stride = 1 << (stride - 1).bit_length()
    expected = [max(v for v in values[i : i + stride] if v is not None) for i in range(0, frames, stride)]
    np.testing.assert_allclose(bins["smoothed"], expected)
    np.testing.assert_allclose(bins["start"], np.arange(0, frames, stride) / 10)
    np.testing.assert_array_equal(ends[:-1], bins["start"][1:])
    assert ends[-1] == pytest.approx(frames / 10)
    assert bins["labelled"].tolist() == [False] * (len(expected) - 1) + [True]


def test_frames_without_a_score_leave_a_gap() -> None:
    timeline = ClipTimeline.from_rows("01", [Row("01", 0, 0.0, None, None, None, State.WARMING, "too slow")] * 3)
    bins, _ = timeline.points()
    assert np.isnan(bins["score"]).all()
    assert timeline.highest == -1
    assert timeline.peaks() == []


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (wave(200, 50, 120), {50, 120}),
        (wave(5000, 500, 501, 3000), {501, 3000}),  # 500 and 501 are one peak
        (wave(100, 20, 40, 60, 80, 95), {40, 60, 80, 95}),  # the four highest
        ([None] * 5, {0}),  # only warming: what there is
    ],
)
def test_peaks_are_the_highest_separate_ones(values: list[float | None], expected: set[int]) -> None:
    found = recorded("01", values).peaks()
    highest = {peak.frame for peak in found if peak.value > 0.5 or peak.warming}
    assert highest == expected
    assert [peak.frame for peak in found] == sorted(peak.frame for peak in found)
    for peak in found:
        assert peak.image is not None
        assert peak.image[0, 0] == peak.frame % 256  # the picture is that frame's


def test_pictures_are_shrunk_and_turned_to_rgb() -> None:
    timeline = ClipTimeline("01")
    image = np.zeros((1080, 1920, 3), dtype=np.uint8)
    image[..., 0] = 255  # blue, in BGR
    timeline.add(clip_rows("01", [0.6])[0], image=image)
    (peak,) = timeline.peaks()
    assert peak.image is not None
    assert peak.image.shape == (180, 320, 3)
    assert peak.image[0, 0].tolist() == [0, 0, 255]


def test_recorder_keeps_the_highest_clips() -> None:
    recorder = TimelineRecorder(clips=2)
    for clip, height in (("a", 0.3), ("b", 0.9), ("c", 0.1), ("d", 0.8), ("e", 0.2)):
        for row in clip_rows(clip, [None, height]):
            recorder.add(row)
    assert [timeline.clip for timeline in recorder.timelines] == ["b", "d", "e"]  # e is the clip in progress
    assert recorder.left_out == 2


@pytest.mark.parametrize(
    "timelines",
    [
        [],
        [ClipTimeline("empty")],
        [recorded("01", [0.7])],
        [recorded("01", wave(300, 100, 110, 290)), recorded("no pictures", wave(300, 50), image=False)],
        [recorded("$\\frac{x_1 日本 " + "long" * 40, wave(60, 30))],
        [recorded("caf\udce9", wave(60, 30))],
        [recorded(f"{n:02d}", wave(30, 20)) for n in range(14)],
    ],
    ids=["none", "empty", "one frame", "two clips", "odd name", "no UTF-8", "too many"],
)
def test_timeline_is_drawn(tmp_path: Path, timelines: list[ClipTimeline]) -> None:
    plot_timeline(tmp_path / "t.png", timelines)
    width, height = size(tmp_path / "t.png")
    assert width == 1200
    assert height < 12 * 450


def test_timeline_of_ten_hours_is_drawn(tmp_path: Path) -> None:
    timeline = ClipTimeline("long", points=100)
    image, heat = picture(0), np.ones((3, 4), dtype=np.float32)
    for frame in range(36_000):
        value = 0.9 if frame == 20_000 else 0.2
        timeline.add(Row("long", frame, float(frame), 1.0, value, value, State.NORMAL), image=image, heat=heat)
    assert len(timeline.points()[0]) <= 200
    assert 20_000 in [peak.frame for peak in timeline.peaks()]
    plot_timeline(tmp_path / "t.png", [timeline])
    assert size(tmp_path / "t.png")[0] == 1200


@pytest.mark.parametrize("clips", [0, 1, 3, 17, 41])
def test_evaluation_is_drawn(tmp_path: Path, clips: int) -> None:
    timelines, labels, values = [], {}, {}
    for index in range(clips):
        rows = clip_rows(f"{index:02d}", wave(60, 30))
        labels[rows[0].clip] = np.abs(np.arange(60) - 32) < 6
        values[rows[0].clip] = frame_values(rows)
        timelines.append(ClipTimeline.from_rows(rows[0].clip, rows, labels[rows[0].clip]))
    both = {"causal": curves(labels, values), "offline": curves(labels, values)}
    plot_evaluation(tmp_path / "e.png", timelines, both, base_rate=0.2 if clips else None, title="$ made up")
    assert size(tmp_path / "e.png")[0] == 1200


def test_evaluation_of_one_class_is_drawn(tmp_path: Path) -> None:
    timeline = ClipTimeline.from_rows("01", clip_rows("01", wave(60, 30)), np.ones(60, dtype=np.bool_))
    plot_evaluation(tmp_path / "e.png", [timeline], {"causal": None, "offline": None}, base_rate=1.0)
    size(tmp_path / "e.png")


@pytest.mark.parametrize(
    "history",
    [
        [],
        [LossPoint(1, train=0.5)],
        [LossPoint(step, 100 / step, 120 / step if step % 10 == 0 else None) for step in range(1, 100)],
        [LossPoint(step, held_out=0.0) for step in range(3)],
    ],
    ids=["none", "one step", "log", "zero"],
)
def test_loss_is_drawn(tmp_path: Path, history: list[LossPoint]) -> None:
    plot_loss(tmp_path / "loss.png", history)
    assert size(tmp_path / "loss.png") == (800, 450)
