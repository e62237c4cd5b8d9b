"""Ground truth: which frames are abnormal, and which pixels of them."""

from __future__ import annotations

import csv
import logging
import re
import zipfile
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat, whosmat

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]
Warn = Callable[[str], None]

MASK_SUFFIXES = frozenset({".png", ".bmp", ".npy"})
# What data sets append to a clip's name to name its ground truth: UCSD "Test001_gt", Avenue "1_label.mat".
_GROUND_TRUTH_ENDING = re.compile(r"[_-](gt|labels?|masks?)$", re.IGNORECASE)
_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"

_log = logging.getLogger(__name__)


class LabelError(Exception):
    """Labels that cannot be read or do not fit the footage; the message says what, where, and what to do."""


def load_labels(
    path: Path, clips: Mapping[str, Sequence[int]], *, warn: Warn = _log.warning
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
        warn: called with what was left out or matched by a weaker rule.

    Returns:
        By clip name: bool (N,), one a frame number of `clips`, in that order.

    Raises:
        LabelError: unreadable labels, values other than 0 and 1, a clip without labels, or labels that fit neither
            a clip's frame count nor its frame numbers.
    """
    if not path.exists():
        raise LabelError(f"{path}: no such file or folder of labels")
    suffix = path.suffix.lower()
    if path.is_dir() or suffix == ".mat":
        return MaskSource(path, clips, warn=warn).labels()
    if suffix == ".npz":
        return _read_npz(path, clips, warn)
    if suffix == ".csv":
        return _read_csv(path, clips, warn)
    raise LabelError(f"{path}: labels are a .npz, .csv or .mat file, a folder of mask folders or of .mat files")


class MaskSource:
    """Pixel masks of the scored frames, read when asked for.

    A folder of mask folders holds `<clip>/<frame>.png|bmp|npy`: any value but 0 is abnormal; matched by frame number
    (the last run of digits of the file name), or by order where the numbering differs and the counts agree. A `.mat`
    file, or a folder of them, one file a clip (`1_label.mat`), holds Avenue's `volLabel` (a 1×N cell array of H×W
    masks; Lu, Shi, Jia, ICCV 2013) or one H×W×N array of any name; the last file read is kept in memory.

    Everything but the pixels is checked when the source is opened.

    Args:
        path: the folder, or the `.mat` file.
        clips: frame numbers scored, by clip name, as for `load_labels`.
        warn: called with what was left out or matched by a weaker rule.

    Raises:
        LabelError: as `load_labels`.
    """

    def __init__(self, path: Path, clips: Mapping[str, Sequence[int]], *, warn: Warn = _log.warning) -> None:
        self._masks: dict[str, dict[int, Path | tuple[_MatVariable, int]]] = {}
        self._numbers = {clip: list(numbers) for clip, numbers in clips.items()}
        self._open: tuple[_MatVariable, Sequence[NDArray[np.generic]]] | None = None
        folders, mats = _mask_sources(path)
        sources: dict[str, Path] = folders or mats
        for clip, name in _match_clips(path, clips, sources, warn).items():
            numbers = self._numbers[clip]
            if folders:
                files = _mask_files(sources[name])
                if not set(numbers) <= files.keys():
                    if len(files) != len(numbers):
                        raise LabelError(
                            f"{sources[name]}: {len(files)} masks for the {len(numbers)} frames of clip {clip}, "
                            f"{_span(files)} against {_span(numbers)}: neither the frame numbers nor the counts agree"
                        )
                    warn(f"{sources[name]}: numbered {_span(files)}, frames {_span(numbers)}: matched by order")
                    files = dict(zip(sorted(numbers), files.values(), strict=True))
                self._masks[clip] = {number: files[number] for number in numbers}
            else:
                variable = _mat_variable(sources[name])
                index = _indices(sources[name], clip, variable.count, numbers, warn)
                self._masks[clip] = {n: (variable, int(i)) for n, i in zip(numbers, index, strict=True)}

    def mask(self, clip: str, number: int) -> NDArray[np.bool_]:
        """The mask of one scored frame: bool (H, W), true where abnormal.

        Raises:
            LabelError: the mask cannot be read.
            KeyError: the frame is not among those the source was opened for.
        """
        entry = self._masks[clip][number]
        if isinstance(entry, Path):
            return _read_mask(entry)
        variable, index = entry
        if self._open is None or self._open[0] is not variable:
            self._open = None  # frees the last clip's masks before the next are read
            self._open = (variable, variable.load())
        masks = self._open[1]
        mask = np.asarray(masks[index])
        if mask.size == 0:  # a cell left empty: nothing abnormal
            shape = next((other.shape for other in masks if other.size), None)
            if shape is None:
                raise LabelError(f"{variable.path}: every mask is empty, so their size is unknown")
            return np.zeros(shape, dtype=np.bool_)
        return np.asarray(mask != 0)

    def labels(self) -> dict[str, NDArray[np.bool_]]:
        """Whether any pixel is set, by clip: bool (N,), in the order of the clip's frame numbers."""
        return {
            clip: np.array([self.mask(clip, number).any() for number in numbers], dtype=np.bool_)
            for clip, numbers in self._numbers.items()
        }


