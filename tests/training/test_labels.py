from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.io import savemat

from training.label_matching import LabelError
from training.labels import load_labels
from training.masks import MaskSource


def listed(labels: dict[str, NDArray[np.bool_]]) -> dict[str, list[int]]:
    return {clip: values.astype(int).tolist() for clip, values in labels.items()}


def write_npz(path: Path, arrays: Mapping[str, Sequence[object]]) -> Path:
    np.savez(path, allow_pickle=False, **{name: np.array(values) for name, values in arrays.items()})
    return path


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


@pytest.mark.parametrize(
    ("labels", "numbers", "expected"),
    [
        ([0, 1, 1], [0, 1, 2], [0, 1, 1]),
        ([0, 1, 1], [7, 8, 20], [0, 1, 1]),  # counts agree: by rank, whatever the numbers
        ([0, 0, 1], [20, 7, 8], [1, 0, 0]),  # ... and in the order asked for
        ([0, 1, 0, 1], [1, 3], [1, 1]),  # counts differ: by number
        ([False, True], [0, 1], [0, 1]),
        ([0.0, 1.0], [0, 1], [0, 1]),
        ([1, 0], [], []),
    ],
)
def test_npz_is_aligned_with_the_frames(
    tmp_path: Path, labels: list[float], numbers: list[int], expected: list[int]
) -> None:
    write_npz(tmp_path / "labels.npz", {"01": labels})
    loaded = load_labels(tmp_path / "labels.npz", {"01": numbers}, warn=lambda _: None)
    assert listed(loaded) == {"01": expected}
    assert loaded["01"].dtype == np.bool_


@pytest.mark.parametrize(
    ("arrays", "clips", "message"),
    [
        ({"01": [0, 1]}, {"01": [0, 1, 2]}, "clip 01: 2 labels for 3 frames, numbered 0 to 2"),
        ({"01": [0, 1, 1]}, {"01": [2, 3]}, "clip 01: 3 labels for 2 frames, numbered 2 to 3"),
        ({"01": [0, 2]}, {"01": [0, 1]}, "01 holds 2: labels are 0 "),
        ({"01": [0.5, 1]}, {"01": [0, 1]}, r"01 holds 0\.5"),
        ({"01": [[0, 1]]}, {"01": [0, 1]}, r"int64 of shape \(1, 2\)"),
        ({"01": ["0", "1"]}, {"01": [0, 1]}, "must be one 0 or 1 a frame"),
        (
            {"01": [0], "02": [1]},
            {"01": [0], "3": [0], "b": [0]},
            "no labels for clips 3, b; there are labels for 01, 02",
        ),
        ({"01": [0], "001": [1]}, {"1": [0]}, "which labels are those of clip 1. 001, 01 have the same number"),
        ({"01": [0]}, {"1": [0], "001": [0]}, "which labels are those of clip 001"),
    ],
)
def test_npz_refused(tmp_path: Path, arrays: dict[str, list[int]], clips: dict[str, list[int]], message: str) -> None:
    write_npz(tmp_path / "labels.npz", arrays)
    with pytest.raises(LabelError, match=message):
        load_labels(tmp_path / "labels.npz", clips)


def test_clips_match_by_name_then_by_number(tmp_path: Path, said: list[str]) -> None:
    write_npz(tmp_path / "l.npz", {"1": [0], "01": [1], "street": [1], "9": [0]})
    loaded = load_labels(tmp_path / "l.npz", {"01": [0], "street": [0], "009": [0]}, warn=said.append)
    assert listed(loaded) == {"01": [1], "street": [1], "009": [0]}
    assert said == [f"{tmp_path / 'l.npz'}: labels for clips that were not scored are left out: 1"]


