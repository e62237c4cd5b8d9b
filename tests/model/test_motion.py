"""Which cells move: exact whole numbers, so that neither the batch nor the device can change the answer."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from model.cells import Cells
from model.motion import MotionMask, cell_motion, smoothed_luma
from tests.model.detectors import pictures, scene, stacked

CELLS = Cells(4, 6)  # of 16 pixels in 64×96


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def motion(before: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], now: Tensor) -> Tensor:
    return cell_motion(smoothed_luma(stacked([before])), smoothed_luma(now), CELLS)


def test_smoothing_is_the_rounded_3x3_binomial() -> None:
    images = random(3, 20, 30)
    for image, smooth in zip(images.numpy(), smoothed_luma(images).numpy(), strict=True):
        kernel = np.outer([1, 2, 1], [1, 2, 1]).astype(np.float64)
        total = cv2.filter2D(image.astype(np.float64), -1, kernel, borderType=cv2.BORDER_REPLICATE)
        assert np.array_equal(smooth, (total.astype(np.int64) + 8) // 16)


def test_colour_is_smoothed_as_its_luma() -> None:
    images = random(2, 20, 30, 3)
    gray = stacked([np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8) for image in images.numpy()])
    difference = smoothed_luma(images).int() - smoothed_luma(gray).int()
    assert int(difference.abs().max()) <= 1  # other roundings of the same weights


@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 8, 8, 3)])
def test_full_scale_neither_overflows_nor_loses(value: int, shape: tuple[int, ...]) -> None:
    assert bool((smoothed_luma(torch.full(shape, value, dtype=torch.uint8)) == value).all())


def test_nothing_moves_in_two_equal_pictures() -> None:
    assert not bool(motion(scene(), stacked([scene()])).any())


def test_motion_is_the_rms_difference_of_full_scale_less_the_floor() -> None:
    before = torch.full((1, 64, 96), 100, dtype=torch.uint8)
    now = before.clone()
    now[:, 16:32, 16:32] += 51
    moved = cell_motion(before, now, CELLS)[0]
    assert float(moved[1 * 6 + 1]) == pytest.approx(51 / 255)  # the cell itself
    corners = CELLS.first + torch.tensor([0, 1, 5, 6])  # of the second grid: a quarter of each
    assert moved[corners].tolist() == pytest.approx([51 / 255 / 2] * 4)
    assert int((moved > 0).sum()) == 5


def test_change_of_light_that_reaches_all_cells_is_no_motion() -> None:
    brighter = scene() // 2 + 20
    assert float(motion(scene() // 2, stacked([brighter])).max()) < 1e-6


def test_noise_does_not_change_which_cells_move() -> None:
    before, now = pictures(2)
    generator = np.random.default_rng(0)

    def noisy(
        image: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        return np.clip(image + generator.normal(0, 6, image.shape), 0, 255).astype(np.uint8)

    clean, dirty = motion(before, stacked([now]))[0], motion(noisy(before), stacked([noisy(now)]))[0]
    clearly = (clean > 0.06) | (clean == 0)
    assert bool((clean > 0.06).any())
    assert torch.equal((clean > 0.03)[clearly], (dirty > 0.03)[clearly])


def test_neighbours_in_the_batch_change_nothing_not_even_a_bit() -> None:
    before, now = smoothed_luma(random(6, 64, 96)), smoothed_luma(random(6, 64, 96, seed=1))
    together = cell_motion(before, now, CELLS)
    for index in range(6):
        assert torch.equal(cell_motion(before[[index]], now[[index]], CELLS)[0], together[index])
    assert torch.equal(cell_motion(before.flip(0), now.flip(0), CELLS).flip(0), together)


def test_direction_of_time_does_not_matter() -> None:
    before, now = smoothed_luma(random(1, 64, 96)), smoothed_luma(random(1, 64, 96, seed=1))
    assert torch.equal(cell_motion(before, now, CELLS), cell_motion(now, before, CELLS))


@pytest.mark.parametrize(
    ("motion", "most", "chosen"),
    [
        pytest.param([0.0, 0.1, 0.2, 0.3], 4, [False, False, True, True], id="strictly above the threshold"),
        pytest.param([0.5, 0.2, 0.9, 0.4], 2, [True, False, True, False], id="the strongest"),
        pytest.param([0.5, 0.5, 0.5, 0.5], 3, [True, True, True, False], id="of equal ones the first"),
        pytest.param([0.0, 0.0, 0.0, 0.3], 3, [False, False, False, True], id="no filling up with still cells"),
        pytest.param([0.0, 0.0, 0.0, 0.0], 1, [False, False, False, False], id="nothing moves"),
    ],
)
def test_cells_that_count(motion: list[float], most: int, chosen: list[bool]) -> None:
    mask = MotionMask(threshold=0.1, most=most)
    assert mask.select(torch.tensor([motion])).tolist() == [chosen]


@given(st.lists(st.lists(st.floats(0, 1, width=32), min_size=8, max_size=8), min_size=1, max_size=5), st.integers(1, 9))
@settings(max_examples=50)
def test_never_more_cells_than_asked_for_and_none_weaker_than_one_left_out(rows: list[list[float]], most: int) -> None:
    motion, mask = torch.tensor(rows), MotionMask(threshold=0.25, most=most)
    chosen = mask.select(motion)
    for values, picked in zip(motion, chosen, strict=True):
        moving = values > mask.threshold
        assert int(picked.sum()) == min(most, int(moving.sum()))
        left_out = values[moving & ~picked]
        if len(left_out):
            assert float(values[picked].min()) >= float(left_out.max())
