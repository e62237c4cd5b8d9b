"""Alarms against labelled events: recall, false alarms an hour, delay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from model.states import State
from model.tables import Row

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ClipStates:
    """What was announced and what was true, frame by frame, in time order.

    Attributes:
        times: float64 (N,), seconds, ascending.
        anomalous: bool (N,), the state was anomalous.
        labels: bool (N,), the frame is abnormal.
        scored: bool (N,), the frame has a score; the others are left out of everything.
    """

    times: NDArray[np.float64]
    anomalous: BoolArray
    labels: BoolArray
    scored: BoolArray

    @classmethod
    def from_rows(cls, rows: Sequence[Row], labels: BoolArray) -> ClipStates:
        """From the rows of one clip, in time order, and their labels, bool (N,); rows without a score are left out."""
        return cls(
            times=np.array([row.time for row in rows], dtype=np.float64),
            anomalous=np.array([row.state is State.ANOMALOUS for row in rows], dtype=np.bool_),
            labels=np.asarray(labels, dtype=np.bool_),
            scored=np.array([row.score is not None for row in rows], dtype=np.bool_),
        )

    def __post_init__(self) -> None:
        sizes = {len(self.times), len(self.anomalous), len(self.labels), len(self.scored)}
        if len(sizes) > 1:
            raise ValueError(f"times, anomalous, labels and scored must have one length, not {sorted(sizes)}")


@dataclass(frozen=True, slots=True)
class EventMetrics:
    """How the alarms of a checkpoint's own threshold fare.

    Attributes:
        events: labelled events, a run of abnormal frames each.
        detected: those during which the state was anomalous at least once.
        false_alarms: anomalous episodes that overlap no abnormal frame.
        false_alarms_95: exact 95 % Poisson bounds on that count.
        normal_minutes: minutes of normal footage that `false_alarms` rests on.
        median_delay_s: seconds from an event's start to its first anomalous frame, median over the detected events;
            None where none is detected.
    """

    events: int
    detected: int
    false_alarms: int
    false_alarms_95: tuple[float, float]
    normal_minutes: float
    median_delay_s: float | None

    @property
    def recall(self) -> float | None:
        """`detected / events`; None without events."""
        return self.detected / self.events if self.events else None

    @property
    def false_alarms_per_hour(self) -> float | None:
        """False alarms an hour of normal footage; None without any."""
        return self.false_alarms * 60 / self.normal_minutes if self.normal_minutes else None

    @property
    def false_alarms_per_hour_95(self) -> tuple[float, float] | None:
        """Exact 95 % Poisson bounds on the false alarms an hour; None without normal footage."""
        if not self.normal_minutes:
            return None
        low, high = self.false_alarms_95
        return low * 60 / self.normal_minutes, high * 60 / self.normal_minutes


def event_metrics(clips: Sequence[ClipStates]) -> EventMetrics:
    """Events, detections and false alarms, pooled over clips.

    Frames without a score are left out: an event none of whose frames has a score is not counted, and an unscored
    frame neither ends an anomalous episode nor adds to the normal footage.
    """
    events = false_alarms = 0
    normal_seconds = 0.0
    delays: list[float] = []
    for clip in clips:
        for start, stop in runs(clip.labels):
            if not clip.scored[start:stop].any():
                continue
            events += 1
            alarms = np.flatnonzero((clip.anomalous & clip.scored)[start:stop])
            if len(alarms):
                delays.append(float(clip.times[start + alarms[0]] - clip.times[start]))
        labels = clip.labels[clip.scored]
        false_alarms += sum(not labels[start:stop].any() for start, stop in runs(clip.anomalous[clip.scored]))
        normal_seconds += float(frame_seconds(clip.times)[clip.scored & ~clip.labels].sum())
    return EventMetrics(
        events=events,
        detected=len(delays),
        false_alarms=false_alarms,
        false_alarms_95=poisson_bounds(false_alarms),
        normal_minutes=normal_seconds / 60,
        median_delay_s=float(np.median(delays)) if delays else None,
    )


def runs(flags: BoolArray) -> list[tuple[int, int]]:
    """(start, stop) of every run of true in bool (N,); stop is one past the end."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def frame_seconds(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """How long each frame lasts, seconds: float64 (N,), from time stamps (N,).

    To the next frame; the last one, and one before a hole (over twice the median step) or before a jump back, last the
    median step, so that missing footage is not counted. The length of a clip of one frame is unknown: 0.
    """
    if len(times) < 2:
        return np.zeros(len(times))
    steps = np.diff(times)
    typical = float(np.median(steps))
    return np.append(np.where((steps < 0) | (steps > 2 * typical), typical, steps), typical)


def poisson_bounds(count: int, confidence: float = 0.95) -> tuple[float, float]:
    """Exact two-sided bounds on the mean of a Poisson count (Garwood, Biometrika 1936)."""
    tail = (1 - confidence) / 2
    low = float(chi2.ppf(tail, 2 * count)) / 2 if count else 0.0
    return low, float(chi2.ppf(1 - tail, 2 * count + 2)) / 2
