"""How well scores part abnormal frames from normal ones, frame by frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from model.tables import Row

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]
Labels = Mapping[str, BoolArray]
Values = Mapping[str, FloatArray]


def frame_values(rows: Sequence[Row], column: Literal["smoothed", "score", "raw"] = "smoothed") -> FloatArray:
    """The value each frame is ranked by: float64 (N,), NaN for a frame without one.

    `smoothed` falls back to `score`: while warming, a frame carries the score of the clip's first window.
    """
    if column == "smoothed":
        values = [row.score if row.smoothed is None else row.smoothed for row in rows]
    else:
        values = [getattr(row, column) for row in rows]
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def pool(labels: Labels, values: Values) -> tuple[BoolArray, FloatArray]:
    """All frames of all clips in one: bool (N,) and float64 (N,). Frames without a score (NaN) are left out.

    Args:
        labels: bool (n,) a clip, true where abnormal.
        values: float64 (n,) a clip, higher is more anomalous.

    Raises:
        ValueError: the clips or their lengths differ.
    """
    if labels.keys() != values.keys():
        raise ValueError(f"labels and values of different clips: {sorted(labels.keys() ^ values.keys())}")
    for clip, label in labels.items():
        if label.shape != values[clip].shape:
            raise ValueError(f"clip {clip}: labels {label.shape} and values {values[clip].shape} differ in shape")
    if not labels:
        return np.zeros(0, dtype=np.bool_), np.zeros(0)
    truth = np.concatenate([labels[clip] for clip in labels]).astype(np.bool_)
    value = np.concatenate([values[clip] for clip in labels]).astype(np.float64)
    scored = ~np.isnan(value)
    return truth[scored], value[scored]


def micro_auc(labels: Labels, values: Values) -> float | None:
    """ROC-AUC over the frames of all clips together; None where they are of one class. Unscored frames left out."""
    truth, value = pool(labels, values)
    return float(roc_auc_score(truth, value)) if _two_classes(truth) else None


@dataclass(frozen=True, slots=True)
class MacroAuc:
    """ROC-AUC clip by clip.

    Attributes:
        auc: mean over the clips of both classes; None where there is none.
        clips: that of each of them, by name.
        skipped: clips of one class, which have no ROC-AUC, and clips without a scored frame.
    """

    auc: float | None
    clips: dict[str, float]
    skipped: tuple[str, ...]


def macro_auc(labels: Labels, values: Values) -> MacroAuc:
    """ROC-AUC of each clip, and the mean over the clips with both classes. Unscored frames are left out."""
    each = {clip: micro_auc({clip: labels[clip]}, {clip: values[clip]}) for clip in labels}
    clips = {clip: auc for clip, auc in each.items() if auc is not None}
    return MacroAuc(
        auc=sum(clips.values()) / len(clips) if clips else None,
        clips=clips,
        skipped=tuple(clip for clip in each if clip not in clips),
    )


def average_precision(labels: Labels, values: Values) -> float | None:
    """Area under precision over recall, in steps, without interpolation; None where the frames are of one class.

    A random score gets the base rate, so quote it beside. Unscored frames are left out.
    """
    truth, value = pool(labels, values)
    return float(average_precision_score(truth, value)) if _two_classes(truth) else None


def base_rate(labels: Labels, values: Values) -> float | None:
    """Share of abnormal frames among the scored ones; None where nothing is scored."""
    truth, _ = pool(labels, values)
    return float(truth.mean()) if len(truth) else None


def equal_error_rate(labels: Labels, values: Values) -> float | None:
    """The rate at which false alarms and misses are equally frequent; None where the frames are of one class.

    Interpolated along the ROC curve between the two thresholds around it. Unscored frames are left out.
    """
    truth, value = pool(labels, values)
    if not _two_classes(truth):
        return None
    alarms, hits, _ = roc_curve(truth, value, drop_intermediate=False)
    # Every threshold admits at least one frame, so alarms + hits - 1 rises strictly from -1 to 1.
    return float(np.interp(0.0, alarms + hits - 1, alarms))


@dataclass(frozen=True, slots=True)
class Curves:
    """Points of the ROC and the precision-recall curve, all float64, fractions, with the area under each."""

    false_positive_rate: FloatArray
    true_positive_rate: FloatArray
    recall: FloatArray
    precision: FloatArray
    auc: float
    ap: float


def curves(labels: Labels, values: Values) -> Curves | None:
    """ROC and precision-recall curve over all scored frames; None where they are of one class."""
    truth, value = pool(labels, values)
    if not _two_classes(truth):
        return None
    alarms, hits, _ = roc_curve(truth, value)
    precision, recall, _ = precision_recall_curve(truth, value, drop_intermediate=True)
    return Curves(
        alarms,
        hits,
        recall,
        precision,
        float(roc_auc_score(truth, value)),
        float(average_precision_score(truth, value)),
    )


@dataclass(frozen=True, slots=True)
class FrameMetrics:
    """Frame-level figures of one way to smooth, fractions; None where the frames are of one class."""

    micro_auc: float | None
    macro_auc: float | None
    ap: float | None
    eer: float | None


def frame_metrics(labels: Labels, values: Values) -> FrameMetrics:
    """All frame-level figures of one column of scores. Unscored frames (NaN) are left out."""
    return FrameMetrics(
        micro_auc=micro_auc(labels, values),
        macro_auc=macro_auc(labels, values).auc,
        ap=average_precision(labels, values),
        eer=equal_error_rate(labels, values),
    )


def _two_classes(truth: BoolArray) -> bool:
    return bool(truth.any() and not truth.all())
