"""Smoothing of scores: the online rolling mean, and the offline smoothers, which may look ahead."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.float64]
Kind = Literal["rolling", "gaussian", "none"]
Normalization = Literal["none", "video", "global"]

_TOLERANCE = 1e-9
"""Of the window: frames at exact spacing count as exact, so 0.5 s at 10 frames a second are 5 frames."""

_ULPS = 4
"""Rounding errors of a difference of two time stamps."""

_MAX_VALUES = 1 << 17
"""Bound of the online mean's memory, over an hour at 30 frames a second."""

_REACH = 4.0
"""Standard deviations at which the Gaussian is cut off."""


class RollingMean:
    """Weighted mean of the last seconds of one stream, online and causal.

    Every mean is summed afresh without rounding error, so months of values leave no drift.
    """

    def __init__(self, seconds: float) -> None:
        """Makes an empty mean.

        Args:
            seconds: length of the window; 0: no smoothing.

        Raises:
            ValueError: if the length is negative or not finite.
        """
        if not (math.isfinite(seconds) and seconds >= 0):
            raise ValueError(f"rolling mean over {seconds!r} s: expected seconds, 0 or more")
        self.seconds = seconds
        self._window: deque[tuple[float, float, float]] = deque(maxlen=_MAX_VALUES)

    def push(self, pts: float, value: float, *, weight: float = 1.0) -> float:
        """Adds a value and gives the mean of those whose time stamps lie in (pts - seconds, pts].

        Args:
            pts: seconds. After a jump back the values of the future are gone.
            value: the score at that time.
            weight: how much it counts, above 0.

        Raises:
            ValueError: if one of them is not finite, or the weight not above 0; the mean is as before.
        """
        if not (math.isfinite(pts) and math.isfinite(value)):
            raise ValueError(f"value {value!r} at {pts!r} s: expected finite numbers")
        if not (math.isfinite(weight) and weight > 0):
            raise ValueError(f"weight {weight!r}: expected a number above 0")
        window = self._window
        while window and window[-1][0] > pts:
            window.pop()
        oldest = self.seconds - _slack(self.seconds, pts)
        while window and pts - window[0][0] >= oldest:
            window.popleft()
        window.append((pts, value, weight))
        values = [known for _, known, _ in window]
        mean = math.fsum(known * share for _, known, share in window) / math.fsum(share for *_, share in window)
        # The division rounds: without the bounds a constant 0.45 could come out just below the level 0.45.
        return min(max(mean, min(values)), max(values))

    def reset(self) -> None:
        """Forgets all values: the stream begins anew."""
        self._window.clear()


@dataclass(frozen=True, slots=True)
class Smoothing:
    """A smoother by name, as `--smooth` takes it; `str()` gives what `parse_smoothing` reads.

    Attributes:
        kind: rolling mean, Gaussian (offline only) or none.
        seconds: length of the rolling mean, or the Gaussian's standard deviation; 0 for none.
    """

    kind: Kind
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"smoothing {self.kind!r}: expected one of {', '.join(get_args(Kind))}")
        if self.kind == "none":
            if self.seconds != 0:
                raise ValueError("smoothing none takes no seconds")
        elif not (math.isfinite(self.seconds) and self.seconds > 0):
            raise ValueError(f"{self.kind} smoothing over {self.seconds!r} s: expected a positive number of seconds")

    def __str__(self) -> str:
        return self.kind if self.kind == "none" else f"{self.kind}:{float(self.seconds)!r}".removesuffix(".0")

    @property
    def causal(self) -> bool:
        """Whether it can run online."""
        return self.kind != "gaussian"

    def apply(self, values: Series, times: Series, *, centred: bool = False) -> Series:
        """Smooths one clip; see `gaussian` and `rolling_offline`. Clips never mix: call it for each."""
        if self.kind == "gaussian":
            return gaussian(values, times, self.seconds)
        if self.kind == "rolling":
            return rolling_offline(values, times, self.seconds, centred=centred)
        return values.copy()


def parse_smoothing(text: str) -> Smoothing:
    """Reads `rolling:SECONDS`, `gaussian:SECONDS` or `none`.

    Raises:
        ValueError: for anything else, with the accepted forms.
    """
    kind, colon, number = text.strip().partition(":")
    try:
        if kind == "none" and not colon:
            return Smoothing("none")
        if kind == "rolling":
            return Smoothing("rolling", float(number))
        if kind == "gaussian":
            return Smoothing("gaussian", float(number))
    except ValueError:
        pass
    raise ValueError(
        f"smoothing {text!r}: expected rolling:SECONDS (mean of the last seconds), gaussian:SECONDS (standard "
        "deviation; looks ahead) or none, with SECONDS positive, for example rolling:0.5"
    )


