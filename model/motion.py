"""Where something moves: the energy of temporal differences, cell by cell.

Everything here is whole numbers, up to the mean over a cell, so the result is the same whatever else is in the batch
and whatever the device: a neighbour never changes a frame's score.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from model.cells import Cells

_FULL_SCALE = 255.0


@dataclass(frozen=True, slots=True)
class MotionMask:
    """Which cells of a frame count.

    Attributes:
        threshold: a cell moves when the rms difference to the frame before, less the frame's own noise floor,
            exceeds this (of full scale).
        most: at most so many cells of a frame count, the strongest first.
    """

    threshold: float = 0.03
    most: int = 128

    def select(self, motion: Tensor) -> Tensor:
        """float32 N×cells -> bool N×cells: the cells that count."""
        moving = motion > self.threshold
        if motion.shape[1] > self.most:
            order = motion.argsort(dim=1, descending=True, stable=True)
            strongest = torch.zeros_like(moving).scatter_(1, order[:, : self.most], True)
            moving &= strongest
        return moving


def smoothed_luma(images: Tensor) -> Tensor:
    """uint8 N×H×W luma or N×H×W×3 BGR -> uint8 N×H×W luma, 3×3 binomial, rounded."""
    if images.ndim == 4:
        blue, green, red = images.to(torch.int32).unbind(3)
        images = (29 * blue + 150 * green + 77 * red + 128) >> 8
    gray = images.to(torch.int16)
    rows = _binomial(torch.cat([gray[:, :1], gray, gray[:, -1:]], dim=1), dim=1)
    both = _binomial(torch.cat([rows[..., :1], rows, rows[..., -1:]], dim=2), dim=2)
    return ((both + 8) >> 4).to(torch.uint8)


def _binomial(padded: Tensor, dim: int) -> Tensor:
    """Neighbours once and the middle twice, along one side."""
    size = padded.shape[dim] - 2
    middle = padded.narrow(dim, 1, size)
    return (padded.narrow(dim, 0, size) + padded.narrow(dim, 2, size)).add_(middle).add_(middle)


def cell_motion(before: Tensor, now: Tensor, cells: Cells) -> Tensor:
    """How strongly each cell moved between two frames, less the frame's noise floor.

    The floor is the median over the cells: most of a picture stands still, so what most cells show is the sensor's
    noise (and a change of light that reaches all of them).

    Args:
        before: uint8 N×H×W, `smoothed_luma` of the frame before.
        now: uint8 N×H×W, `smoothed_luma` of this frame.
        cells: which divide H and W.

    Returns:
        float32 N×cells, rms difference of full scale, >= 0.
    """
    count, height, width = now.shape
    rows, columns = cells.shape
    half = (height // rows, width // columns)
    squares = (now.to(torch.int16) - before.to(torch.int16)).float().square_()
    # Rows first: a sum along contiguous memory is several times faster than one over both sides of a cell.
    energy = squares.view(count, rows, half[0], width).sum(2).view(count, rows, columns, half[1]).sum(3)
    energy = cells.mean(energy.unsqueeze(1)).squeeze(1)
    floor = energy.median(dim=1, keepdim=True).values
    return ((energy - floor).clamp_min_(0) / (half[0] * half[1] * _FULL_SCALE**2)).sqrt_()
