"""How well scores part abnormal frames from normal ones: frame by frame, pixel by pixel, and as one report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from model.tables import Row
from training.events import EventMetrics

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


class PixelAuc:
    """ROC-AUC of heat maps over all pixels of all frames together, in bounded memory.

    Pixels are counted by the leading bits of their float32 value: the bit pattern of a non-negative float rises with
    its value, so this is a histogram with the same relative resolution (1/2048) at every scale and a bin for zero,
    and no range to choose. Values within a bin count as ties. 8 MiB, whatever the footage.

    Args:
        interpolation: how a heat map's cells are brought to the mask's size.
    """

    _DROPPED_BITS = 12
    _BINS = (0x7F800000 >> _DROPPED_BITS) + 1  # up to infinity

    def __init__(self, interpolation: Literal["bilinear", "nearest"] = "bilinear") -> None:
        self._interpolation = cv2.INTER_LINEAR if interpolation == "bilinear" else cv2.INTER_NEAREST_EXACT
        self._abnormal = np.zeros(self._BINS, dtype=np.int64)
        self._all = np.zeros(self._BINS, dtype=np.int64)

    def add(self, heat: NDArray[np.float32], mask: BoolArray) -> None:
        """Counts one frame.

        Args:
            heat: float32 (h, w), >= 0, higher is more anomalous; covers the whole picture.
            mask: bool (H, W), true where abnormal.

        Raises:
            ValueError: wrong shapes, or a heat that is negative or not finite.
        """
        if heat.ndim != 2 or mask.ndim != 2 or not heat.size or not mask.size:
            raise ValueError(f"heat and mask must be h×w and H×W; they are {heat.shape} and {mask.shape}")
        if not ((heat >= 0) & (heat < np.inf)).all():
            raise ValueError("a heat map must be >= 0 and finite everywhere")
        size = (mask.shape[1], mask.shape[0])
        pixels = cv2.resize(heat.astype(np.float32), size, interpolation=self._interpolation)
        bins = (np.abs(pixels).view(np.int32) >> self._DROPPED_BITS).ravel()  # abs: -0.0 has the sign bit set
        self._count(self._all, bins)
        self._count(self._abnormal, bins[mask.ravel()])

    @staticmethod
    def _count(histogram: NDArray[np.int64], bins: NDArray[np.int32]) -> None:
        counts = np.bincount(bins)
        histogram[: len(counts)] += counts

    def value(self) -> float | None:
        """The ROC-AUC so far; None while the pixels are of one class."""
        abnormal = self._abnormal.astype(np.float64)
        normal = (self._all - self._abnormal).astype(np.float64)
        pairs = abnormal.sum() * normal.sum()
        if not pairs:
            return None
        below = np.cumsum(normal) - normal
        return float((abnormal * (below + normal / 2)).sum() / pairs)


@dataclass(frozen=True, slots=True)
class Metrics:
    """Everything `framewatch evaluate` prints; fractions, None where the footage cannot tell.

    Attributes:
        causal: of the live chain's scores.
        offline: of scores smoothed with a look ahead.
        base_rate: share of abnormal frames.
        pixel_auc: ROC-AUC of the heat maps over all pixels and frames; None without masks.
        events: alarms at the checkpoint's own threshold.
        frames_per_second: scoring rate, decoding included.
        frames: scored frames that the figures rest on.
        clips: clips they come from.
        skipped_clips: clips of one class, which `macro_auc` leaves out.
    """

    causal: FrameMetrics
    offline: FrameMetrics
    base_rate: float | None
    pixel_auc: float | None
    events: EventMetrics
    frames_per_second: float | None
    frames: int
    clips: int
    skipped_clips: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """For `json.dumps`: fractions, seconds, None for what is unknown."""
        bounds = self.events.false_alarms_per_hour_95
        return {
            "causal": asdict(self.causal),
            "offline": asdict(self.offline),
            "base_rate": self.base_rate,
            "pixel_auc": self.pixel_auc,
            "events": {
                "recall": self.events.recall,
                "false_alarms_per_hour": self.events.false_alarms_per_hour,
                "median_delay_s": self.events.median_delay_s,
            },
            "frames_per_second": self.frames_per_second,
            "events_labelled": self.events.events,
            "events_detected": self.events.detected,
            "false_alarms": self.events.false_alarms,
            "false_alarms_per_hour_95": list(bounds) if bounds else None,
            "normal_minutes": self.events.normal_minutes,
            "frames": self.frames,
            "clips": self.clips,
            "skipped_clips": list(self.skipped_clips),
        }


def format_table(metrics: Metrics) -> str:
    """The figures as plain text, causal and offline side by side."""
    causal, offline, events = metrics.causal, metrics.offline, metrics.events
    over = f"mean over {metrics.clips - len(metrics.skipped_clips)} of {metrics.clips} clips"
    if metrics.skipped_clips:
        over += f" (one class only: {', '.join(metrics.skipped_clips)})"
    lines = [
        f"{'':<16}{'causal':>8}{'offline':>9}",
        _row("micro ROC-AUC", causal.micro_auc, offline.micro_auc, f"over {metrics.frames} frames"),
        _row("macro ROC-AUC", causal.macro_auc, offline.macro_auc, over),
        _row("AP", causal.ap, offline.ap, f"base rate {_figure(metrics.base_rate)}"),
        _row("EER", causal.eer, offline.eer, "lower is better"),
    ]
    if metrics.pixel_auc is not None:
        lines.append(f"{'pixel ROC-AUC':<16}{_figure(metrics.pixel_auc):>8}")
    lines += ["", "at the checkpoint's own threshold, causal:"]
    detected = f"{events.detected} of {events.events} detected" if events.events else "none labelled"
    delay = "" if events.median_delay_s is None else f", median delay {events.median_delay_s:.1f} s"
    lines.append(f"{'events':<16}{detected}{delay}")
    rate, bounds = events.false_alarms_per_hour, events.false_alarms_per_hour_95
    alarms = f"{events.false_alarms} in {events.normal_minutes:.1f} min of normal footage"
    if rate is not None and bounds is not None:
        alarms += f": {rate:.3g} an hour (95 % bounds {bounds[0]:.3g} to {bounds[1]:.3g})"
    lines.append(f"{'false alarms':<16}{alarms}")
    if metrics.frames_per_second is not None:
        lines.append(f"{'speed':<16}{metrics.frames_per_second:.0f} frames/s")
    return "\n".join(lines)


def _row(name: str, causal: float | None, offline: float | None, note: str) -> str:
    return f"{name:<16}{_figure(causal):>8}{_figure(offline):>9}   {note}"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _two_classes(truth: BoolArray) -> bool:
    return bool(truth.any() and not truth.all())
