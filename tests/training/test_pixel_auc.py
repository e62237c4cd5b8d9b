"""Heat maps against masks, pixel by pixel."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from training.pixel_auc import PixelAuc


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("zeros", [0.0, 0.9])
def test_pixel_auc_agrees_with_sklearn(interpolation: str, scale: float, zeros: float) -> None:
    generator = np.random.default_rng(3)
    auc = PixelAuc("nearest" if interpolation == "nearest" else "bilinear")
    method = cv2.INTER_NEAREST_EXACT if interpolation == "nearest" else cv2.INTER_LINEAR
    pixels, masks = [], []
    for _ in range(5):
        mask = np.zeros((24, 36), dtype=np.bool_)
        y, x = generator.integers(0, 18, 2)
        mask[y : y + 8, x : x + 10] = True
        seen = cv2.resize(mask.astype(np.float32), (6, 4), interpolation=cv2.INTER_AREA)
        heat = (seen + generator.exponential(0.5, (4, 6))).astype(np.float32)
        heat = (heat * (generator.random((4, 6)) >= zeros) * scale).astype(np.float32)
        auc.add(heat, mask)
        pixels.append(cv2.resize(heat, (36, 24), interpolation=method).ravel())
        masks.append(mask.ravel())
    exact = roc_auc_score(np.concatenate(masks), np.concatenate(pixels))
    assert auc.value() == pytest.approx(exact, abs=1e-3)


@pytest.mark.parametrize(
    ("heat", "mask", "expected"),
    [
        ([[0.0, 1.0]], [[0, 1]], 1.0),
        ([[1.0, 0.0]], [[0, 1]], 0.0),
        ([[2.0, 2.0]], [[0, 1]], 0.5),  # a tie
        ([[-0.0, 0.0]], [[0, 1]], 0.5),  # the sign of zero says nothing
        ([[0.0, 1e-30]], [[0, 1]], 1.0),  # anything above zero is above zero
        ([[0.0, 1.0]], [[0, 0]], None),
        ([[0.0, 1.0]], [[1, 1]], None),
    ],
)
def test_pixel_auc_by_hand(heat: list[list[float]], mask: list[list[int]], expected: float | None) -> None:
    auc = PixelAuc("nearest")
    assert auc.value() is None
    auc.add(np.array(heat, dtype=np.float32), np.array(mask, dtype=np.bool_))
    assert auc.value() == expected


@pytest.mark.parametrize(
    ("heat", "mask", "message"),
    [
        (np.full((2, 2), -1.0), np.ones((2, 2)), ">= 0 and finite"),
        (np.full((2, 2), np.nan), np.ones((2, 2)), ">= 0 and finite"),
        (np.full((2, 2), np.inf), np.ones((2, 2)), ">= 0 and finite"),
        (np.ones(4), np.ones((2, 2)), "h×w and H×W"),
        (np.ones((2, 2)), np.ones((0, 2)), "h×w and H×W"),
    ],
)
def test_pixel_auc_refused(heat: NDArray[np.float64], mask: NDArray[np.float64], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PixelAuc().add(heat.astype(np.float32), mask.astype(np.bool_))
