"""Two grids of cells, half a cell apart: means over cells, and back onto a map of half cells."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from model.cells import WHOLE, Cells

GRIDS = [Cells(4, 6), Cells(2, 2), Cells(1, 5), Cells(5, 1), WHOLE]


def squares(cells: Cells) -> list[tuple[int, int]]:
    """Top left half cell of every cell, in the order of their numbers: each covers 2×2 half cells."""
    first = [(2 * row, 2 * column) for row in range(cells.rows) for column in range(cells.columns)]
    second = [(2 * row + 1, 2 * column + 1) for row in range(cells.rows - 1) for column in range(cells.columns - 1)]
    return first + second


def halves(cells: Cells, channels: int = 3) -> Tensor:
    return torch.rand((2, channels, *cells.shape), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("cells", GRIDS)
def test_both_grids_are_counted(cells: Cells) -> None:
    assert cells.count == len(squares(cells))
    assert cells.first == cells.rows * cells.columns
    assert cells.shape == (2 * cells.rows, 2 * cells.columns)


@pytest.mark.parametrize("cells", GRIDS)
def test_mean_is_over_the_half_cells_of_each_cell(cells: Cells) -> None:
    values = halves(cells)
    expected = [values[:, :, y : y + 2, x : x + 2].mean((2, 3)) for y, x in squares(cells)]
    torch.testing.assert_close(cells.mean(values), torch.stack(expected, dim=2))


@pytest.mark.parametrize("cells", GRIDS)
def test_half_cell_gets_the_mean_of_the_cells_that_cover_it(cells: Cells) -> None:
    values = halves(cells).flatten(1)[:, :1] * torch.arange(1.0, cells.count + 1)
    total, covers = torch.zeros(2, *cells.shape), torch.zeros(cells.shape)
    for number, (y, x) in enumerate(squares(cells)):
        total[:, y : y + 2, x : x + 2] += values[:, number, None, None]
        covers[y : y + 2, x : x + 2] += 1
    torch.testing.assert_close(cells.spread(values), total / covers)


@given(rows=st.integers(1, 8), columns=st.integers(1, 8), value=st.floats(0, 100, width=16))
@settings(max_examples=30)
def test_constant_stays_constant_there_and_back(rows: int, columns: int, value: float) -> None:
    cells = Cells(rows, columns)
    means = cells.mean(torch.full((1, 1, *cells.shape), value))
    assert means.shape == (1, 1, cells.count)
    spread = cells.spread(means.squeeze(1))
    assert spread.shape == (1, *cells.shape) and bool((spread == value).all())


def test_whole_frame_is_one_cell() -> None:
    assert (WHOLE.count, WHOLE.shape) == (1, (2, 2))


def test_spread_leaves_its_input_alone() -> None:
    cells = Cells(3, 4)
    values = torch.rand(1, cells.count)
    before = values.clone()
    cells.spread(values)
    assert torch.equal(values, before)
