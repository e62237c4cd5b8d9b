from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from model.states import State
from model.tables import Row
from training.events import ClipStates, EventMetrics, event_metrics, frame_seconds, poisson_bounds, runs
from training.frame_metrics import (
    FrameMetrics,
    average_precision,
    base_rate,
    curves,
    equal_error_rate,
    frame_metrics,
    frame_values,
    macro_auc,
    micro_auc,
    pool,
)
from training.labels import load_labels
from training.metrics import Metrics, format_table

NAN = float("nan")


def flags(bits: str) -> NDArray[np.bool_]:
    return np.array([bit == "1" for bit in bits], dtype=np.bool_)


def row(frame: int, score: float | None, smoothed: float | None, state: State = State.NORMAL) -> Row:
    return Row("01", frame, frame / 10, None if score is None else score / (1 - score), score, smoothed, state)


def test_frame_values() -> None:
    rows = [row(0, 0.5, None, State.WARMING), row(1, 0.5, 0.25), row(2, None, None)]
    np.testing.assert_array_equal(frame_values(rows), [0.5, 0.25, NAN])
    np.testing.assert_array_equal(frame_values(rows, "score"), [0.5, 0.5, NAN])
    np.testing.assert_array_equal(frame_values(rows, "raw"), [1.0, 1.0, NAN])


@pytest.mark.parametrize(
    ("labels", "values", "auc", "ap", "eer"),
    [
        ("0011", [0.1, 0.2, 0.3, 0.4], 1.0, 1.0, 0.0),
        ("1100", [0.1, 0.2, 0.3, 0.4], 0.0, (1 / 3 + 2 / 4) / 2, 1.0),
        ("0101", [0.1, 0.2, 0.3, 0.4], 0.75, (1 + 2 / 3) / 2, 0.5),
        ("0101", [0.5, 0.5, 0.5, 0.5], 0.5, 0.5, 0.5),  # all tied: chance
        ("0011", [0.1, 0.3, 0.3, 0.4], 0.875, 0.5 + 0.5 * 2 / 3, 0.25),  # halfway from (0, 1/2) to (1/2, 1)
        ("00110", [0.1, 0.2, 0.3, 0.4, NAN], 1.0, 1.0, 0.0),  # without a score: left out
        ("1111", [0.1, 0.2, 0.3, 0.4], None, None, None),
        ("0000", [0.1, 0.2, 0.3, 0.4], None, None, None),
        ("01", [0.1, NAN], None, None, None),
        ("", [], None, None, None),
    ],
)
def test_frame_level(labels: str, values: list[float], auc: float | None, ap: float | None, eer: float | None) -> None:
    truth, value = {"01": flags(labels)}, {"01": np.array(values, dtype=np.float64)}
    assert micro_auc(truth, value) == (None if auc is None else pytest.approx(auc))
    assert average_precision(truth, value) == (None if ap is None else pytest.approx(ap))
    assert equal_error_rate(truth, value) == (None if eer is None else pytest.approx(eer))
    assert frame_metrics(truth, value) == FrameMetrics(
        micro_auc(truth, value),
        micro_auc(truth, value),
        average_precision(truth, value),
        equal_error_rate(truth, value),
    )
    found = curves(truth, value)
    if auc is None:
        assert found is None
    else:
        assert found is not None
        assert np.trapezoid(found.true_positive_rate, found.false_positive_rate) == pytest.approx(auc)


def test_equal_error_rate_is_interpolated() -> None:
    # ROC (0, 0), (0, 2/3), (1/2, 2/3), (1/2, 1), (1, 1); alarms equal misses at (1/3, 2/3).
    labels, values = {"a": flags("11010")}, {"a": np.array([5.0, 4, 3, 2, 1])}
    assert equal_error_rate(labels, values) == pytest.approx(1 / 3)


def test_macro_skips_clips_of_one_class() -> None:
    labels = {"01": flags("01"), "02": flags("0101"), "03": flags("11"), "04": flags("00"), "05": flags("01")}
    values = {
        "01": np.array([0.1, 0.2]),
        "02": np.array([0.1, 0.2, 0.3, 0.4]),
        "03": np.array([0.1, 0.2]),
        "04": np.array([0.1, 0.2]),
        "05": np.array([NAN, NAN]),
    }
    macro = macro_auc(labels, values)
    assert macro.auc == pytest.approx((1 + 0.75) / 2)
    assert macro.clips == pytest.approx({"01": 1.0, "02": 0.75})
    assert macro.skipped == ("03", "04", "05")
    assert macro_auc({"03": labels["03"]}, {"03": values["03"]}).auc is None


