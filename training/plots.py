"""Pictures of scores: evaluation curves, timelines of clips with their peaks, the loss curve."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import ConnectionPatch, Patch
from numpy.typing import NDArray

from training.events import runs
from training.frame_metrics import Curves
from training.timeline import PEAKS, TIMELINES, ClipTimeline, Peak

# Okabe and Ito's colours, told apart by colour-blind readers.
BLUE, SKY, GREEN, ORANGE, VERMILLION = "#0072B2", "#56B4E9", "#009E73", "#E69F00", "#D55E00"
GREY, INK = "#999999", "#333333"

WIDTH = 12.0  # inches, all figures of timelines
DPI = 100
EVALUATED = 40  # clips of an evaluation plot


def plot_timeline(
    path: Path, timelines: Sequence[ClipTimeline], *, threshold: float = 0.5, left_out: int = 0, most: int = TIMELINES
) -> None:
    """Draws a PNG with each clip's scores over time and pictures of the frames at its peaks, heat maps overlaid.

    Args:
        path: the PNG to write.
        timelines: clips, in order; of more than `most` the highest are drawn.
        threshold: in `smoothed`.
        left_out: clips dropped before, for the note.
        most: clips to draw.
    """
    shown = sorted(timelines, key=lambda timeline: timeline.highest, reverse=True)[:most]
    shown = [timeline for timeline in timelines if timeline in shown]
    left_out += len(timelines) - len(shown)
    left, right, top, gap, strip, plot, below = 0.75, 0.2, 0.55, 0.45, 1.5, 1.5, 0.55
    peaks = [timeline.peaks() for timeline in shown]
    heats = [float(peak.heat.max()) for found in peaks for peak in found if peak.heat is not None]
    strongest = max(heats, default=0.0)  # of all clips: a quiet clip shows little heat
    height = top + sum(gap + (strip if found else 0) + plot + below for found in peaks) + (0.2 if left_out else 0)
    figure = _figure(WIDTH, height)
    _legend(figure, threshold, labelled=any(timeline.has_labels for timeline in shown))
    y = height - top
    for timeline, found in zip(shown, peaks, strict=True):
        y -= gap + (strip if found else 0) + plot
        axes = figure.add_axes((left / WIDTH, y / height, (WIDTH - left - right) / WIDTH, plot / height))
        scale = _draw_timeline(axes, timeline, threshold)
        heading = (y + plot + (strip if found else 0) + 0.12) / height
        figure.text(left / WIDTH, heading, _name(timeline), fontsize=11, fontweight="bold", parse_math=False)
        box = (left, y + plot + 0.17, WIDTH - left - right, strip - 0.4)
        _draw_peaks(figure, axes, found, scale, box, strongest)
        y -= below
    if left_out:
        note = f"{left_out} more clips with lower scores are not shown"
        figure.text(left / WIDTH, 0.12 / height, note, fontsize=9, color=INK, style="italic")
    _save(figure, path)


def plot_evaluation(
    path: Path,
    timelines: Sequence[ClipTimeline],
    curves: Mapping[str, Curves | None],
    *,
    base_rate: float | None,
    threshold: float = 0.5,
    title: str = "",
) -> None:
    """Draws a PNG with ROC and precision-recall curves above the timelines of the clips and their labels.

    Args:
        path: the PNG to write.
        timelines: clips with labels, in order; the first `EVALUATED` are drawn.
        curves: by name ("causal", "offline"); None where the frames are of one class.
        base_rate: share of abnormal frames, the precision of a random score.
        threshold: in `smoothed`.
        title: heading of the figure.
    """
    shown = timelines[:EVALUATED]
    columns = 1 if len(shown) <= 2 else 2 if len(shown) <= 16 else 3
    rows = -(-len(shown) // columns)
    square, plot, above, below, head = 3.9, 1.05, 0.32, 0.5, 0.9
    note = 0.25 if len(timelines) > len(shown) else 0.0
    height = head + square + 1.2 + rows * (above + plot + below) + note
    figure = _figure(WIDTH, height)
    figure.text(0.5, 1 - 0.4 / height, title or "Evaluation", ha="center", fontsize=13, fontweight="bold")
    bottom = (height - head - square) / height
    roc, precision = (
        figure.add_axes((x / WIDTH, bottom, square * 1.12 / WIDTH, square / height)) for x in (1.05, WIDTH / 2 + 0.75)
    )
    _draw_curves(roc, precision, curves, base_rate)
    _legend(figure, threshold, labelled=True, y=1 - (head + square + 0.85) / height)
    width = (WIDTH - 0.75 - 0.2 - (columns - 1) * 0.45) / columns
    for index, timeline in enumerate(shown):
        row, column = divmod(index, columns)
        y = height - head - square - 1.2 - (row + 1) * (above + plot + below) + below
        x = 0.75 + column * (width + 0.45)
        axes = figure.add_axes((x / WIDTH, y / height, width / WIDTH, plot / height))
        _draw_timeline(axes, timeline, threshold, labelled=column == 0)
        axes.set_title(_name(timeline), loc="left", fontsize=9, fontweight="bold", pad=3, parse_math=False)
    if note:
        text = f"{len(timelines) - len(shown)} more clips are not shown"
        figure.text(0.75 / WIDTH, 0.1 / height, text, fontsize=9, color=INK, style="italic")
    _save(figure, path)


@dataclass(frozen=True, slots=True)
class LossPoint:
    """The loss at a training step; None where it was not measured."""

    step: int
    train: float | None = None
    held_out: float | None = None


def plot_loss(path: Path, history: Sequence[LossPoint]) -> None:
    """Draws a PNG of training and held-out loss over the steps, the step of the lowest held-out loss marked."""
    figure = _figure(8.0, 4.5)
    axes = figure.add_axes((0.1, 0.13, 0.87, 0.77))
    train = [(p.step, p.train) for p in history if p.train is not None]
    held_out = [(p.step, p.held_out) for p in history if p.held_out is not None]
    if train:
        axes.plot(*zip(*train, strict=True), color=SKY, lw=1.2, label="training")
    if held_out:
        axes.plot(*zip(*held_out, strict=True), color=BLUE, lw=2, marker="o", ms=3.5, label="held-out clips")
        step, loss = min(held_out, key=lambda point: point[1])
        axes.axvline(step, color=VERMILLION, lw=1, ls="--", zorder=1)
        axes.plot(
            [step], [loss], "o", ms=9, mfc="none", mec=VERMILLION, mew=2, label=f"best: {loss:.4g} at step {step}"
        )
    losses = [loss for _, loss in train + held_out if loss > 0]
    if losses and max(losses) > 10 * min(losses):
        axes.set_yscale("log")
    elif losses:
        axes.set_ylim(bottom=0)
    _dress(axes)
    axes.set_xlabel("training step")
    axes.set_ylabel("reconstruction error (MSE)")
    axes.set_title("Training", loc="left", fontsize=12, fontweight="bold")
    if train or held_out:
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncol=3, fontsize=9, frameon=False)
    _save(figure, path)


def _draw_timeline(axes: Axes, timeline: ClipTimeline, threshold: float, *, labelled: bool = True) -> float:
    """Draws one clip; returns the seconds of a unit of the time axis."""
    bins, ends = timeline.points()
    span = float(ends[-1] - bins["start"][0]) if len(bins) else 1.0
    scale, unit = (1.0, "s") if span <= 600 else (60.0, "min") if span <= 3 * 3600 else (3600.0, "h")
    starts, stops = bins["start"] / scale, ends / scale

    def shade(flags: NDArray[np.bool_], colour: str, alpha: float, low: float, high: float) -> None:
        visible = span / scale / 500  # one frame of a long clip would be thinner than a pixel
        spans = [(starts[start], max(stops[stop - 1] - starts[start], visible)) for start, stop in runs(flags)]
        axes.broken_barh(spans, (low, high - low), color=colour, alpha=alpha, lw=0, zorder=1)

    shade(bins["labelled"], ORANGE, 0.32, 0, 1.02)
    shade(bins["warming"], GREY, 0.35, 0, 1.02)
    shade(bins["anomalous"], VERMILLION, 1.0, -0.12, -0.03)
    if not timeline.has_labels:
        shade(bins["anomalous"], VERMILLION, 0.15, 0, 1.02)
    axes.axhline(threshold, color=INK, lw=0.9, ls="--", zorder=2)
    axes.plot(starts, bins["score"], color=SKY, lw=0.8, zorder=3)
    axes.plot(starts, bins["smoothed"], color=BLUE, lw=1.9, zorder=4)
    if len(bins):
        axes.set_xlim(starts[0], stops[-1])
    else:
        axes.text(0.5, 0.5, "no frames", ha="center", va="center", transform=axes.transAxes, color=INK)
    axes.set_ylim(-0.14, 1.02)
    axes.set_yticks([0, 0.5, 1])
    _dress(axes)
    axes.set_xlabel(f"time ({unit})", fontsize=8, labelpad=1)
    if labelled:
        axes.set_ylabel("score", fontsize=9)
    else:
        axes.tick_params(labelleft=False)
    return scale


def _draw_peaks(
    figure: Figure,
    axes: Axes,
    peaks: Sequence[Peak],
    scale: float,
    box: tuple[float, float, float, float],
    strongest: float,
) -> None:
    """Thumbnails in a box (left, bottom, width, height, inches) above the axes, each as near its peak as they fit.

    `strongest` is the heat that covers a picture most.
    """
    if not peaks:
        return
    left, bottom, width, height = box
    total_width, total_height = figure.get_size_inches()
    first, last = axes.get_xlim()
    gap = 0.35
    widest = (width - (PEAKS - 1) * gap) / PEAKS
    pictures = [(peak, peak.image) for peak in peaks if peak.image is not None]
    widths = [min(widest, height * image.shape[1] / image.shape[0]) for _, image in pictures]
    slot = max(max(widths), 1.9) + gap  # the caption needs 1.9 inches
    centres = [(peak.time / scale - first) / (last - first) * width for peak, _ in pictures]
    # Push apart from the left, then back from the right edge.
    for i in range(len(centres)):
        centres[i] = max(centres[i], slot / 2 - gap / 2 if i == 0 else centres[i - 1] + slot)
    for i in reversed(range(len(centres))):
        edge = width - slot / 2 + gap / 2 if i == len(centres) - 1 else centres[i + 1] - slot
        centres[i] = min(centres[i], edge)
    for (peak, image), centre, thumb_width in zip(pictures, centres, widths, strict=True):
        thumb_height = thumb_width * image.shape[0] / image.shape[1]
        x = left + centre - thumb_width / 2
        picture = figure.add_axes(
            (x / total_width, bottom / total_height, thumb_width / total_width, thumb_height / total_height)
        )
        picture.imshow(_overlay(image, peak.heat, strongest), aspect="auto", interpolation="bilinear")
        picture.set_xticks([])
        picture.set_yticks([])
        for spine in picture.spines.values():
            spine.set(color=INK, linewidth=1)
        caption = f"frame {peak.frame} · {_clock(peak.time)} · {peak.value:.2f}"
        picture.set_title(caption, fontsize=8, color=INK, pad=3)
        at = (peak.time / scale, peak.value)
        axes.plot(*at, "o", color=INK, ms=4, zorder=6, clip_on=False)
        figure.add_artist(
            ConnectionPatch((0.5, 0), at, picture.transAxes, axes.transData, color=INK, lw=0.8, alpha=0.8, zorder=5)
        )


def _draw_curves(roc: Axes, precision: Axes, curves: Mapping[str, Curves | None], base_rate: float | None) -> None:
    roc.plot([0, 1], [0, 1], color=GREY, lw=1, ls=":", label="chance")
    if base_rate is not None:
        precision.axhline(base_rate, color=GREY, lw=1, ls=":", label=f"base rate {base_rate:.3f}")
    for (name, curve), (colour, style) in zip(
        curves.items(), ((BLUE, "-"), (VERMILLION, "--"), (GREEN, "-.")), strict=False
    ):
        if curve is None:
            continue
        roc.plot(
            curve.false_positive_rate,
            curve.true_positive_rate,
            color=colour,
            ls=style,
            lw=2,
            label=f"{name}: AUC {curve.auc:.3f}",
        )
        precision.plot(
            curve.recall,
            curve.precision,
            color=colour,
            ls=style,
            lw=2,
            drawstyle="steps-post",
            label=f"{name}: AP {curve.ap:.3f}",
        )
    for axes, title, x, y in (
        (roc, "ROC, all frames", "false positive rate", "true positive rate"),
        (precision, "Precision and recall, all frames", "recall", "precision"),
    ):
        axes.set_xlim(-0.01, 1.01)
        axes.set_ylim(-0.01, 1.02)
        _dress(axes)
        axes.set_title(title, loc="left", fontsize=11, fontweight="bold")
        axes.set_xlabel(x, fontsize=9)
        axes.set_ylabel(y, fontsize=9)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="lower right" if axes is roc else "lower left", fontsize=9, framealpha=0.9)
        if not any(curves.values()):
            axes.text(0.5, 0.5, "frames of one class only", ha="center", transform=axes.transAxes, color=INK)


def _legend(figure: Figure, threshold: float, *, labelled: bool, y: float | None = None) -> None:
    entries: list[Line2D | Patch] = [
        Line2D([], [], color=BLUE, lw=1.9, label="smoothed"),
        Line2D([], [], color=SKY, lw=0.8, label="score of one window"),
        Line2D([], [], color=INK, lw=0.9, ls="--", label=f"threshold {threshold:g}"),
        Patch(color=VERMILLION, label="state anomalous"),
        Patch(color=GREY, alpha=0.35, label="warming"),
    ]
    if labelled:
        entries.append(Patch(color=ORANGE, alpha=0.32, label="labelled abnormal"))
    y = 1 - 0.35 / figure.get_figheight() if y is None else y
    figure.legend(handles=entries, loc="center", bbox_to_anchor=(0.5, y), ncol=len(entries), fontsize=9, frameon=False)


def _overlay(image: NDArray[np.uint8], heat: NDArray[np.float32] | None, strongest: float) -> NDArray[np.float32]:
    """The thumbnail with its heat in vermillion, opaque towards `strongest`: float32 (H, W, 3) in [0, 1]."""
    picture = image.astype(np.float32) / 255
    picture = np.repeat(picture[..., None], 3, axis=2) if picture.ndim == 2 else picture
    if heat is None or strongest <= 0:
        return np.asarray(picture, dtype=np.float32)
    size = (picture.shape[1], picture.shape[0])
    cover = 0.75 * cv2.resize(np.clip(heat / strongest, 0, 1), size, interpolation=cv2.INTER_LINEAR)[..., None]
    colour = np.array([0xD5, 0x5E, 0x00], dtype=np.float32) / 255
    return np.asarray(picture * (1 - cover) + colour * cover, dtype=np.float32)


def _name(timeline: ClipTimeline) -> str:
    name = timeline.clip if len(timeline.clip) <= 40 else f"…{timeline.clip[-39:]}"
    return f"clip {name}"


def _clock(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{int(rest):02d}" if hours else f"{minutes}:{rest:04.1f}"


def _figure(width: float, height: float) -> Figure:
    """Without pyplot: no global state, so a thread may draw while others do."""
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _dress(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color=GREY, alpha=0.25, lw=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8)


def _save(figure: Figure, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a clip's name may be in any script
        figure.savefig(path, format="png")
