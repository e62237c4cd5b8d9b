"""Online and offline smoothing: windows in seconds, exact sums, no mixing."""

from __future__ import annotations

import math
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.smoothing import (
    Kind,
    Normalization,
    RollingMean,
    Smoothing,
    gaussian,
    normalize,
    parse_smoothing,
    rolling_offline,
)

SCORES = st.lists(st.floats(0, 1, allow_subnormal=False), min_size=1, max_size=60)
NAN = math.nan


def uniform(count: int, fps: float = 10.0) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.arange(count) / fps


@pytest.mark.parametrize("origin", [0.0, 36000.0, 1.7e9])
@pytest.mark.parametrize(("fps", "seconds", "frames"), [(10, 0.5, 5), (10, 0.1, 1), (25, 1.0, 25), (30, 0.5, 15)])
def test_window_counts_frames_at_exact_spacing(fps: int, seconds: float, frames: int, origin: float) -> None:
    mean = RollingMean(seconds)
    for n in range(200):
        value = mean.push(origin + n / fps, float(n))
        first = max(0, n - frames + 1)
        assert value == pytest.approx((first + n) / 2)


def test_a_hole_empties_the_window() -> None:
    mean = RollingMean(0.5)
    assert [mean.push(pts, value) for pts, value in [(0.0, 1.0), (0.1, 0.0), (0.59, 0.5), (2.0, 0.25)]] == [
        1.0,
        0.5,
        0.25,
        0.25,
    ]


def test_jump_back_forgets_the_future() -> None:
    mean = RollingMean(10.0)
    mean.push(5.0, 1.0)
    mean.push(6.0, 1.0)
    assert mean.push(5.5, 0.0) == 0.5
    assert mean.push(1.0, 0.0) == 0.0


def test_reset_and_no_smoothing() -> None:
    mean = RollingMean(10.0)
    mean.push(0.0, 1.0)
    mean.reset()
    assert mean.push(0.1, 0.25) == 0.25
    raw = RollingMean(0.0)
    assert [raw.push(0.0, value) for value in (0.1, 0.7)] == [0.1, 0.7]


def test_no_drift_over_many_values() -> None:
    mean = RollingMean(0.5)
    for n in range(20000):
        mean.push(n / 10, 1e12 if n % 7 == 0 else 0.1)
    assert [mean.push(2000 + n / 10, 0.45) for n in range(5)][-1] == 0.45


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.smoothing._MAX_VALUES", 8)
    mean = RollingMean(1.0)
    assert [mean.push(0.0, float(n)) for n in range(100)][-1] == 95.5


@pytest.mark.parametrize(("pts", "value"), [(NAN, 0.0), (math.inf, 0.0), (0.0, NAN), (0.0, math.inf)])
def test_rolling_mean_refuses_what_is_no_number(pts: float, value: float) -> None:
    mean = RollingMean(1.0)
    mean.push(0.0, 0.5)
    with pytest.raises(ValueError, match="finite"):
        mean.push(pts, value)
    assert mean.push(0.1, 0.5) == 0.5


@pytest.mark.parametrize("seconds", [-1.0, NAN, math.inf])
def test_window_must_be_a_duration(seconds: float) -> None:
    with pytest.raises(ValueError, match="seconds"):
        RollingMean(seconds)
    with pytest.raises(ValueError, match="seconds"):
        rolling_offline(uniform(3), uniform(3), seconds)


@given(steps=st.lists(st.floats(0, 0.4), min_size=1, max_size=50), data=st.data(), seconds=st.floats(0, 2))
def test_online_mean_is_the_offline_one_and_stays_in_range(
    steps: list[float], data: st.DataObject, seconds: float
) -> None:
    values = data.draw(st.lists(st.floats(0, 1), min_size=len(steps), max_size=len(steps)))
    times = np.cumsum(steps)
    mean = RollingMean(seconds)
    online = [mean.push(float(pts), value) for pts, value in zip(times, values, strict=True)]
    assert all(min(values) <= value <= max(values) for value in online)
    np.testing.assert_allclose(online, rolling_offline(np.array(values), times, seconds), rtol=0, atol=1e-12)


@given(values=SCORES, cut=st.integers(1, 60))
def test_online_mean_is_causal_and_shift_invariant(values: list[float], cut: int) -> None:
    def run(origin: float, part: list[float]) -> list[float]:
        mean = RollingMean(0.5)
        return [mean.push(origin + n / 8, value) for n, value in enumerate(part)]

    assert run(0.0, values)[:cut] == run(1024.0, values[:cut])


def test_centred_window() -> None:
    values = np.array([0.0, 0, 0, 1, 0, 0, 0])
    assert rolling_offline(values, uniform(7), 0.2, centred=True).tolist() == pytest.approx(
        [0, 0, 1 / 3, 1 / 3, 1 / 3, 0, 0]
    )


def test_gaussian_is_the_textbook_one() -> None:
    times = np.array([0.0, 0.1, 0.25, 0.7, 0.8])
    values = np.array([0.3, 0.9, 0.1, 0.4, 0.2])
    weights = np.exp(-0.5 * ((times[:, None] - times) / 0.2) ** 2)  # all within four standard deviations
    expected = (weights * values).sum(1) / weights.sum(1)
    np.testing.assert_allclose(gaussian(values, times, 0.2), expected)


