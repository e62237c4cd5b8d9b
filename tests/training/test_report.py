"""What a training run says at its end, on figures made up."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from model.detector import Calibration
from training.coverage import Coverage
from training.report import TrainReport
from training.selftest import SelfTest

CALIBRATION = Calibration(
    theta=0.8125, alarms_per_hour=2.0, minutes=12.0, alarms=0, upper_bound=18.4, extrapolated=True, precision="float32"
)
REPORT = TrainReport(
    clips=8,
    held_out_clips=["03", "07"],
    frames=4200,
    minutes=7.0,
    bad=0,
    encoder="stem",
    windows=31_000,
    steps=900,
    best_step=700,
    loss=0.21,
    held_out_loss=0.25,
    calibration=CALIBRATION,
    self_test=[SelfTest("double speed", 9, 10, 0.93), SelfTest("backwards", 2, 10, None)],
    coverage=Coverage(1.1, "03"),
    seconds=81.0,
    interrupted=False,
)


def text(**changes: Any) -> str:
    return dataclasses.replace(REPORT, **changes).text()


def test_whole_frames_are_called_no_cells() -> None:
    assert "31000 windows, 81 s" in text(encoder="pixels")


@pytest.mark.parametrize(
    "part",
    [
        "8 clips, 2 held out",
        "4200 frames (7.0 min)",
        "31000 windows of moving cells",
        "error 0.210 on the clips learned from, 0.250 on held-out clips (best at step 700 of 900)",
        "threshold 0.8125, for at most 2 false alarms an hour",
        "0 seen on 12.0 min of held-out normal footage (95 % bound: 18.4 an hour)",
        "insufficient footage: under an hour was held out, so the threshold is carried beyond it",
        "self-test, double speed: caught 9 of 10, ROC-AUC 0.930",
        "self-test, backwards: caught 2 of 10",
        "coverage: held-out clips look alike to the model (spread 1.1)",
    ],
)
def test_the_report_says_what_was_learned_from_and_how_well(part: str) -> None:
    assert part in text()


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"bad": 3}, "3 frames or files could not be read and were left out"),
        ({"interrupted": True}, "interrupted: the best weights so far were kept"),
        ({"coverage": Coverage(2.6, "night")}, "more footage needed, of the kind in clip night"),
        ({"coverage": Coverage(None, "03")}, "coverage: unknown, fewer than two held-out clips"),
        ({"loss": None}, "error unknown on the clips learned from"),
        ({"calibration": dataclasses.replace(CALIBRATION, extrapolated=False)}, "so the threshold is taken from it"),
    ],
)
def test_what_needs_attention_is_said(changes: dict[str, Any], part: str) -> None:
    assert part not in text()
    assert part in text(**changes)


def test_an_hour_of_held_out_footage_is_enough() -> None:
    enough = dataclasses.replace(CALIBRATION, minutes=60.0, extrapolated=False)
    assert "insufficient" not in text(calibration=enough)


def test_the_report_is_json() -> None:
    document = json.loads(json.dumps(REPORT.to_json(), allow_nan=False))
    assert document["calibration"]["theta"] == 0.8125
    assert document["self_test"][0] == {"kind": "double speed", "caught": 9, "episodes": 10, "auc": 0.93}
    assert document["coverage"] == {"ratio": 1.1, "clip": "03"}
    assert document["sufficient_footage"] is False
