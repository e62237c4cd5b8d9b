"""Where features, motion and errors are measured: two grids of square cells, half a cell apart.

One grid alone cuts objects at its lines, and how well it detects depends on where they happen to fall. With a second
grid whose cells are centred on the first one's corners, every place is near the middle of some cell.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True, slots=True)
class Cells:
    """Two grids of cells: `rows`×`columns`, and `rows-1`×`columns-1` centred on the corners between them.

    Cells are numbered row by row, first grid first. Maps of half cells are 2·rows×2·columns.
    """

    rows: int
    columns: int

    @property
    def first(self) -> int:
        """How many cells the first grid has."""
        return self.rows * self.columns

    @property
    def count(self) -> int:
        """How many cells both grids have."""
        return self.first + (self.rows - 1) * (self.columns - 1)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of a map of half cells."""
        return 2 * self.rows, 2 * self.columns

    def mean(self, halves: Tensor) -> Tensor:
        """N×C×2·rows×2·columns map of half cells -> N×C×count, the mean over each cell."""
        return cell_means(halves)

    def spread(self, values: Tensor) -> Tensor:
        """N×count values -> N×2·rows×2·columns: each half cell gets the mean of the cells that cover it."""
        count = len(values)
        first = values[:, : self.first].view(count, 1, self.rows, self.columns)
        heat = F.interpolate(first, scale_factor=2, mode="nearest")
        if self.rows > 1 and self.columns > 1:
            second = values[:, self.first :].view(count, 1, self.rows - 1, self.columns - 1)
            inner = heat[..., 1:-1, 1:-1]
            inner += F.interpolate(second, scale_factor=2, mode="nearest")
            inner /= 2
        return heat.squeeze(1)


def cell_means(halves: Tensor) -> Tensor:
    """See `Cells.mean`; as a function it can be part of a script."""
    first = F.avg_pool2d(halves, 2).flatten(2)
    if min(halves.shape[2], halves.shape[3]) < 4:  # a single row or column of cells has no corner between them
        return first
    return torch.cat([first, F.avg_pool2d(halves[..., 1:-1, 1:-1], 2).flatten(2)], dim=2)


WHOLE = Cells(1, 1)
"""The whole frame as one cell."""
