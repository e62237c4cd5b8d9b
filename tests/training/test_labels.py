from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.training.labelled import listed
from training.label_matching import LabelError
from training.labels import load_labels
from training.masks import MaskSource


def write_npz(path: Path, arrays: Mapping[str, Sequence[object]]) -> Path:
    np.savez(path, allow_pickle=False, **{name: np.array(values) for name, values in arrays.items()})
    return path


@pytest.fixture
def said() -> list[str]:
    return []


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


@pytest.mark.parametrize(
    ("numbers", "left_out", "expected"),
    [
        ([1, 2, 4], [3], [0, 1, 1]),  # numbered from 1, one within
        ([1, 2, 3], [4], [0, 1, 0]),  # ... and the last, so that every number is an index too
        ([2, 3, 4], [1], [1, 0, 1]),
        ([30, 40], [10, 20], [0, 1]),
    ],
)
def test_a_frame_ranks_among_all_of_its_clip_those_left_out_too(
    tmp_path: Path, said: list[str], numbers: list[int], left_out: list[int], expected: list[int]
) -> None:
    write_npz(tmp_path / "l.npz", {"01": [0, 1, 0, 1]})
    loaded = load_labels(tmp_path / "l.npz", {"01": numbers}, left_out={"01": left_out}, warn=said.append)
    assert listed(loaded) == {"01": expected}
    assert said == []


def test_labels_of_the_good_frames_alone_are_not_those_of_a_clip_with_a_bad_one(tmp_path: Path) -> None:
    write_npz(tmp_path / "l.npz", {"01": [0, 1, 0]})
    with pytest.raises(LabelError, match="clip 01: 3 labels for 4 frames, numbered 0 to 3"):
        load_labels(tmp_path / "l.npz", {"01": [0, 2, 3]}, left_out={"01": [1]})


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
