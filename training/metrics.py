"""Every figure of an evaluation together, as JSON and as a table."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from training.events import EventMetrics
from training.frame_metrics import FrameMetrics


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
