"""Which label belongs to which scored frame: sources to clips by name, labels to frames by count or number."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.listing import listed

Warn = Callable[[str], None]


class LabelError(Exception):
    """Labels that cannot be read or do not fit the footage; the message says what, where, and what to do."""


def match_clips(path: Path, clips: Collection[str], names: Collection[str], warn: Warn) -> dict[str, str]:
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
            raise LabelError(f"{path}: which labels are those of clip {clip}? {listing(same)} have the same number")
        if same:
            matched[clip] = same[0]
        else:
            missing.append(clip)
    if missing:
        raise LabelError(f"{path}: no labels for clips {listing(missing)}; there are labels for {listing(names)}")
    unused = [name for name in names if name not in set(matched.values())]
    if unused:
        warn(f"{path}: labels for clips that were not scored are left out: {listing(unused)}")
    return matched


def indices(
    path: Path, clip: str, count: int, numbers: Sequence[int], left_out: Sequence[int], warn: Warn
) -> NDArray[np.int64]:
    """Which of `count` labels belongs to each frame: by rank where the counts agree, else by frame number.

    A frame ranks among all of its clip, since labels are made for those that were `left_out` too.
    """
    wanted = np.asarray(numbers, dtype=np.int64)
    every = np.sort(np.append(wanted, np.asarray(left_out, dtype=np.int64)))
    if len(every) == count:
        return np.searchsorted(every, wanted)
    if len(wanted) and not 0 <= wanted.min() <= wanted.max() < count:
        raise LabelError(
            f"{path}: clip {clip}: {count} labels for {len(every)} frames, numbered {span(every)}: neither the "
            f"counts agree nor does every frame number fall within the labels (counted from 0)"
        )
    warn(f"{path}: clip {clip}: {count} labels for {len(every)} frames: matched by frame number, counted from 0")
    return wanted


def span(numbers: Collection[int] | NDArray[np.int64]) -> str:
    return f"{min(numbers)} to {max(numbers)}" if len(numbers) else "none"


def listing(names: Collection[str], most: int = 20) -> str:
    return listed(sorted(names), most) or "none"