def test_base_rate_counts_scored_frames() -> None:
    assert base_rate({"01": flags("0111")}, {"01": np.array([0.1, 0.2, NAN, 0.1])}) == pytest.approx(2 / 3)
    assert base_rate({}, {}) is None
    assert base_rate({"01": flags("1")}, {"01": np.array([NAN])}) is None


@pytest.mark.parametrize(
    ("labels", "values", "message"),
    [
        ({"01": flags("01")}, {"02": np.zeros(2)}, r"different clips: \['01', '02'\]"),
        ({"01": flags("01")}, {"01": np.zeros(3)}, r"clip 01: labels \(2,\) and values \(3,\)"),
    ],
)
def test_pool_refused(
    labels: dict[str, NDArray[np.bool_]], values: dict[str, NDArray[np.float64]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        pool(labels, values)


@pytest.mark.parametrize(
    ("bits", "expected"),
    [("", []), ("000", []), ("111", [(0, 3)]), ("0110", [(1, 3)]), ("1011", [(0, 1), (2, 4)])],
)
def test_runs(bits: str, expected: list[tuple[int, int]]) -> None:
    assert runs(flags(bits)) == expected


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([], []),
        ([4.0], [0.0]),
        ([0.0, 1.0, 2.0], [1.0, 1.0, 1.0]),
        ([0.0, 1.0, 3.0, 4.0], [1.0, 2.0, 1.0, 1.0]),
        ([0.0, 1.0, 60.0, 61.0], [1.0, 1.0, 1.0, 1.0]),  # a hole is no footage
        ([0.0, 1.0, 2.0, 0.0, 1.0], [1.0, 1.0, 1.0, 1.0, 1.0]),  # nor is a jump back less than none
    ],
)
def test_frame_seconds(times: list[float], expected: list[float]) -> None:
    np.testing.assert_allclose(frame_seconds(np.array(times)), expected)


@pytest.mark.parametrize(
    ("count", "low", "high"), [(0, 0.0, 3.6889), (1, 0.0253, 5.5716), (3, 0.6187, 8.7673), (10, 4.7954, 18.3904)]
)
def test_poisson_bounds_are_those_of_the_tables(count: int, low: float, high: float) -> None:
    assert poisson_bounds(count) == pytest.approx((low, high), abs=1e-4)


def states(anomalous: str, labels: str, scored: str = "", step: float = 1.0) -> ClipStates:
    return ClipStates(
        times=np.arange(len(labels), dtype=np.float64) * step,
        anomalous=flags(anomalous),
        labels=flags(labels),
        scored=flags(scored) if scored else np.ones(len(labels), dtype=np.bool_),
    )


@pytest.mark.parametrize(
    ("clips", "events", "detected", "alarms", "seconds", "delay"),
    [
        ([states("0000000", "0011100")], 1, 0, 0, 4, None),
        ([states("0001100", "0011100")], 1, 1, 0, 4, 1.0),
        ([states("0111000", "0011100")], 1, 1, 0, 4, 0.0),  # already anomalous at the start
        ([states("0000111", "0011100")], 1, 1, 0, 4, 2.0),  # a tail that overlaps is no false alarm
        ([states("0000011", "0011100")], 1, 0, 1, 4, None),  # too late
        ([states("1010000", "0000011")], 1, 0, 2, 5, None),
        ([states("0110111", "0110111")], 2, 2, 0, 2, 0.0),
        ([states("0010001", "0110111")], 2, 2, 0, 2, 1.5),
        ([states("01", "11"), states("10", "00")], 1, 1, 1, 2, 1.0),
        ([states("111", "000")], 0, 0, 1, 3, None),
        ([states("000", "111")], 1, 0, 0, 0, None),
        ([states("0100", "0110", "1011")], 1, 0, 0, 2, None),  # an unscored frame detects nothing
        ([states("0100", "0100", "1011")], 0, 0, 0, 3, None),  # an event nobody could see
        ([states("10100", "00000", "10111")], 0, 0, 1, 4, None),  # one episode around an unscored frame
        ([], 0, 0, 0, 0, None),
    ],
)
def test_event_metrics(
    clips: list[ClipStates], events: int, detected: int, alarms: int, seconds: float, delay: float | None
) -> None:
    found = event_metrics(clips)
    assert (found.events, found.detected, found.false_alarms) == (events, detected, alarms)
    assert found.normal_minutes * 60 == pytest.approx(seconds)
    assert found.median_delay_s == delay
    assert found.recall == (detected / events if events else None)
    assert found.false_alarms_per_hour == (pytest.approx(alarms * 3600 / seconds) if seconds else None)


