"""Ground truth: which frames are abnormal."""

from __future__ import annotations

import csv
import logging
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.label_matching import LabelError, Warn, indices, match_clips, span
from training.masks import MaskSource

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

_log = logging.getLogger(__name__)


def load_labels(
    path: Path,
    clips: Mapping[str, Sequence[int]],
    *,
    left_out: Mapping[str, Sequence[int]] | None = None,
    warn: Warn = _log.warning,
) -> dict[str, NDArray[np.bool_]]:
    """Reads the label of every scored frame.

    Args:
        path: one of
            `.npz`: one array a clip, one 0/1 a frame, in frame order (by frame number, counted from 0, where the
            array is longer than the clip);
            a folder of mask folders or of `.mat` files, or one `.mat` file: see `MaskSource`; a frame is abnormal
            if any pixel of its mask is set;
            `.csv` with the header `clip,frame,label` (frames not listed are 0) or `clip,start,end` (abnormal
            intervals, both ends included; a clip without any is a row with both ends empty).
        clips: frame numbers scored, by clip name. Clips are matched by the same name, else by the same number.
        left_out: numbers of the frames that cannot be read, by clip name; a frame's rank counts them.
        warn: called with what was left out or matched by a weaker rule.

    Returns:
        By clip name: bool (N,), one a frame number of `clips`, in that order.

    Raises:
        LabelError: unreadable labels, values other than 0 and 1, a clip without labels, or labels that fit neither
            a clip's frame count nor its frame numbers.
    """
    left_out = left_out or {}
    if not path.exists():
        raise LabelError(f"{path}: no such file or folder of labels")
    suffix = path.suffix.lower()
    if path.is_dir() or suffix == ".mat":
        return MaskSource(path, clips, left_out=left_out, warn=warn).labels()
    if suffix == ".npz":
        return _read_npz(path, clips, left_out, warn)
    if suffix == ".csv":
        return _read_csv(path, clips, warn)
    raise LabelError(f"{path}: labels are a .npz, .csv or .mat file, a folder of mask folders or of .mat files")


def _read_npz(
    path: Path, clips: Mapping[str, Sequence[int]], left_out: Mapping[str, Sequence[int]], warn: Warn
) -> dict[str, BoolArray]:
    labels: dict[str, BoolArray] = {}
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            for clip, name in match_clips(path, clips, archive.files, warn).items():
                values = np.asarray(archive[name])
                if values.ndim != 1 or values.dtype.kind not in "biuf":
                    raise LabelError(
                        f"{path}: {name} must be one 0 or 1 a frame; it is {values.dtype} of shape {values.shape}"
                    )
                if not np.isin(values, (0, 1)).all():
                    wrong = values[~np.isin(values, (0, 1))][0]
                    raise LabelError(f"{path}: {name} holds {wrong}: labels are 0 (normal) or 1 (abnormal)")
                labels[clip] = values[indices(path, clip, len(values), clips[clip], left_out.get(clip, ()), warn)] != 0
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise LabelError(f"{path}: cannot be read as .npz: {error}") from error
    return labels


def _read_csv(path: Path, clips: Mapping[str, Sequence[int]], warn: Warn) -> dict[str, BoolArray]:
    marked: dict[str, list[tuple[int, int, int]]] = {}  # first frame, last frame, label
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            header = [name.strip().lower() for name in next(reader, [])]
            frames = {"clip", "frame", "label"} <= set(header)
            if not frames and not {"clip", "start", "end"} <= set(header):
                raise LabelError(
                    f"{path}: the first line must be clip,frame,label or clip,start,end; it is {','.join(header)!r}"
                )
            for cells in reader:
                if not any(cells):
                    continue
                row = dict(zip(header, (cell.strip() for cell in cells), strict=False))
                at = f"{path}, line {reader.line_num}"
                entries = marked.setdefault(row.get("clip", ""), [])
                if frames:
                    first = last = _whole(at, row, "frame")
                    label = _whole(at, row, "label")
                elif not row.get("start") and not row.get("end"):
                    continue
                else:
                    first, last, label = _whole(at, row, "start"), _whole(at, row, "end"), 1
                if label not in (0, 1):
                    raise LabelError(f"{at}: label {label}: labels are 0 (normal) or 1 (abnormal)")
                if last < first:
                    raise LabelError(f"{at}: the interval ends at frame {last}, before it starts at {first}")
                entries.append((first, last, label))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LabelError(f"{path}: cannot be read as CSV: {error}") from error
    return {
        clip: _mark(path, clip, marked[name], np.asarray(clips[clip], dtype=np.int64), warn)
        for clip, name in match_clips(path, clips, marked, warn).items()
    }


def _mark(path: Path, clip: str, marked: list[tuple[int, int, int]], numbers: IntArray, warn: Warn) -> BoolArray:
    order = np.argsort(numbers, kind="stable")
    in_order = numbers[order]
    labels = np.full(len(numbers), -1)  # -1: not listed
    outside = 0
    for first, last, label in marked:
        start, stop = np.searchsorted(in_order, [first, last + 1])
        outside += int(start == stop)
        where = order[start:stop]
        if (labels[where] == 1 - label).any():
            raise LabelError(f"{path}: frame {first} of clip {clip} is labelled both 0 and 1")
        labels[where] = label
    if outside:
        warn(f"{path}: {outside} of {len(marked)} rows of clip {clip} name no scored frame ({span(numbers)})")
    return np.asarray(labels == 1)


def _whole(at: str, row: Mapping[str, str], column: str) -> int:
    try:
        return int(row.get(column, ""))
    except ValueError:
        raise LabelError(f"{at}: {column} must be a whole number; it is {row.get(column, '')!r}") from None
