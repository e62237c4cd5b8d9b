"""Pixel masks from folders of pictures and MATLAB files, and the labels that they give."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.io import savemat

from tests.training.labelled import listed
from training.label_matching import LabelError
from training.labels import load_labels
from training.masks import MaskSource


@pytest.fixture
def said() -> list[str]:
    return []


def write_masks(folder: Path, masks: dict[str, NDArray[np.uint8]]) -> None:
    folder.mkdir(parents=True)
    for name, mask in masks.items():
        if name.endswith(".npy"):
            np.save(folder / name, mask)
        else:
            cv2.imwrite(str(folder / name), mask)


def spot(value: int) -> NDArray[np.uint8]:
    mask = np.zeros((4, 6), dtype=np.uint8)
    mask[1, 2] = value
    return mask


def test_mask_folder_by_frame_number(tmp_path: Path, said: list[str]) -> None:
    colour = np.zeros((4, 6, 4), dtype=np.uint8)
    colour[..., 3] = 255  # opaque, and nothing set
    write_masks(tmp_path / "1_gt", {"f_9.png": spot(0), "f_10.bmp": spot(255), "f_11.npy": spot(1), "f_12.png": colour})
    (tmp_path / "1_gt" / "Thumbs.db").write_bytes(b"x")
    masks = MaskSource(tmp_path, {"01": [10, 11, 12]}, warn=said.append)
    assert listed(masks.labels()) == {"01": [1, 1, 0]}
    np.testing.assert_array_equal(masks.mask("01", 11), spot(1) != 0)
    assert masks.mask("01", 12).shape == (4, 6)
    assert said == []


def test_mask_folder_by_order_where_only_the_counts_agree(tmp_path: Path, said: list[str]) -> None:
    write_masks(tmp_path / "01", {"1.png": spot(0), "2.png": spot(0), "10.png": spot(9)})
    assert listed(load_labels(tmp_path, {"01": [0, 1, 2]}, warn=said.append)) == {"01": [0, 0, 1]}
    assert said == [f"{tmp_path / '01'}: numbered 1 to 10, frames 0 to 2: matched by order"]


@pytest.mark.parametrize(
    ("first", "numbers", "left_out"),
    [(0, [1, 2], [3]), (1, [0, 1], [2]), (1, [1, 2], [3])],
    ids=["frames from 1", "masks from 1", "alike"],
)
def test_a_mask_of_a_frame_left_out_keeps_its_place(
    tmp_path: Path, first: int, numbers: list[int], left_out: list[int]
) -> None:
    write_masks(tmp_path / "01", {f"{first + at}.png": spot(at == 1) for at in range(3)})
    loaded = load_labels(tmp_path, {"01": numbers}, left_out={"01": left_out}, warn=lambda _: None)
    assert listed(loaded) == {"01": [0, 1]}


def test_a_frame_left_out_needs_no_mask(tmp_path: Path) -> None:
    write_masks(tmp_path / "01", {"1.png": spot(0), "3.png": spot(1)})
    assert listed(load_labels(tmp_path, {"01": [1, 3]}, left_out={"01": [2]})) == {"01": [0, 1]}


def test_a_cell_of_a_frame_left_out_keeps_its_place(tmp_path: Path) -> None:
    savemat(tmp_path / "1_label.mat", {"volLabel": cells(spot(0), spot(1), spot(0))})
    assert listed(load_labels(tmp_path, {"01": [1, 2]}, left_out={"01": [3]})) == {"01": [0, 1]}


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        ({"1.png": spot(0), "2.png": spot(0)}, "2 masks for the 3 frames of clip 01, 1 to 2 against 0 to 2"),
        ({"1.png": spot(0), "01.bmp": spot(0)}, "are the mask of frame 1"),
        ({"notes.png": spot(0)}, "expected mask folders .* neither there"),
    ],
)
def test_mask_folder_refused(tmp_path: Path, masks: dict[str, NDArray[np.uint8]], message: str) -> None:
    write_masks(tmp_path / "01", masks)
    with pytest.raises(LabelError, match=message):
        load_labels(tmp_path, {"01": [0, 1, 2]})


@pytest.mark.parametrize("name", ["0.png", "0.npy"])
def test_damaged_mask_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "01").mkdir()
    (tmp_path / "01" / name).write_bytes(b"not a picture")
    with pytest.raises(LabelError, match=rf"{name}: cannot be read"):
        load_labels(tmp_path, {"01": [0]})


def cells(*masks: NDArray[np.uint8]) -> NDArray[np.object_]:
    array = np.empty((1, len(masks)), dtype=object)
    for index, mask in enumerate(masks):
        array[0, index] = mask
    return array


@pytest.mark.parametrize(
    "variables",
    [
        {"volLabel": cells(spot(0), spot(1), spot(0))},  # Avenue's form
        {"volLabel": cells(spot(0), spot(1), spot(0)), "other": np.zeros((2, 2, 2))},
        {"gt": np.stack([spot(0), spot(1), spot(0)], axis=-1)},
        {"volLabel": cells(np.zeros((0, 0), np.uint8), spot(1), np.zeros((0, 0), np.uint8))},
    ],
)
def test_mat(tmp_path: Path, variables: dict[str, NDArray[np.generic]]) -> None:
    savemat(tmp_path / "1_label.mat", variables, do_compression=True)
    for path in (tmp_path, tmp_path / "1_label.mat"):
        masks = MaskSource(path, {"01": [10, 11, 12]})
        assert listed(masks.labels()) == {"01": [0, 1, 0]}
        np.testing.assert_array_equal(masks.mask("01", 11), spot(1) != 0)
        assert masks.mask("01", 10).shape == (4, 6)


def test_mat_folder_of_several_clips(tmp_path: Path, said: list[str]) -> None:
    for clip, value in ((1, 0), (2, 1), (3, 0)):
        savemat(tmp_path / f"{clip}_label.mat", {"volLabel": cells(spot(value), spot(1))})
    assert listed(load_labels(tmp_path, {"01": [0, 1], "02": [1]}, warn=said.append)) == {"01": [0, 1], "02": [1]}
    assert len(said) == 2


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"volLabel": cells(spot(0))}, "clip 1: 1 labels for 2 frames, numbered 0 to 1"),
        ({"x": np.zeros((3, 3))}, "expected one cell array of masks .* it holds x double 3×3"),
        ({"a": np.zeros((2, 2, 2)), "b": np.zeros((2, 2, 2))}, "it holds a double 2×2×2, b double 2×2×2"),
        ({"volLabel": cells(np.zeros((0, 0), np.uint8), np.zeros((0, 0), np.uint8))}, "every mask is empty"),
    ],
)
def test_mat_refused(tmp_path: Path, variables: dict[str, NDArray[np.generic]], message: str) -> None:
    savemat(tmp_path / "1_label.mat", variables)
    with pytest.raises(LabelError, match=message):
        load_labels(tmp_path, {"1": [0, 1]})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512) + b"\x89HDF\r\n\x1a\n", r"v7\.3 \(HDF5\).*save\('-v7'"),
        (b"\x89HDF\r\n\x1a\n" + bytes(600), r"v7\.3 \(HDF5\)"),
        (b"nonsense" * 40, "not a MATLAB file that can be read"),
        (b"", "not a MATLAB file that can be read"),
    ],
)
def test_mat_that_scipy_cannot_read(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "1_label.mat").write_bytes(content)
    with pytest.raises(LabelError, match=message):
        load_labels(tmp_path, {"1": [0]})


def test_damaged_mat_is_named(tmp_path: Path) -> None:
    path = tmp_path / "1_label.mat"
    noise = np.random.default_rng(0).integers(0, 2, (40, 40, 9), dtype=np.uint8)
    savemat(path, {"gt": noise}, do_compression=True)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(LabelError, match=r"1_label\.mat: (cannot read gt|not a MATLAB file)"):
        load_labels(path, {"1": list(range(9))})


def test_folder_of_both_kinds_is_refused(tmp_path: Path) -> None:
    write_masks(tmp_path / "01", {"0.png": spot(1)})
    savemat(tmp_path / "1_label.mat", {"volLabel": cells(spot(1))})
    with pytest.raises(LabelError, match="both there"):
        load_labels(tmp_path, {"01": [0]})