def test_gaussian_ignores_what_is_missing_and_far() -> None:
    values = np.array([1.0, NAN, 1.0, NAN, 5.0])
    times = np.array([0.0, 0.1, 0.2, 50.0, 100.0])
    np.testing.assert_array_equal(gaussian(values, times, 0.1), [1.0, 1.0, 1.0, NAN, 5.0])


@pytest.mark.parametrize("smooth", ["gaussian:0.3", "rolling:0.3"])
def test_nothing_mixes_across_a_jump_back(smooth: str) -> None:
    values = np.array([0.0, 0, 0, 1, 1, 1])
    times = np.array([0.0, 0.1, 0.2, 0.0, 0.1, 0.2])
    for centred in (False, True):
        assert parse_smoothing(smooth).apply(values, times, centred=centred).tolist() == [0, 0, 0, 1, 1, 1]


@given(values=SCORES, sigma=st.floats(0.01, 5))
def test_gaussian_keeps_the_range_and_the_mirror(values: list[float], sigma: float) -> None:
    series, times = np.array(values), uniform(len(values))
    smooth = gaussian(series, times, sigma)
    assert smooth.min() >= series.min() - 1e-12 and smooth.max() <= series.max() + 1e-12
    np.testing.assert_allclose(smooth, gaussian(series[::-1], times, sigma)[::-1], atol=1e-9)


@pytest.mark.parametrize("empty", [np.empty(0), np.array([NAN, NAN])])
def test_nothing_to_smooth(empty: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    times = uniform(len(empty))
    for smoothing in (Smoothing("gaussian", 1.0), Smoothing("rolling", 1.0), Smoothing("none")):
        np.testing.assert_array_equal(smoothing.apply(empty, times), empty)
    assert [len(clip) for clip in normalize([empty], "global")] == [len(empty)]


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="one each"):
        gaussian(uniform(3), uniform(4), 1.0)


@pytest.mark.parametrize("sigma", [0.0, -1.0, NAN, math.inf])
def test_gaussian_needs_a_width(sigma: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        gaussian(uniform(3), uniform(3), sigma)


@pytest.mark.parametrize(
    ("text", "expected", "canonical"),
    [
        ("none", Smoothing("none"), "none"),
        ("rolling:0.5", Smoothing("rolling", 0.5), "rolling:0.5"),
        ("rolling:10", Smoothing("rolling", 10.0), "rolling:10"),
        (" gaussian:1e0 ", Smoothing("gaussian", 1.0), "gaussian:1"),
    ],
)
def test_parse(text: str, expected: Smoothing, canonical: str) -> None:
    assert parse_smoothing(text) == expected
    assert str(expected) == canonical


@given(kind=st.sampled_from(["rolling", "gaussian"]), seconds=st.floats(1e-6, 1e9))
def test_text_round_trip(kind: Kind, seconds: float) -> None:
    smoothing = Smoothing(kind, seconds)
    assert parse_smoothing(str(smoothing)) == smoothing


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rolling",
        "rolling:",
        "rolling:0",
        "rolling:-1",
        "rolling:nan",
        "gaussian:inf",
        "gaussian:x",
        "none:",
        "mean:3",
    ],
)
def test_parse_names_the_accepted_forms(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected rolling:SECONDS .* gaussian:SECONDS .* none"):
        parse_smoothing(text)


@pytest.mark.parametrize(("kind", "seconds"), [("none", 1.0), ("rolling", 0.0), ("median", 1.0)])
def test_smoothing_is_checked(kind: str, seconds: float) -> None:
    with pytest.raises(ValueError, match="smoothing"):
        Smoothing(cast(Kind, kind), seconds)


def test_only_the_gaussian_cannot_run_online() -> None:
    assert [Smoothing("none").causal, Smoothing("rolling", 1).causal, Smoothing("gaussian", 1).causal] == [1, 1, 0]


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("none", [[1, 3, NAN], [5, 5]]),
        ("video", [[0, 1, NAN], [0, 0]]),
        ("global", [[0, 0.5, NAN], [1, 1]]),
    ],
)
def test_normalize(how: Normalization, expected: list[list[float]]) -> None:
    clips = [np.array([1.0, 3.0, NAN]), np.array([5.0, 5.0])]
    for clip, wanted in zip(normalize(clips, how), expected, strict=True):
        np.testing.assert_array_equal(clip, wanted)


def test_normalize_names_the_accepted_forms() -> None:
    assert normalize([], "global") == []
    with pytest.raises(ValueError, match="none, video, global"):
        normalize([], cast(Normalization, "clip"))


def test_gaussian_of_a_reach_that_rounds_is_the_same_from_either_side() -> None:
    values, times = np.array([0.0] * 8 + [1.0]), uniform(9)
    np.testing.assert_allclose(gaussian(values, times, 0.15), gaussian(values[::-1], times, 0.15)[::-1], atol=1e-9)


def test_rolling_mean_weighs_its_values() -> None:
    mean = RollingMean(1.0)
    assert mean.push(0.0, 1.0) == 1.0
    assert mean.push(0.1, 0.0, weight=0.25) == pytest.approx(0.8)
    assert mean.push(0.2, 0.5, weight=0.25) == pytest.approx(1.125 / 1.5)


@pytest.mark.parametrize("weight", [0.0, -1.0, math.nan, math.inf])
def test_rolling_mean_refuses_a_weight_that_weighs_nothing(weight: float) -> None:
    with pytest.raises(ValueError, match="weight"):
        RollingMean(1.0).push(0.0, 1.0, weight=weight)