def test_event_metrics_from_rows() -> None:
    rows = [row(0, 0.6, None, State.WARMING), row(1, 0.6, 0.6, State.ANOMALOUS), row(2, None, None, State.ANOMALOUS)]
    clip = ClipStates.from_rows(rows, flags("011"))
    assert clip.anomalous.tolist() == [False, True, True]
    assert clip.scored.tolist() == [True, True, False]
    assert event_metrics([clip]).median_delay_s == 0
    with pytest.raises(ValueError, match="one length"):
        ClipStates.from_rows(rows, flags("01"))


def test_bounds_an_hour() -> None:
    found = event_metrics([states("10" + "0" * 1198, "0" * 1200, step=0.1)])
    assert found.normal_minutes == pytest.approx(2.0)
    assert found.false_alarms_per_hour == pytest.approx(30.0)
    assert found.false_alarms_per_hour_95 == pytest.approx((0.0253 * 30, 5.5716 * 30), abs=1e-2)
    assert event_metrics([]).false_alarms_per_hour_95 is None


def report(**changes: object) -> Metrics:
    fields: dict[str, object] = {
        "causal": FrameMetrics(0.9, 0.8, 0.7, 0.1),
        "offline": FrameMetrics(0.95, None, 0.75, 0.05),
        "base_rate": 0.82,
        "pixel_auc": 0.91,
        "events": EventMetrics(12, 11, 3, poisson_bounds(3), 0.6, 0.4),
        "frames_per_second": 123.4,
        "frames": 2010,
        "clips": 12,
        "skipped_clips": ("08", "09"),
    }
    return Metrics(**(fields | changes))  # type: ignore[arg-type]


def test_json_of_the_issue() -> None:
    written = json.loads(json.dumps(report().to_json(), allow_nan=False))
    assert written["causal"] == {"micro_auc": 0.9, "macro_auc": 0.8, "ap": 0.7, "eer": 0.1}
    assert written["offline"] == {"micro_auc": 0.95, "macro_auc": None, "ap": 0.75, "eer": 0.05}
    assert (written["base_rate"], written["pixel_auc"], written["frames_per_second"]) == (0.82, 0.91, 123.4)
    assert written["events"] == pytest.approx(
        {"recall": 11 / 12, "false_alarms_per_hour": 300.0, "median_delay_s": 0.4}
    )
    assert written["skipped_clips"] == ["08", "09"]
    assert written["false_alarms_per_hour_95"] == pytest.approx([61.87, 876.73], abs=0.01)


def test_json_without_anything_known() -> None:
    empty = FrameMetrics(None, None, None, None)
    unknown = report(
        causal=empty, offline=empty, base_rate=None, pixel_auc=None, events=event_metrics([]), frames_per_second=None
    )
    written = json.loads(json.dumps(unknown.to_json(), allow_nan=False))
    assert written["events"] == {"recall": None, "false_alarms_per_hour": None, "median_delay_s": None}
    assert written["false_alarms_per_hour_95"] is None
    assert "none labelled" in format_table(unknown)


def test_table() -> None:
    assert format_table(report()).splitlines() == [
        "                  causal  offline",
        "micro ROC-AUC      0.900    0.950   over 2010 frames",
        "macro ROC-AUC      0.800        -   mean over 10 of 12 clips (one class only: 08, 09)",
        "AP                 0.700    0.750   base rate 0.820",
        "EER                0.100    0.050   lower is better",
        "pixel ROC-AUC      0.910",
        "",
        "at the checkpoint's own threshold, causal:",
        "events          11 of 12 detected, median delay 0.4 s",
        "false alarms    3 in 0.6 min of normal footage: 300 an hour (95 % bounds 61.9 to 877)",
        "speed           123 frames/s",
    ]


@pytest.mark.footage
def test_ped2_events_and_macro(footage: Path) -> None:
    ped2 = footage / "ped2"
    clips = {
        folder.name: sorted(int(file.stem) for file in folder.glob("*.jpg"))
        for folder in sorted((ped2 / "testing" / "frames").iterdir())
    }
    labels = load_labels(ped2 / "labels.npz", clips)
    perfect = {clip: values.astype(np.float64) for clip, values in labels.items()}
    assert base_rate(labels, perfect) == pytest.approx(1648 / 2010)
    macro = macro_auc(labels, perfect)
    assert (macro.auc, len(macro.clips), macro.skipped) == (1.0, 8, ("08", "09", "10", "11"))
    found = event_metrics(
        [ClipStates(np.arange(len(v)) / 10, v, v, np.ones(len(v), dtype=np.bool_)) for v in labels.values()]
    )
    assert (found.events, found.detected, found.false_alarms) == (12, 12, 0)
    assert found.normal_minutes == pytest.approx(362 / 600)
