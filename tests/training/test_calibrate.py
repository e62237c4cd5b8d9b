"""The threshold on made-up normal footage: as low as the stated false-alarm rate allows, and honest about its basis."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from model.detector import Calibration, DetectorConfig
from model.smoothing import rolling_offline
from model.states import StateMachine, count_alarms
from tests.model.detectors import config
from training.calibrate import NormalStretch, calibrate

CONFIG = config(smoothing=0.5, minimum=0.2)
STEP = CONFIG.frame_interval


def footage(minutes: float, *bursts: float, seconds: float = 5.0, base: float = 0.1) -> NormalStretch:
    """Quiet footage with some bursts, each of a height of its own, evenly apart."""
    raw = np.full(round(minutes * 60 / STEP), base, np.float64)
    length = round(seconds / STEP)
    for index, height in enumerate(bursts, start=1):
        at = index * len(raw) // (len(bursts) + 1)
        raw[at : at + length] = height
    return stretch(raw)


def stretch(raw: NDArray[np.float64], start: float = 0.0) -> NormalStretch:
    return NormalStretch(start + np.arange(len(raw), dtype=np.float64) * STEP, raw)


def calibrated(*stretches: NormalStretch, rate: float = 1.0, settings: DetectorConfig = CONFIG) -> Calibration:
    return calibrate(stretches, settings, alarms_per_hour=rate, precision="bfloat16")


def alarms(stretches: Sequence[NormalStretch], theta: float) -> int:
    """What the live chain announces at a threshold."""
    machine = StateMachine(minimum=CONFIG.minimum)
    return sum(
        count_alarms(s.times, rolling_offline(s.raw / (s.raw + theta), s.times, CONFIG.smoothing), machine)
        for s in stretches
    )


@pytest.mark.parametrize(
    ("minutes", "rate", "between"),
    [
        (60, 1.0, (3.0, 4.0)),  # one alarm is allowed: the highest burst
        (120, 1.0, (2.0, 3.0)),
        (60, 3.0, (1.0, 2.0)),
        (180, 1.0, (1.0, 2.0)),
    ],
)
def test_the_threshold_lies_between_the_bursts_that_it_lets_through_and_the_others(
    minutes: float, rate: float, between: tuple[float, float]
) -> None:
    normal = footage(minutes, 1.0, 3.0, 2.0, 4.0)
    found = calibrated(normal, rate=rate)
    assert between[0] < found.theta < between[1]
    assert found.theta < between[0] * 1.05  # no higher than need be
    assert found.alarms == alarms([normal], found.theta) == round(rate * minutes / 60)
    assert not found.extrapolated


@pytest.mark.parametrize("base", [0.0, 0.001], ids=["nothing moves", "next to nothing moves"])
@pytest.mark.parametrize(("minutes", "bursts"), [(6, 12), (6, 2), (0.2, 1), (30, 5)])
def test_a_camera_that_mostly_sees_nothing_move_gets_a_threshold_that_can_be_reached(
    minutes: float, bursts: int, base: float
) -> None:
    """Its few passers-by are the tail, and not what lies between them and the still footage."""
    found = calibrated(footage(minutes, *np.linspace(0.8, 1.2, bursts), seconds=3.0, base=base))
    assert found.extrapolated
    assert found.alarms == 0
    assert 0.5 < found.theta <= 12.0


def test_the_rate_is_that_of_all_stretches_together() -> None:
    halves = [footage(30, 1.0, 3.0), stretch(footage(30, 2.0, 4.0).raw, start=500.0)]
    found = calibrated(*halves)
    assert 3.0 < found.theta < 4.0
    assert found.minutes == pytest.approx(60)


def test_a_burst_shorter_than_the_minimum_duration_is_no_alarm() -> None:
    long, short = (calibrated(footage(120, 9.0, 1.0, 1.0, seconds=s), rate=0.5).theta for s in (5.0, 0.1))
    assert short < long


@pytest.mark.parametrize("minutes", [12.0, 59.0, 60.0, 61.0])
def test_under_an_hour_of_footage_is_called_insufficient(minutes: float) -> None:
    found = calibrated(footage(minutes, 1.0, 2.0))
    assert found.minutes == pytest.approx(minutes)
    assert found.sufficient == (minutes >= 60)


@pytest.mark.parametrize(
    ("count", "upper"), [(0, 3.689), (1, 5.572), (2, 7.225), (3, 8.767)]
)  # Garwood's table, two-sided 95 %
def test_the_bound_is_that_of_a_poisson_count(count: int, upper: float) -> None:
    hours = 2.0
    normal = footage(60 * hours, *[1.0 + index for index in range(6)])
    found = calibrated(normal, rate=count / hours + 0.01)
    assert found.alarms == count
    assert found.upper_bound == pytest.approx(upper / hours, abs=1e-3)


def test_a_rate_that_the_footage_is_too_short_to_show_is_carried_on_beyond_it() -> None:
    normal = footage(10, 1.0, 2.0, 3.0, 4.0)
    found = calibrated(normal)
    assert found.extrapolated
    assert found.alarms == 0
    assert found.theta > 4.0


@pytest.mark.parametrize("seed", range(5))
def test_the_tail_is_carried_on_as_far_as_it_goes(seed: int) -> None:
    """Peaks with a Pareto tail: the level that one in an hour exceeds is known; no peak that was seen is above it."""
    generator = np.random.default_rng(seed)
    minutes, block = 20.0, 2.0
    blocks = round(minutes * 60 / block)
    shape = 4.0
    peaks = np.repeat((1 - generator.random(blocks)) ** (-1 / shape), round(block / STEP))
    found = calibrated(stretch(peaks), rate=1.0)
    expected = max((3600 / block) ** (1 / shape), float(peaks.max()))
    assert expected / 1.5 < found.theta < expected * 1.5


def test_fewer_alarms_want_a_higher_threshold() -> None:
    normal = footage(30, *np.linspace(1, 3, 9).tolist())
    thetas = [calibrated(normal, rate=rate).theta for rate in (0.1, 0.5, 1.0, 4.0, 16.0)]
    assert thetas == sorted(thetas, reverse=True)
    assert thetas[0] > thetas[-1]


def test_the_unit_of_the_error_does_not_matter() -> None:
    normal = footage(30, 1.0, 2.0, 3.0)
    scaled = NormalStretch(normal.times, 1000 * normal.raw)
    assert calibrated(scaled).theta == pytest.approx(1000 * calibrated(normal).theta, rel=1e-3)


def test_footage_in_which_nothing_moves_has_a_threshold_that_rests_on_nothing() -> None:
    found = calibrated(stretch(np.zeros(600)))
    assert found.theta == 1.0
    assert found.extrapolated
    assert found.alarms == 0
    assert not found.sufficient


@pytest.mark.parametrize("frames", [1, 2, 30])
def test_very_short_footage_still_gives_a_threshold(frames: int) -> None:
    found = calibrated(stretch(np.linspace(0.5, 1.0, frames)))
    assert math.isfinite(found.theta)
    assert found.theta >= 0.5
    assert found.minutes == pytest.approx(frames * STEP / 60)


@pytest.mark.parametrize("stretches", [[], [stretch(np.zeros(0))]], ids=["none", "empty"])
def test_no_footage_is_no_calibration(stretches: list[NormalStretch]) -> None:
    with pytest.raises(ValueError, match="no scores of held-out footage"):
        calibrated(*stretches)


def test_the_threshold_survives_its_checkpoint_and_says_its_precision() -> None:
    found = calibrated(footage(5, 1.7))
    assert found.theta == float(np.float32(found.theta))
    assert found.precision == "bfloat16"
    assert found.alarms_per_hour == 1.0