def gaussian(values: Series, times: Series, sigma_seconds: float) -> Series:
    """Gaussian mean over time, looking ahead as far as back; for one clip.

    Args:
        values: N values; NaN is ignored.
        times: N time stamps, seconds. A jump back splits the clip: the two sides do not mix.
        sigma_seconds: standard deviation; the kernel is cut off at four of them and normalised to the known values.

    Returns:
        N values, NaN where no value is known within reach.

    Raises:
        ValueError: if the standard deviation is not positive and finite, or times and values differ in length.
    """
    if not (math.isfinite(sigma_seconds) and sigma_seconds > 0):
        raise ValueError(f"gaussian smoothing over {sigma_seconds!r} s: expected a positive number of seconds")

    def weight(distance: Series) -> Series:
        scaled = distance / sigma_seconds
        # Time stamps round: a distance of just the reach is within it, from either side.
        return np.where(scaled <= _REACH * (1 + _TOLERANCE), np.exp(-0.5 * np.minimum(scaled, _REACH) ** 2), 0.0)

    return _weighted_mean(values, times, weight, ahead=True)


def rolling_offline(values: Series, times: Series, seconds: float, *, centred: bool = False) -> Series:
    """Rolling mean of a whole clip at once.

    Args:
        values: N values; NaN is ignored.
        times: N time stamps, seconds. A jump back splits the clip: the two sides do not mix.
        seconds: length of the window; 0: no smoothing.
        centred: half of the window lies ahead, [t - seconds / 2, t + seconds / 2]; otherwise the window is that of
            `RollingMean`, (t - seconds, t], and so is the mean, up to rounding.

    Returns:
        N values, NaN where no value is known in the window.

    Raises:
        ValueError: if the length is negative or not finite, or times and values differ in length.
    """
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ValueError(f"rolling mean over {seconds!r} s: expected seconds, 0 or more")
    if seconds == 0:
        return values.copy()
    slack = _slack(seconds, float(np.abs(times).max(initial=0.0)))

    def weight(distance: Series) -> Series:
        near = distance <= seconds / 2 + slack if centred else distance < seconds - slack
        return near.astype(np.float64)

    return _weighted_mean(values, times, weight, ahead=centred)


def normalize(clips: Sequence[Series], how: Normalization) -> list[Series]:
    """Min-max normalisation to [0, 1]; offline only.

    Args:
        clips: the values of every clip; NaN stays NaN and counts for nothing.
        how: `video`: each clip by its own range; `global`: all by the common range; `none`: as they are. Values
            without a range (a constant clip) become 0.

    Raises:
        ValueError: for another `how`.
    """
    if how == "none":
        return [clip.copy() for clip in clips]
    if how == "video":
        return [_min_max(clip, clip) for clip in clips]
    if how == "global":
        everything = np.concatenate([*clips, np.empty(0)])
        return [_min_max(clip, everything) for clip in clips]
    raise ValueError(f"normalization {how!r}: expected one of {', '.join(get_args(Normalization))}")


def _min_max(values: Series, whole: Series) -> Series:
    known = whole[~np.isnan(whole)]
    low, high = known.min(initial=math.inf), known.max(initial=-math.inf)
    if low >= high:
        return np.where(np.isnan(values), math.nan, 0.0)
    scaled: Series = (values - low) / (high - low)
    return scaled


def _slack(seconds: float, pts: float) -> float:
    """How far a difference of time stamps around `pts` may be off and still count as exact, seconds."""
    return min(_TOLERANCE * seconds + _ULPS * math.ulp(pts), 0.01 * seconds)


def _weighted_mean(values: Series, times: Series, weight: Callable[[Series], Series], *, ahead: bool) -> Series:
    """Mean of the known values, weighted by distance in time; `weight` falls with distance and ends at 0."""
    if values.shape != times.shape or values.ndim != 1:
        raise ValueError(f"{times.shape} time stamps for {values.shape} values: expected one each")
    jumps = np.flatnonzero(np.diff(times) < 0) + 1
    if len(jumps):
        pieces = zip(np.split(values, jumps), np.split(times, jumps), strict=True)
        return np.concatenate([_weighted_mean(*piece, weight, ahead=ahead) for piece in pieces])
    known = ~np.isnan(values)
    filled = np.where(known, values, 0.0)
    total, mass = filled.copy(), known.astype(np.float64)
    for offset in range(1, len(values)):
        weights = weight(times[offset:] - times[:-offset])
        if not weights.any():
            break
        total[offset:] += weights * filled[:-offset]
        mass[offset:] += weights * known[:-offset]
        if ahead:
            total[:-offset] += weights * filled[offset:]
            mass[:-offset] += weights * known[offset:]
    # No mass: an unknown frame whose neighbours are all unknown or out of reach.
    mean = np.full(len(values), math.nan)
    np.divide(total, mass, out=mean, where=mass > 0)
    return mean
