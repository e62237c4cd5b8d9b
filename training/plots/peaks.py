"""Pictures of the frames at a clip's peaks, with what is odd in them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch
from numpy.typing import NDArray

from training.plots.style import INK
from training.timeline import PEAKS, Peak


def draw_peaks(
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


def _clock(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{int(rest):02d}" if hours else f"{minutes}:{rest:04.1f}"
