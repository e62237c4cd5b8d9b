"""Ground truth: which pixels of a frame are abnormal."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.label_matching import LabelError, Warn, indices, match_clips, span
from training.mat import MatVariable, find_variable

MASK_SUFFIXES = frozenset({".png", ".bmp", ".npy"})
# What data sets append to a clip's name to name its ground truth: UCSD "Test001_gt", Avenue "1_label.mat".
_GROUND_TRUTH_ENDING = re.compile(r"[_-](gt|labels?|masks?)$", re.IGNORECASE)

_log = logging.getLogger(__name__)


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
        left_out: numbers of the frames that cannot be read, as for `load_labels`.
        warn: called with what was left out or matched by a weaker rule.

    Raises:
        LabelError: as `load_labels`.
    """

    def __init__(
        self,
        path: Path,
        clips: Mapping[str, Sequence[int]],
        *,
        left_out: Mapping[str, Sequence[int]] | None = None,
        warn: Warn = _log.warning,
    ) -> None:
        self._masks: dict[str, dict[int, Path | tuple[MatVariable, int]]] = {}
        self._numbers = {clip: list(numbers) for clip, numbers in clips.items()}
        self._open: tuple[MatVariable, Sequence[NDArray[np.generic]]] | None = None
        folders, mats = _mask_sources(path)
        sources: dict[str, Path] = folders or mats
        for clip, name in match_clips(path, clips, sources, warn).items():
            numbers = self._numbers[clip]
            missing = (left_out or {}).get(clip, ())
            if folders:
                files = _mask_files(sources[name])
                every = sorted([*numbers, *missing])
                if not set(every) <= files.keys() and len(files) == len(every):
                    warn(f"{sources[name]}: numbered {span(files)}, frames {span(every)}: matched by order")
                    files = dict(zip(every, files.values(), strict=True))
                elif not set(numbers) <= files.keys():
                    raise LabelError(
                        f"{sources[name]}: {len(files)} masks for the {len(every)} frames of clip {clip}, "
                        f"{span(files)} against {span(every)}: neither the frame numbers nor the counts agree"
                    )
                self._masks[clip] = {number: files[number] for number in numbers}
            else:
                variable = find_variable(sources[name])
                index = indices(sources[name], clip, variable.count, numbers, missing, warn)
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


def _read_mask(path: Path) -> NDArray[np.bool_]:
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