@dataclass(frozen=True, slots=True, eq=False)
class _MatVariable:
    path: Path
    name: str
    count: int
    cells: bool

    def load(self) -> Sequence[NDArray[np.generic]]:
        try:
            value = loadmat(self.path, variable_names=[self.name])[self.name]
        except Exception as error:  # scipy raises many kinds on damaged files (zlib, struct, TypeError, ...)
            raise LabelError(f"{self.path}: cannot read {self.name}: {error}") from error
        if not self.cells:
            return list(np.moveaxis(value, -1, 0))
        masks = [np.asarray(cell) for cell in value.ravel()]
        if any(mask.ndim != 2 or mask.dtype == object for mask in masks):
            raise LabelError(f"{self.path}: {self.name} must be a cell array of H×W masks")
        return masks


def _mat_variable(path: Path) -> _MatVariable:
    """The variable with the masks, found from the file's directory without reading the pixels."""
    with path.open("rb") as file:
        head = file.read(520)
    if head[:8] == _HDF5_SIGNATURE or head[512:] == _HDF5_SIGNATURE or head.startswith(b"MATLAB 7.3"):
        raise LabelError(
            f"{path}: a MATLAB v7.3 (HDF5) file, which is not read here; save it again in MATLAB or Octave: "
            f"load('{path.name}'); save('-v7', '{path.name}')"
        )
    try:
        contents = whosmat(path)
    except Exception as error:  # as in _MatVariable.load
        raise LabelError(f"{path}: not a MATLAB file that can be read: {error}") from error
    found = [
        _MatVariable(path, name, int(np.prod(shape)) if kind == "cell" else int(shape[-1]), kind == "cell")
        for name, shape, kind in contents
        if (kind == "cell" and len(shape) == 2 and 1 in shape) or (kind not in ("cell", "struct") and len(shape) == 3)
    ]
    if len(found) > 1:
        found = [variable for variable in found if variable.name == "volLabel"] or found
    if len(found) != 1:
        listing = ", ".join(f"{name} {kind} {'×'.join(map(str, shape))}" for name, shape, kind in contents)
        raise LabelError(
            f"{path}: expected one cell array of masks (volLabel) or one H×W×N array; it holds {listing or 'nothing'}"
        )
    return found[0]


