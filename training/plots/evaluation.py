"""An evaluation: its curves, and the scores of its clips beside their labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes

from training.frame_metrics import Curves
from training.plots.clip import add_legend, draw_clip, heading
from training.plots.style import BLUE, GREEN, GREY, INK, VERMILLION, WIDTH, dress, new_figure, save
from training.timeline import ClipTimeline

EVALUATED = 40  # clips of an evaluation plot


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
    figure = new_figure(WIDTH, height)
    figure.text(0.5, 1 - 0.4 / height, title or "Evaluation", ha="center", fontsize=13, fontweight="bold")
    bottom = (height - head - square) / height
    roc, precision = (
        figure.add_axes((x / WIDTH, bottom, square * 1.12 / WIDTH, square / height)) for x in (1.05, WIDTH / 2 + 0.75)
    )
    _draw_curves(roc, precision, curves, base_rate)
    add_legend(figure, threshold, labelled=True, y=1 - (head + square + 0.85) / height)
    width = (WIDTH - 0.75 - 0.2 - (columns - 1) * 0.45) / columns
    for index, timeline in enumerate(shown):
        row, column = divmod(index, columns)
        y = height - head - square - 1.2 - (row + 1) * (above + plot + below) + below
        x = 0.75 + column * (width + 0.45)
        axes = figure.add_axes((x / WIDTH, y / height, width / WIDTH, plot / height))
        draw_clip(axes, timeline, threshold, labelled=column == 0)
        axes.set_title(heading(timeline), loc="left", fontsize=9, fontweight="bold", pad=3, parse_math=False)
    if note:
        text = f"{len(timelines) - len(shown)} more clips are not shown"
        figure.text(0.75 / WIDTH, 0.1 / height, text, fontsize=9, color=INK, style="italic")
    save(figure, path)


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
        dress(axes)
        axes.set_title(title, loc="left", fontsize=11, fontweight="bold")
        axes.set_xlabel(x, fontsize=9)
        axes.set_ylabel(y, fontsize=9)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="lower right" if axes is roc else "lower left", fontsize=9, framealpha=0.9)
        if not any(curves.values()):
            axes.text(0.5, 0.5, "frames of one class only", ha="center", transform=axes.transAxes, color=INK)
