"""Pictures of 16 bits that use only the lowest are found by the first of a clip."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from model.clips import FolderClip
from model.deep_pictures import bits_used
from model.footage import open_footage

RAMP = np.linspace(0, 65_535, 64 * 96).reshape(64, 96).astype(np.uint16)
OPAQUE = np.dstack([RAMP >> 4] * 3 + [np.full_like(RAMP, 65_535)])


def used(folder: Path, name: str, image: NDArray[np.unsignedinteger] | None) -> int | None:
    if image is None:
        (folder / name).write_bytes(b"")
    else:
        assert cv2.imwrite(str(folder / name), image)
    with open_footage([folder]) as footage:
        (clip,) = footage.clips
        assert isinstance(clip, FolderClip)
        return bits_used(clip)


@pytest.mark.parametrize("ending", [".png", ".tif"])
@pytest.mark.parametrize(
    ("image", "bits"),
    [
        (RAMP, None),
        (RAMP >> 1, None),
        (RAMP >> 2, 14),
        (RAMP >> 4, 12),
        (RAMP >> 6, 10),
        (OPAQUE, 12),
        (RAMP * 0, None),
        ((RAMP >> 8).astype(np.uint8), None),
        (None, None),
    ],
    ids=["16", "15", "14", "12", "10", "12, with alpha", "black", "8", "empty"],
)
def test_the_bits_that_a_clip_uses_of_16(
    tmp_path: Path, ending: str, image: NDArray[np.unsignedinteger] | None, bits: int | None
) -> None:
    assert used(tmp_path, f"1{ending}", image) == bits


def test_other_kinds_of_pictures_have_8(tmp_path: Path) -> None:
    assert used(tmp_path, "1.jpg", (RAMP >> 12).astype(np.uint8)) is None
