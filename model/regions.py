"""Which cells of a picture count: those that lie inside the polygons of a region."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from model.cells import Cells
from model.frames import Geometry

Polygon = tuple[tuple[float, float], ...]
"""Corners, x and y in fractions of the picture's width and height."""

_SHIFT = 4  # binary digits of a pixel that corners are rounded to


class RegionError(ValueError):
    """Polygons that are no region; the message says which and why."""


def cells_inside(polygons: Sequence[Polygon], geometry: Geometry, cells: Cells) -> Tensor:
    """bool cells: at least half of the cell lies inside one of the polygons.

    Args:
        polygons: one or more; where they overlap counts once.
        geometry: from the camera's picture to the input that the cells divide.
        cells: of the model.

    Raises:
        RegionError: a polygon with fewer than 3 corners, or corners outside the picture; or no cell is left.
    """
    scaled_height, scaled_width = geometry.scaled
    canvas = np.zeros(geometry.scaled, dtype=np.uint8)
    for number, polygon in enumerate(polygons, 1):
        if len(polygon) < 3:
            raise RegionError(f"polygon {number} has {len(polygon)} corners: expected 3 or more")
        if not all(math.isfinite(value) and 0 <= value <= 1 for corner in polygon for value in corner):
            raise RegionError(f"polygon {number}: expected corners as fractions of width and height, 0 to 1")
        corners = np.array(polygon) * [scaled_width, scaled_height] - 0.5  # a pixel's middle is its whole number
        cv2.fillPoly(canvas, [np.round(corners * (1 << _SHIFT)).astype(np.int32)], 1, shift=_SHIFT)
    covered = torch.from_numpy(np.ascontiguousarray(geometry.apply(canvas))).float()
    rows, columns = cells.shape
    halves = covered.view(rows, covered.shape[0] // rows, columns, covered.shape[1] // columns).mean((1, 3))
    inside = cells.mean(halves.view(1, 1, rows, columns)).view(-1) >= 0.5
    if not bool(inside.any()):
        raise RegionError("no cell lies inside the polygons by half or more: make them larger")
    return inside
