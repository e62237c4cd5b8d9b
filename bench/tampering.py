"""How surely tampering is found on real footage, and how seldom it is found where there is none.

Every clip is judged as it is, and then anew with its second half covered, frozen, flipped, mirrored, turned or moved by
15 % for ten seconds (where it is long enough). The reference is the mean picture of the camera's footage, as a
checkpoint has it.

    python -m bench.tampering [FOLDER]
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from model.footage import open_footage
from model.frames import Geometry, prepare, reference_of
from model.pictures import Image
from model.tampering import EVERY, LASTS, Guard

Looks = list[tuple[float, Image]]

CAMERAS = {
    "UCSD Ped2, 28 clips": (["ped2/training/frames", "ped2/testing/frames"], 10.0),
    "CUHK Avenue, 4 clips": (["avenue"], None),
    "OpenCV's vtest": (["clips/vtest.avi"], None),
}
HEIGHT = 240
DURING = 10.0
"""Seconds of tampering, at most."""


def covered(image: Image) -> Image:
    return np.full_like(image, 30)


def upside_down(image: Image) -> Image:
    return np.ascontiguousarray(image[::-1])


def mirrored(image: Image) -> Image:
    return np.ascontiguousarray(image[:, ::-1])


def turned(image: Image) -> Image:
    return np.ascontiguousarray(image[::-1, ::-1])


def moved_right(image: Image) -> Image:
    by = round(0.15 * image.shape[1])
    return np.concatenate([image[:, by:], image[:, -2 : -by - 2 : -1]], axis=1)


def moved_down(image: Image) -> Image:
    return np.ascontiguousarray(moved_right(image.T).T)


CHANGES: dict[str, tuple[Callable[[Image], Image] | None, str]] = {
    "covered": (covered, "covered"),
    "frozen": (None, "frozen"),
    "upside down": (upside_down, "flipped"),
    "mirrored": (mirrored, "flipped"),
    "turned by 180°": (turned, "flipped"),
    "moved right by 15 %": (moved_right, "moved"),
    "moved down by 15 %": (moved_down, "moved"),
}


@dataclass(slots=True)
class Found:
    """What one kind of tampering gave.

    Attributes:
        tried: clips that it was done to.
        delays: seconds until it was said, for the reason it has.
        lasting: seconds that it was said for too long.
        wrong: clips in which it was not found, or another thing.
    """

    tried: int = 0
    delays: list[float] = field(default_factory=list)
    lasting: list[float] = field(default_factory=list)
    wrong: int = 0


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("FRAMEWATCH_DATA", "../shared/data"))
    spent, looked = 0.0, 0
    for name, (paths, fps) in CAMERAS.items():
        clips = [clip for clip in _clips([folder / path for path in paths], fps) if clip]
        mean = np.mean([image for clip in clips for _, image in clip[::3]], axis=0).astype(np.uint8)
        minutes = sum(clip[-1][0] - clip[0][0] for clip in clips) / 60
        began = time.thread_time()
        false = sum(any(_judged(clip, mean)) for clip in clips)
        spent, looked = spent + time.thread_time() - began, looked + sum(map(len, clips))
        print(f"{name}: {minutes:.1f} min; as it is, tampering in {false} clips of {len(clips)}")
        for kind, (change, reason) in CHANGES.items():
            _print(kind, _tried(clips, mean, change, reason))
    print(f"{1000 * spent / looked:.2f} ms a look, one every {EVERY:g} s, of the processor's own time")


def _clips(paths: Sequence[Path], fps: float | None) -> Iterator[Looks]:
    """What is looked at of each clip, 240 rows high."""
    for path in paths:
        with open_footage([path], fps=fps) as footage:
            for clip in footage.clips:
                looks: Looks = []
                for frame in clip.frames():
                    if not looks or frame.pts - looks[-1][0] >= EVERY - 1e-6:
                        looks.append((frame.pts, prepare(frame.image, _geometry(frame.image)).image))
                yield looks


def _geometry(image: Image) -> Geometry:
    return Geometry.of_cells((image.shape[0], image.shape[1]), height=HEIGHT, cell=1)


def _judged(looks: Looks, mean: Image) -> list[str]:
    guard = Guard()
    guard.follow_model(reference_of(mean), _geometry(mean))
    return [guard.push(pts, image).value for pts, image in looks]


def _tried(clips: Sequence[Looks], mean: Image, change: Callable[[Image], Image] | None, reason: str) -> Found:
    found = Found()
    for clip in clips:
        begin = len(clip) // 2
        length = min(len(clip) - begin, round(DURING / EVERY))
        if length * EVERY < LASTS + 2:
            continue
        end = begin + length
        still = clip[begin][1]
        middle = [(pts, still if change is None else change(image)) for pts, image in clip[begin:end]]
        said = _judged([*clip[:begin], *middle, *clip[end:]], mean)
        found.tried += 1
        if set(said) - {"", reason} or reason not in said or any(said[:begin]):
            found.wrong += 1
            continue
        first, last = said.index(reason), len(said) - said[::-1].index(reason)
        found.delays.append(clip[first][0] - clip[begin][0])
        if end < len(clip):
            found.lasting.append(max(0, last - end) * EVERY)
    return found


def _print(kind: str, found: Found) -> None:
    delays = f"after {min(found.delays):.1f} to {max(found.delays):.1f} s" if found.delays else "never"
    lasting = f", over {max(found.lasting):.1f} s after its end at most" if found.lasting else ""
    print(f"  {kind}: found in {found.tried - found.wrong} of {found.tried} clips, {delays}{lasting}")


if __name__ == "__main__":
    main()
