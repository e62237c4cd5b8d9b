"""A TIFF of several pages is no frame; one with a thumbnail is."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from model.pictures import PictureError, decode_image
from model.tiff import MOST, page_count
from tests.model.drawn import encoded, picture


def chain(kinds: Sequence[int | None], *, order: str = "<", last: int = 0) -> bytes:
    """Directories alone, each with the type of its picture where that is not None; the last leads to `last`."""
    data = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8)
    for at, kind in enumerate(kinds):
        entries = [(256, 4, 1, 96), *([] if kind is None else [(254, 4, 1, kind)])]
        data += struct.pack(f"{order}H", len(entries))
        data += b"".join(struct.pack(f"{order}HHII", *entry) for entry in entries)
        data += struct.pack(f"{order}I", last if at == len(kinds) - 1 else len(data) + 4)
    return data


def stack(pages: int) -> bytes:
    whole, data = cv2.imencodemulti(".tif", [picture(at) for at in range(pages)])
    assert whole
    return np.asarray(data).tobytes()


def test_a_stack_of_pictures_is_refused_with_their_number() -> None:
    with pytest.raises(PictureError, match=r"holds 3 pictures.* convert it to single pictures or a video"):
        decode_image(stack(3))
    assert decode_image(stack(1)).shape == (64, 96)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("kinds", "pages"), [([None], 1), ([0, 1], 1), ([None, 4], 1), ([2, 2], 2), ([None] * 40, 40)])
def test_small_copies_and_masks_are_no_pages(order: str, kinds: list[int | None], pages: int) -> None:
    assert page_count(chain(kinds, order=order)) == pages


def test_a_chain_without_an_end_is_left() -> None:
    assert page_count(chain([None, None], last=8)) == 2
    assert page_count(chain([None] * MOST)) == MOST // 2  # each has an entry, and is one itself
    overlapping = bytearray(b"\xff" * 800_000)  # directories of 65,535 entries, each two bytes behind the other
    overlapping[:8] = struct.pack("<2sHI", b"II", 42, 8)
    assert page_count(bytes(overlapping)) <= 2


@pytest.mark.parametrize("data", [b"", b"II*\0", b"II*\0\xff\xff\xff\xff", encoded(".png")])
def test_other_data_has_no_pages(data: bytes) -> None:
    assert page_count(data) == 0


def test_damage_ends_the_count() -> None:
    whole = chain([None, None])
    assert page_count(whole[:30]) == 1
