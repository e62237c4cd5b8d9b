"""The loss curve of a training run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from training.fit import LossPoint
from training.plots.style import BLUE, SKY, VERMILLION, dress, new_figure, save


def plot_loss(path: Path, history: Sequence[LossPoint]) -> None:
    """Draws a PNG of training and held-out loss over the steps, the step of the lowest held-out loss marked."""
    figure = new_figure(8.0, 4.5)
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
    dress(axes)
    axes.set_xlabel("training step")
    axes.set_ylabel("reconstruction error (MSE)")
    axes.set_title("Training", loc="left", fontsize=12, fontweight="bold")
    if train or held_out:
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncol=3, fontsize=9, frameon=False)
    save(figure, path)
