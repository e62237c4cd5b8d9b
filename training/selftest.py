"""The self-test: held-out normal clips made abnormal on purpose, and how many of them the model catches.

No labels are needed, so settings are chosen by it, and a user sees what the model is good for on the own camera.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from model.clips import Clip
from model.detector import Detector
from model.scoring import ClipScorer
from model.states import State
from training.corrupt import Altered, Backwards, DoubleSpeed, ForeignObject

EPISODE_SECONDS = 5.0
"""Footage that is abnormal throughout is counted in episodes of this length."""


@dataclass(frozen=True, slots=True)
class SelfTest:
    """How one kind of made anomaly is caught.

    Attributes:
        kind: what was done to the clips.
        caught: episodes with the state `anomalous` in them.
        episodes: how many there were.
        auc: ROC-AUC of abnormal frames against the normal ones of the same clips; None without both.
    """

    kind: str
    caught: int
    episodes: int
    auc: float | None


_KINDS: dict[str, Callable[[Clip, int], Altered]] = {
    "double speed": DoubleSpeed,
    "backwards": Backwards,
    "foreign object": ForeignObject,
}


@dataclass(frozen=True, slots=True)
class _Frames:
    values: NDArray[np.float64]  # smoothed, NaN while warming
    times: NDArray[np.float64]
    anomalous: NDArray[np.bool_]


def self_test(
    detector: Detector,
    clips: Sequence[Clip],
    *,
    seed: int = 0,
    skip_bad: bool = False,
    on_frame: Callable[[], object] | None = None,
) -> list[SelfTest]:
    """Scores held-out normal clips as they are and made abnormal in three ways, at the detector's own threshold."""

    def run(sources: Iterable[Clip]) -> list[_Frames]:
        return [_score(detector, clip, skip_bad, on_frame) for clip in sources]

    normal = np.concatenate([frames.values for frames in run(clips)])
    normal = normal[~np.isnan(normal)]
    results = []
    for kind, make in _KINDS.items():
        altered = [make(clip, seed) for clip in clips]
        caught = episodes = 0
        abnormal = []
        for source, frames in zip(altered, run(altered), strict=True):
            if isinstance(source, ForeignObject):
                labels = source.labels(len(frames.values))
                edges = np.flatnonzero(np.diff(np.r_[False, labels, False].astype(np.int8)))
                spans = [slice(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
            else:
                labels = np.ones(len(frames.values), dtype=bool)
                cuts = np.flatnonzero(np.diff((frames.times - frames.times[:1]) // EPISODE_SECONDS)) + 1
                spans = [slice(int(a), int(b)) for a, b in zip([0, *cuts], [*cuts, len(labels)], strict=True)]
            known = ~np.isnan(frames.values)
            spans = [span for span in spans if known[span].any()]
            episodes += len(spans)
            caught += sum(bool(frames.anomalous[span].any()) for span in spans)
            abnormal.append(frames.values[labels & known])
        values = np.concatenate(abnormal) if abnormal else np.empty(0)
        auc = None
        if len(values) and len(normal):
            truth = np.r_[np.zeros(len(normal)), np.ones(len(values))]
            auc = float(roc_auc_score(truth, np.r_[normal, values]))
        results.append(SelfTest(kind, caught, episodes, auc))
    return results


def _score(detector: Detector, clip: Clip, skip_bad: bool, on_frame: Callable[[], object] | None) -> _Frames:
    values, times, anomalous = [], [], []
    for scored in ClipScorer(detector).score(clip, skip_bad=skip_bad):
        row = scored.row
        values.append(np.nan if row.smoothed is None else row.smoothed)
        times.append(row.time)
        anomalous.append(row.state is State.ANOMALOUS)
        if on_frame is not None:
            on_frame()
    return _Frames(np.array(values), np.array(times), np.array(anomalous, dtype=bool))
