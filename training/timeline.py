"""The scores of clips of any length in bounded memory, with the pictures of their peaks: what a timeline shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from model.states import State
from model.tables import Row

TIMELINES = 12
"""Clips of a score plot."""

PEAKS = 4
"""Pictures of peaks a clip."""

THUMBNAIL = 320
"""Longer side of such a picture, pixels."""

_BIN = np.dtype(
    [("start", "f8"), ("score", "f8"), ("smoothed", "f8"), ("anomalous", "?"), ("warming", "?"), ("labelled", "?")]
)


@dataclass(frozen=True, slots=True)
class Peak:
    """The frame of the highest value in a stretch of a clip.

    Attributes:
        frame: frame number.
        time: seconds.
        value: `smoothed`, or `score` while there is none.
        warming: there was no `smoothed`; ranks below every frame that has one.
        image: uint8, H×W or H×W×3 RGB, at most `THUMBNAIL` pixels a side; None if none was given.
        heat: float32 (h, w), >= 0; None if none was given.
    """

    frame: int
    time: float
    value: float
    warming: bool
    image: NDArray[np.uint8] | None
    heat: NDArray[np.float32] | None


class ClipTimeline:
    """The scores of one clip of any length, in bounded memory: the highest of each of up to 2×`points` stretches.

    Stretches are merged in pairs, keeping the higher value, whenever they run out. Pictures are kept likewise, of the
    highest frame of each of at most 48 stretches.
    """

    _STRETCHES = 48

    def __init__(self, clip: str, *, points: int = 1000, labelled: bool = False) -> None:
        self.clip = clip
        self.frames = 0
        self.last = 0.0
        self.has_labels = labelled
        self._bins = np.zeros(2 * points, dtype=_BIN)
        self._stride = 1
        self._peaks: list[Peak] = []
        self._peak_stride = 1

    @classmethod
    def from_rows(cls, clip: str, rows: Sequence[Row], labels: NDArray[np.bool_] | None = None) -> ClipTimeline:
        """From the rows of a clip, in order, and their labels, bool (N,), where there are any."""
        timeline = cls(clip, labelled=labels is not None)
        for index, row in enumerate(rows):
            timeline.add(row, abnormal=labels is not None and bool(labels[index]))
        return timeline

    def add(
        self,
        row: Row,
        *,
        abnormal: bool = False,
        image: NDArray[np.uint8] | None = None,
        heat: NDArray[np.float32] | None = None,
    ) -> None:
        """Takes the next frame.

        Args:
            row: its scores.
            abnormal: its label.
            image: its picture, uint8 H×W or H×W×3 BGR; copied only where it is a peak so far.
            heat: its heat map, float32 (h, w), >= 0.
        """
        if self.frames == len(self._bins) * self._stride:
            self._merge()
        index, fresh = divmod(self.frames, self._stride)
        entry = self._bins[index]
        if fresh == 0:
            entry["start"], entry["score"], entry["smoothed"] = row.time, np.nan, np.nan
        entry["score"] = np.fmax(entry["score"], np.nan if row.score is None else row.score)
        entry["smoothed"] = np.fmax(entry["smoothed"], np.nan if row.smoothed is None else row.smoothed)
        entry["anomalous"] |= row.state is State.ANOMALOUS
        entry["warming"] |= row.state is State.WARMING
        entry["labelled"] |= abnormal
        self._add_peak(row, image, heat)
        self.frames += 1
        self.last = row.time

    def _merge(self) -> None:
        pairs = self._bins.reshape(-1, 2)
        half = len(pairs)
        merged = pairs[:, 0].copy()
        for name in ("score", "smoothed"):
            merged[name] = np.fmax(pairs[name][:, 0], pairs[name][:, 1])
        for name in ("anomalous", "warming", "labelled"):
            merged[name] = pairs[name].any(axis=1)
        self._bins[:half] = merged
        self._bins[half:] = np.zeros((), dtype=_BIN)
        self._stride *= 2

    def _add_peak(self, row: Row, image: NDArray[np.uint8] | None, heat: NDArray[np.float32] | None) -> None:
        value = row.score if row.smoothed is None else row.smoothed
        peak = Peak(row.frame, row.time, -1.0 if value is None else value, row.smoothed is None, None, None)
        if self.frames == self._STRETCHES * self._peak_stride:
            self._peaks = [max(pair, key=_rank) for pair in zip(self._peaks[::2], self._peaks[1::2], strict=True)]
            self._peak_stride *= 2
        fresh = self.frames % self._peak_stride == 0
        if not fresh and _rank(peak) <= _rank(self._peaks[-1]):
            return
        if image is not None:
            peak = replace(peak, image=_thumbnail(image), heat=None if heat is None else heat.copy())
        if fresh:
            self._peaks.append(peak)
        else:
            self._peaks[-1] = peak

    @property
    def highest(self) -> float:
        """The highest value of the clip; -1 without any score."""
        return max(self._peaks, key=_rank).value if self._peaks else -1.0

    def points(self) -> tuple[NDArray[np.void], NDArray[np.float64]]:
        """(stretches, their ends in seconds): a structured array of start, score, smoothed, anomalous, ..."""
        bins = self._bins[: -(-self.frames // self._stride)]
        starts = bins["start"]
        step = float(np.median(np.diff(starts))) if len(starts) > 1 else 0.1
        last = max(self.last, float(starts[-1])) + step / self._stride if len(starts) else 0.0
        return bins, np.append(starts[1:], last)

    def peaks(self, most: int = PEAKS) -> list[Peak]:
        """The highest separate peaks that have a picture, in time order: local maxima, 1/12 of the clip apart."""
        if not self._peaks:
            return []
        apart = (self._peaks[-1].time - self._peaks[0].time) / 12
        lowest = (False, -1.0)
        ranks = [lowest, *map(_rank, self._peaks), lowest]
        maxima = [p for i, p in enumerate(self._peaks) if ranks[i] < ranks[i + 1] >= ranks[i + 2]]
        settled = any(not peak.warming for peak in maxima)
        chosen: list[Peak] = []
        for peak in sorted(maxima, key=_rank, reverse=True):
            if peak.image is None or peak.value < 0 or (settled and peak.warming):
                continue
            if len(chosen) < most and all(abs(peak.time - other.time) >= apart for other in chosen):
                chosen.append(peak)
        return sorted(chosen, key=lambda peak: peak.time)


class TimelineRecorder:
    """Gathers what `plot_timeline` draws while frames are scored, clip after clip, keeping only the highest clips.

    Args:
        clips: how many clips to keep.
    """

    def __init__(self, clips: int = TIMELINES) -> None:
        self.timelines: list[ClipTimeline] = []
        self.left_out = 0
        self._clips = clips

    def add(self, row: Row, *, image: NDArray[np.uint8] | None = None, heat: NDArray[np.float32] | None = None) -> None:
        """Takes the next frame, as `ClipTimeline.add`; a new clip begins where the clip's name changes."""
        if not self.timelines or self.timelines[-1].clip != row.clip:
            if len(self.timelines) > self._clips:  # one more than wanted: the last one was not yet known in full
                self.timelines.remove(min(self.timelines, key=lambda timeline: timeline.highest))
                self.left_out += 1
            self.timelines.append(ClipTimeline(row.clip))
        self.timelines[-1].add(row, image=image, heat=heat)


def _thumbnail(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    shrink = min(1.0, THUMBNAIL / max(image.shape[:2]))
    size = (max(1, round(image.shape[1] * shrink)), max(1, round(image.shape[0] * shrink)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(small[..., ::-1] if small.ndim == 3 else small, dtype=np.uint8)


def _rank(peak: Peak) -> tuple[bool, float]:
    return not peak.warming, peak.value
