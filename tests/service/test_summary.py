"""What a scoring run comes to."""

from __future__ import annotations

import json

import pytest

from model.frames import Repair
from model.states import State
from model.tables import Row
from service.commands.summary import Summary, counted


def rows(clip: str, smoothed: list[float | None]) -> list[Row]:
    made = []
    for frame, value in enumerate(smoothed):
        state = State.WARMING if value is None else State.ANOMALOUS if value >= 0.5 else State.NORMAL
        made.append(Row(clip, frame, frame / 10, value, 0.1 if value is None else value, value, state))
    return made


def summary(*clips: list[Row]) -> Summary:
    made = Summary(clips=len(clips), seconds=2.0)
    for clip in clips:
        for row in clip:
            made.add(row)
    return made


def test_alarms_are_counted_where_they_begin_and_never_across_clips() -> None:
    made = summary(rows("01", [None, 0.2, 0.6, 0.7, 0.3, 0.8]), rows("02", [0.9, 0.9, 0.1]))
    assert made.alarms == 3
    assert made.anomalous == 5
    assert made.frames == 9


def test_the_peak_is_the_frame_of_the_highest_smoothed_score() -> None:
    made = summary(rows("01", [None, 0.2, 0.6]), rows("02", [0.1, 0.9, 0.3]))
    assert made.peak is not None
    assert (made.peak.clip, made.peak.frame) == ("02", 1)
    assert "highest: 0.900 (the threshold is 0.5) in clip 02, frame 1, at 0.1 s" in made.lines(
        Repair(), normalized=False
    )


@pytest.mark.parametrize(
    ("smoothed", "line"),
    [
        ([0.1, 0.2], "no alarm"),
        ([0.6, 0.2], "1 alarm, 1 frame anomalous"),
        ([0.6, 0.7, 0.1, 0.9], "2 alarms, 3 frames anomalous"),
        ([None, None], "nothing could be judged: no clip is as long as a window"),
    ],
)
def test_alarms_are_told(smoothed: list[float | None], line: str) -> None:
    assert line in summary(rows("01", smoothed)).lines(Repair(), normalized=False)


def test_normalised_scores_have_no_threshold() -> None:
    lines = summary(rows("01", [0.2, 1.0])).lines(Repair(), normalized=True)
    assert not any("threshold" in line for line in lines)


def test_what_is_off_is_not_mentioned() -> None:
    assert len(summary(rows("01", [0.1])).lines(Repair(), normalized=False)) == 3
    made = summary(rows("01", [0.1]))
    made.repeated, made.skipped, made.flipped = 1, 2, 3
    lines = made.lines(Repair(flip=True), normalized=False)
    assert "1 frame repeats the last score: the footage is faster than the model" in lines
    assert "2 frames or files that cannot be used were left out" in lines
    assert "flip repair turned 3 frames" in lines


def test_frames_without_a_score_are_told_by_their_reason() -> None:
    made = summary([Row("01", n, float(n), None, None, None, State.WARMING, "too slow") for n in range(3)])
    assert made.peak is None
    assert "3 frames without a score: too slow" in made.lines(Repair(), normalized=False)


def test_an_empty_run_has_a_summary() -> None:
    made = Summary()
    assert made.frames_per_second is None
    assert made.lines(Repair(), normalized=False) == ["0 clips, 0 frames in 0.0 s"]


def test_the_json_holds_the_same() -> None:
    made = summary(rows("01", [None, 0.2, 0.6]))
    document = json.loads(json.dumps(made.to_json(), allow_nan=False))
    assert document == {
        "clips": 1,
        "frames": 3,
        "seconds": 2.0,
        "frames_per_second": 1.5,
        "repeated": 0,
        "flipped": 0,
        "skipped": 0,
        "unscored": 0,
        "anomalous": 1,
        "alarms": 1,
        "peak": {"clip": "01", "frame": 2, "time": 0.2, "smoothed": 0.6},
    }


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 clips"), (1, "1 clip"), (2, "2 clips"), (0.5, "0.5 clips"), (1234567, "1234567 clips")]
)
def test_counted(number: float, text: str) -> None:
    assert counted(number, "clip") == text