def test_matching_by_number_is_said(tmp_path: Path, said: list[str]) -> None:
    write_npz(tmp_path / "l.npz", {"01": [0, 0, 1]})
    load_labels(tmp_path / "l.npz", {"01": [0, 2]}, warn=said.append)
    assert said == [f"{tmp_path / 'l.npz'}: clip 01: 3 labels for 2 frames: matched by frame number, counted from 0"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("clip,frame,label\n1,5,1\n1,6,0\n2,5,0\n", {"01": [0, 1, 0], "02": [0, 0]}),
        ("\ufeffClip, Frame, Label, note\n01,7,1,x\n\n02,6,1,\n", {"01": [0, 0, 1], "02": [0, 1]}),
        ("label,clip,frame\n1,01,4\n1,01,4\n0,02,5\n", {"01": [1, 0, 0], "02": [0, 0]}),
        ("clip,start,end\n01,5,6\n02,,\n", {"01": [0, 1, 0], "02": [0, 0]}),
        ("clip,start,end\n01,0,4\n01,7,7\n02,1,100\n", {"01": [1, 0, 1], "02": [1, 1]}),
    ],
)
def test_csv(tmp_path: Path, text: str, expected: dict[str, list[int]]) -> None:
    (tmp_path / "l.csv").write_text(text, encoding="utf-8")
    assert listed(load_labels(tmp_path / "l.csv", {"01": [4, 5, 7], "02": [5, 6]}, warn=lambda _: None)) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the first line must be clip,frame,label or clip,start,end; it is ''"),
        ("01,5,1\n", "it is '01,5,1'"),
        ("clip,frame,label\n01,5,2\n", "line 2: label 2"),
        ("clip,frame,label\n01,x,1\n", "line 2: frame must be a whole number; it is 'x'"),
        ("clip,frame,label\n01,5\n", "line 2: label must be a whole number; it is ''"),
        ("clip,frame,label\n01,5,1\n01,5,0\n", "frame 5 of clip 01 is labelled both 0 and 1"),
        ("clip,start,end\n01,7,5\n", "ends at frame 5, before it starts at 7"),
        ("clip,start,end\n01,7,\n", "end must be a whole number"),
        ("clip,start,end\n02,7,8\n", "no labels for clips 01; there are labels for 02"),
    ],
)
def test_csv_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "l.csv").write_text(text)
    with pytest.raises(LabelError, match=message):
        load_labels(tmp_path / "l.csv", {"01": [5]})


def test_csv_rows_of_no_scored_frame_are_said(tmp_path: Path, said: list[str]) -> None:
    (tmp_path / "l.csv").write_text("clip,start,end\n01,1,3\n01,6,9\n")
    assert listed(load_labels(tmp_path / "l.csv", {"01": [4, 5, 6]}, warn=said.append)) == {"01": [0, 0, 1]}
    assert said == [f"{tmp_path / 'l.csv'}: 1 of 2 rows of clip 01 name no scored frame (4 to 6)"]


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


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("absent.npz", None, "no such file or folder"),
        ("labels.txt", b"0 1", r"labels are a \.npz, \.csv or \.mat"),
        ("labels.npz", b"0 1", r"cannot be read as \.npz"),
        ("labels.npz", b"PK\x03\x04 cut", r"cannot be read as \.npz"),
        ("labels.csv", b"clip,frame,label\n\xff,1,1", "cannot be read as CSV"),
    ],
)
def test_unreadable_labels(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(LabelError, match=message):
        load_labels(tmp_path / name, {"01": [0]})


def test_folder_of_both_kinds_is_refused(tmp_path: Path) -> None:
    write_masks(tmp_path / "01", {"0.png": spot(1)})
    savemat(tmp_path / "1_label.mat", {"volLabel": cells(spot(1))})
    with pytest.raises(LabelError, match="both there"):
        load_labels(tmp_path, {"01": [0]})


@pytest.mark.footage
def test_ped2_labels_agree_with_its_masks(footage: Path) -> None:
    ped2 = footage / "ped2"
    clips = {
        folder.name: sorted(int(file.stem) for file in folder.glob("*.jpg"))
        for folder in sorted((ped2 / "testing" / "frames").iterdir())
    }
    labels = load_labels(ped2 / "labels.npz", clips)
    assert sum(len(values) for values in labels.values()) == 2010
    assert sum(int(values.sum()) for values in labels.values()) == 1648
    assert [clip for clip, values in labels.items() if values.all()] == ["08", "09", "10", "11"]
    from_masks = load_labels(ped2 / "testing" / "masks", clips)
    assert listed(from_masks) == listed(labels)
    assert MaskSource(ped2 / "testing" / "masks", clips).mask("01", 100).shape == (240, 360)
