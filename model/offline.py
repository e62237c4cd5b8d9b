"""Scores of whole clips with smoothers and normalisations that may look ahead; a live stream has none of these."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model.detector import DetectorConfig
from model.smoothing import Normalization, Smoothing, normalize
from model.states import StateMachine
from model.tables import Row

Align = Literal["last", "centre"]
_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Offline:
    """What is done to the scores of whole clips.

    Attributes:
        align: `last`: a window's score belongs to its last frame (causal); `centre`: to its middle frame.
        smooth: which smoother gives `smoothed`; None: the model's rolling mean.
        normalize: min-max of `smoothed` over each clip, over all, or not at all.
    """

    align: Align = "last"
    smooth: Smoothing | None = None
    normalize: Normalization = "none"

    @property
    def live(self) -> bool:
        """Whether this is the live chain: rows can be written as they come."""
        return self.align == "last" and self.normalize == "none" and (self.smooth is None or self.smooth.causal)

    @property
    def seconds(self) -> float | None:
        """Seconds of the live chain's rolling mean; None: the model's own."""
        if self.smooth is None or not self.smooth.causal:
            return None
        return self.smooth.seconds if self.smooth.kind == "rolling" else 0.0

    def apply(self, rows: Iterable[Row], config: DetectorConfig) -> Iterator[Row]:
        """Rows of the live chain, clip by clip -> rows with `smoothed` and `state` of these options.

        `raw` and `score` move with `align`. States follow the smoothed scores before normalisation, since the
        threshold means nothing after it.

        Rows of one clip are held in memory at a time; of all clips where normalisation is global.
        """
        clips = (_Clip(list(group), config, self) for _, group in groupby(rows, key=lambda row: row.clip))
        if self.normalize == "global":
            held = list(clips)
            for clip, smoothed in zip(held, normalize([c.smoothed for c in held], "global"), strict=True):
                yield from clip.rows(smoothed)
            return
        for clip in clips:
            yield from clip.rows(normalize([clip.smoothed], self.normalize)[0])


class _Clip:
    """The rows of one clip with their columns as arrays."""

    def __init__(self, rows: list[Row], config: DetectorConfig, options: Offline) -> None:
        self._rows = rows
        own = Smoothing("rolling", config.smoothing) if config.smoothing else Smoothing("none")
        smooth = options.smooth or own
        # A warming frame's score is carried from the first window, and is no score for the live chain to smooth.
        self._machine = None if smooth.causal and options.align == "last" else StateMachine(minimum=config.minimum)
        times = np.array([row.time for row in rows])
        half = (config.window - 1) / 2 * config.frame_interval if options.align == "centre" else 0.0
        ahead = _later(times, half)
        self._raw = _column([row.raw for row in rows])[ahead]
        self._score = _column([row.score for row in rows])[ahead]
        if self._machine is None:
            self.smoothed = _column([row.smoothed for row in rows])
        else:
            self.smoothed = smooth.apply(self._score, times, centred=options.align == "centre")
            self.smoothed[np.isnan(self._score)] = np.nan

    def rows(self, smoothed: NDArray[np.float64]) -> Iterator[Row]:
        for index, row in enumerate(self._rows):
            state = row.state
            if self._machine is not None:
                state = self._machine.push(row.time, _number(self.smoothed[index]))
            raw, score = _number(self._raw[index]), _number(self._score[index])
            yield replace(row, raw=raw, score=score, smoothed=_number(smoothed[index]), state=state)


def _later(times: NDArray[np.float64], seconds: float) -> NDArray[np.intp]:
    """For each frame the one so many seconds later, or the last one before the clip ends or its time jumps back."""
    if seconds == 0:
        return np.arange(len(times))
    found, start = [], 0
    for piece in np.split(times, np.flatnonzero(np.diff(times) < 0) + 1):
        later = np.searchsorted(piece, piece + seconds - _TOLERANCE)
        found.append(start + np.minimum(later, len(piece) - 1))
        start += len(piece)
    return np.concatenate(found)


def _column(values: list[float | None]) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