def _mask_sources(path: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """(mask folders, .mat files) by clip name; one of the two is empty."""
    if not path.exists():
        raise LabelError(f"{path}: no such file or folder of masks")
    if path.is_file():
        if path.suffix.lower() != ".mat":
            raise LabelError(f"{path}: masks are a folder of mask folders, a .mat file or a folder of .mat files")
        return {}, {_GROUND_TRUTH_ENDING.sub("", path.stem): path}
    entries = sorted(entry for entry in path.iterdir() if not entry.name.startswith("."))
    folders = [entry for entry in entries if entry.is_dir() and _mask_files(entry)]
    mats = [entry for entry in entries if entry.is_file() and entry.suffix.lower() == ".mat"]
    if bool(folders) == bool(mats):
        found = "both" if folders else "neither"
        raise LabelError(
            f"{path}: expected mask folders (<clip>/<frame>.png, .bmp or .npy) or .mat files: {found} there"
        )
    sources: dict[str, Path] = {}
    for entry in folders or mats:
        name = _GROUND_TRUTH_ENDING.sub("", entry.name if folders else entry.stem)
        if name in sources:
            raise LabelError(f"{path}: both {sources[name].name} and {entry.name} hold masks of clip {name}")
        sources[name] = entry
    return (sources, {}) if folders else ({}, sources)


def _mask_files(folder: Path) -> dict[int, Path]:
    """Mask files by frame number, in numeric order."""
    files: dict[int, Path] = {}
    for file in folder.iterdir():
        digits = re.findall(r"\d+", file.stem)
        if file.suffix.lower() not in MASK_SUFFIXES or file.name.startswith(".") or not digits:
            continue
        number = int(digits[-1])
        if number in files:
            raise LabelError(f"{folder}: both {files[number].name} and {file.name} are the mask of frame {number}")
        files[number] = file
    return dict(sorted(files.items()))


def _read_mask(path: Path) -> BoolArray:
    try:
        if path.suffix.lower() == ".npy":
            mask = np.load(path, allow_pickle=False)
        else:
            mask = cv2.imdecode(np.fromfile(path, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    except (OSError, ValueError, cv2.error) as error:
        raise LabelError(f"{path}: cannot be read as a mask: {error}") from error
    if mask is None or mask.ndim not in (2, 3) or mask.size == 0:
        raise LabelError(f"{path}: cannot be read as an H×W mask")
    if mask.ndim == 3:
        mask = mask[..., :3].any(axis=-1)  # an alpha channel is set everywhere and says nothing
    return np.asarray(mask != 0)


def _read_npz(path: Path, clips: Mapping[str, Sequence[int]], warn: Warn) -> dict[str, BoolArray]:
    labels: dict[str, BoolArray] = {}
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            for clip, name in _match_clips(path, clips, archive.files, warn).items():
                values = np.asarray(archive[name])
                if values.ndim != 1 or values.dtype.kind not in "biuf":
                    raise LabelError(
                        f"{path}: {name} must be one 0 or 1 a frame; it is {values.dtype} of shape {values.shape}"
                    )
                if not np.isin(values, (0, 1)).all():
                    wrong = values[~np.isin(values, (0, 1))][0]
                    raise LabelError(f"{path}: {name} holds {wrong}: labels are 0 (normal) or 1 (abnormal)")
                labels[clip] = values[_indices(path, clip, len(values), clips[clip], warn)] != 0
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
        for clip, name in _match_clips(path, clips, marked, warn).items()
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
        warn(f"{path}: {outside} of {len(marked)} rows of clip {clip} name no scored frame ({_span(numbers)})")
    return np.asarray(labels == 1)


def _whole(at: str, row: Mapping[str, str], column: str) -> int:
    try:
        return int(row.get(column, ""))
    except ValueError:
        raise LabelError(f"{at}: {column} must be a whole number; it is {row.get(column, '')!r}") from None


def _match_clips(path: Path, clips: Collection[str], names: Collection[str], warn: Warn) -> dict[str, str]:
    """The label source of every clip: the one of the same name, else the one of the same number ("1" is "01")."""
    by_number: dict[int, list[str]] = {}
    for name in names:
        if name.isdecimal() and name not in clips:
            by_number.setdefault(int(name), []).append(name)
    matched: dict[str, str] = {}
    missing: list[str] = []
    for clip in clips:
        same = [clip] if clip in names else by_number.get(int(clip), []) if clip.isdecimal() else []
        if len(same) > 1 or (same and same[0] in matched.values()):
            raise LabelError(f"{path}: which labels are those of clip {clip}? {_listing(same)} have the same number")
        if same:
            matched[clip] = same[0]
        else:
            missing.append(clip)
    if missing:
        raise LabelError(f"{path}: no labels for clips {_listing(missing)}; there are labels for {_listing(names)}")
    unused = [name for name in names if name not in set(matched.values())]
    if unused:
        warn(f"{path}: labels for clips that were not scored are left out: {_listing(unused)}")
    return matched


def _indices(path: Path, clip: str, count: int, numbers: Sequence[int], warn: Warn) -> IntArray:
    """Which of `count` labels belongs to each frame: by rank where the counts agree, else by frame number."""
    wanted = np.asarray(numbers, dtype=np.int64)
    if len(wanted) == count:
        ranks = np.empty(count, dtype=np.int64)
        ranks[np.argsort(wanted, kind="stable")] = np.arange(count)
        return ranks
    if len(wanted) and not 0 <= wanted.min() <= wanted.max() < count:
        raise LabelError(
            f"{path}: clip {clip}: {count} labels for {len(wanted)} frames, numbered {_span(wanted)}: neither the "
            f"counts agree nor does every frame number fall within the labels (counted from 0)"
        )
    warn(f"{path}: clip {clip}: {count} labels for {len(wanted)} frames: matched by frame number, counted from 0")
    return wanted


def _span(numbers: Collection[int] | IntArray) -> str:
    return f"{min(numbers)} to {max(numbers)}" if len(numbers) else "none"


def _listing(names: Collection[str], most: int = 20) -> str:
    shown = ", ".join(sorted(names)[:most])
    return (f"{shown} and {len(names) - most} more" if len(names) > most else shown) or "none"
