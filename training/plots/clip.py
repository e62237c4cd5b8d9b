"""One clip's scores over time, as all figures of timelines show them."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from training.events import runs
from training.plots.style import BLUE, GREY, INK, ORANGE, SKY, VERMILLION, dress
from training.timeline import ClipTimeline


def draw_clip(axes: Axes, timeline: ClipTimeline, threshold: float, *, labelled: bool = True) -> float:
    """Draws one clip's scores; returns the seconds of a unit of the time axis."""
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
    dress(axes)
    axes.set_xlabel(f"time ({unit})", fontsize=8, labelpad=1)
    if labelled:
        axes.set_ylabel("score", fontsize=9)
    else:
        axes.tick_params(labelleft=False)
    return scale


def add_legend(figure: Figure, threshold: float, *, labelled: bool, y: float | None = None) -> None:
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


def heading(timeline: ClipTimeline) -> str:
    name = timeline.clip.encode(errors="replace").decode()  # a file's name need not be valid UTF-8
    name = name if len(name) <= 40 else f"…{name[-39:]}"
    return f"clip {name}"
