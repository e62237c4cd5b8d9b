"""Masks in MATLAB files: found without reading the pixels, then loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat, whosmat

from training.label_matching import LabelError

_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True, slots=True, eq=False)
class MatVariable:
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


def find_variable(path: Path) -> MatVariable:
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
    except Exception as error:  # as in MatVariable.load
        raise LabelError(f"{path}: not a MATLAB file that can be read: {error}") from error
    found = [
        MatVariable(path, name, int(np.prod(shape)) if kind == "cell" else int(shape[-1]), kind == "cell")
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
