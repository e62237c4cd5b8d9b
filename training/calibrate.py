"""The threshold, from held-out normal footage, through the default smoothing and hysteresis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.detector import Calibration, DetectorConfig, Precision
from model.smoothing import rolling_offline
from model.states import StateMachine, count_alarms
from training.events import poisson_bounds

FloatArray = NDArray[np.float64]

_BLOCK_SECONDS = 2.0  # peaks closer than this count as one
_TAIL = 0.2  # part of the peaks that make up the tail
_FARTHEST = 10.0  # theta is carried to at most so many times the highest level seen: tails of few peaks lead anywhere
_GRID = 400


@dataclass(frozen=True, slots=True)
class NormalStretch:
    """Raw scores of an unbroken stretch of normal footage: time stamps in seconds, and raw scores."""

    times: FloatArray
    raw: FloatArray


def calibrate(
    stretches: Sequence[NormalStretch],
    config: DetectorConfig,
    *,
    alarms_per_hour: float,
    precision: Precision,
) -> Calibration:
    """Chooses the smallest theta that keeps to a false-alarm rate on normal footage.

    Where the footage is too short to show the rate (one alarm an hour on ten minutes is no alarm at all), theta is
    carried on along the tail of the footage's own peaks: the logarithms of the peaks above a high level are taken as
    exponential (Hill, 1975), and theta is the level that is exceeded at the rate asked for, at most ten times the
    highest one seen.

    Args:
        stretches: of held-out clips: the model has not learned from them.
        config: its smoothing and minimum duration are what alarms go through.
        alarms_per_hour: false alarms an hour that are acceptable.
        precision: the number format the scores were computed in.

    Raises:
        ValueError: there are no scores.
    """
    stretches = [stretch for stretch in stretches if len(stretch.raw)]
    if not stretches:
        raise ValueError("no scores of held-out footage to calibrate with")
    hours = float(sum(s.times[-1] - s.times[0] + config.frame_interval for s in stretches)) / 3600
    levels = [rolling_offline(s.raw, s.times, config.smoothing) for s in stretches]
    top = max(float(level.max()) for level in levels)
    if top <= 0:  # nothing ever moved
        theta, extrapolated = 1.0, True
    else:
        theta = _seen(stretches, config, top, allowed=math.floor(alarms_per_hour * hours))
        extrapolated = alarms_per_hour * hours < 1
        if extrapolated:
            theta = max(theta, _carried(stretches, levels, hours, alarms_per_hour, most=_FARTHEST * top))
    theta = float(np.float32(theta))
    alarms = _alarms(stretches, config, theta)
    return Calibration(
        theta=theta,
        alarms_per_hour=alarms_per_hour,
        minutes=60 * hours,
        alarms=alarms,
        upper_bound=poisson_bounds(alarms)[1] / hours,
        extrapolated=extrapolated,
        precision=precision,
    )


def _alarms(stretches: Sequence[NormalStretch], config: DetectorConfig, theta: float) -> int:
    machine = StateMachine(minimum=config.minimum)
    return sum(
        count_alarms(s.times, rolling_offline(s.raw / (s.raw + theta), s.times, config.smoothing), machine)
        for s in stretches
    )


def _seen(stretches: Sequence[NormalStretch], config: DetectorConfig, top: float, *, allowed: int) -> float:
    """The smallest theta with at most `allowed` alarms.

    Searched downwards: alarms merge as theta falls, so their number is not monotone further down.
    """
    above = top * 4
    for below in np.geomspace(above, top / 100, _GRID):
        if _alarms(stretches, config, float(below)) > allowed:
            break
        above = float(below)
    return above


def _carried(
    stretches: Sequence[NormalStretch],
    levels: Sequence[FloatArray],
    hours: float,
    alarms_per_hour: float,
    *,
    most: float,
) -> float:
    """The level that the peaks' tail exceeds at the rate asked for, or `most`.

    Only of blocks in which something moved: a block at 0 has no logarithm, and where a camera mostly sees nothing move,
    the tail would begin among these.
    """
    peaks = []
    for stretch, level in zip(stretches, levels, strict=True):
        blocks = ((stretch.times - stretch.times[0]) // _BLOCK_SECONDS).astype(np.int64)
        for block in np.unique(blocks):
            peaks.append(float(level[blocks == block].max()))
    ordered = np.log(np.sort([peak for peak in peaks if peak > 0])[::-1])
    count = min(len(ordered) - 1, max(5, round(_TAIL * len(ordered))))
    if count < 1:
        return math.exp(ordered[0])
    base = ordered[count]
    scale = float((ordered[:count] - base).mean())
    carried = base + scale * math.log(max(1.0, count / hours / alarms_per_hour))
    return math.exp(carried) if carried < math.log(most) else most
