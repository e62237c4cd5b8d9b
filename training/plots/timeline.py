"""Scores of clips over time, with pictures of their peaks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from training.plots.clip import add_legend, draw_clip, heading
from training.plots.peaks import draw_peaks
from training.plots.style import INK, WIDTH, new_figure, save
from training.timeline import TIMELINES, ClipTimeline


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
    figure = new_figure(WIDTH, height)
    add_legend(figure, threshold, labelled=any(timeline.has_labels for timeline in shown))
    y = height - top
    for timeline, found in zip(shown, peaks, strict=True):
        y -= gap + (strip if found else 0) + plot
        axes = figure.add_axes((left / WIDTH, y / height, (WIDTH - left - right) / WIDTH, plot / height))
        scale = draw_clip(axes, timeline, threshold)
        above = (y + plot + (strip if found else 0) + 0.12) / height
        figure.text(left / WIDTH, above, heading(timeline), fontsize=11, fontweight="bold", parse_math=False)
        box = (left, y + plot + 0.17, WIDTH - left - right, strip - 0.4)
        draw_peaks(figure, axes, found, scale, box, strongest)
        y -= below
    if left_out:
        note = f"{left_out} more clips with lower scores are not shown"
        figure.text(left / WIDTH, 0.12 / height, note, fontsize=9, color=INK, style="italic")
    save(figure, path)
