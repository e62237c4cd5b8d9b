"""A region is the cells that lie inside its polygons by half or more."""

from __future__ import annotations

import math

import pytest
import torch

from model.cells import Cells
from model.frames import Geometry
from model.regions import Polygon, RegionError, cells_inside

GEOMETRY = Geometry.of_cells((240, 360), height=64, cell=16)
CELLS = Cells(4, 6)
WHOLE: Polygon = ((0, 0), (1, 0), (1, 1), (0, 1))
LEFT: Polygon = ((0, 0), (0.5, 0), (0.5, 1), (0, 1))
CORNER: Polygon = ((1, 1), (0.7, 1), (0.7, 0.7), (1, 0.7))


def first_grid(*polygons: Polygon) -> list[list[bool]]:
    inside = cells_inside(polygons, GEOMETRY, CELLS)
    assert inside.dtype == torch.bool and inside.shape == (CELLS.count,)
    return inside[: CELLS.first].view(CELLS.rows, CELLS.columns).tolist()


@pytest.mark.parametrize(
    ("polygons", "expected"),
    [
        pytest.param([WHOLE], [[1] * 6] * 4, id="whole"),
        pytest.param([LEFT], [[1, 1, 1, 0, 0, 0]] * 4, id="left half"),
        pytest.param([LEFT, LEFT], [[1, 1, 1, 0, 0, 0]] * 4, id="overlapping"),
        pytest.param([LEFT, CORNER], [[1, 1, 1, 0, 0, 0]] * 3 + [[1, 1, 1, 0, 1, 1]], id="two"),
        pytest.param([((0, 0), (1, 1), (0, 1))], [[1, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0]], id="triangle"),
    ],
)
def test_cells_inside(polygons: list[Polygon], expected: list[list[int]]) -> None:
    assert first_grid(*polygons)[: len(expected)] == [[bool(value) for value in row] for row in expected]


def test_second_grid_is_half_a_cell_apart() -> None:
    inside = cells_inside([LEFT], GEOMETRY, CELLS)[CELLS.first :].view(3, 5)
    assert inside.tolist() == [[True, True, True, False, False]] * 3


def test_cropped_borders_count_for_nothing() -> None:
    geometry = Geometry((240, 360), (64, 96), (64, 64))
    inside = cells_inside([LEFT], geometry, Cells(4, 4))
    assert inside[:16].view(4, 4).tolist() == [[True, True, False, False]] * 4


@pytest.mark.parametrize(
    ("polygons", "says"),
    [
        pytest.param([LEFT, ((0, 0), (1, 1))], "polygon 2 has 2 corners", id="a line"),
        pytest.param([((0, 0), (1.5, 0), (1, 1))], "fractions of width and height", id="outside the picture"),
        pytest.param([((0, 0), (math.nan, 0), (1, 1))], "fractions of width and height", id="no number"),
        pytest.param([((0, 0), (0.01, 0), (0.01, 0.01))], "no cell lies inside", id="too small"),
    ],
)
def test_what_is_no_region_is_refused(polygons: list[Polygon], says: str) -> None:
    with pytest.raises(RegionError, match=says):
        cells_inside(polygons, GEOMETRY, CELLS)
