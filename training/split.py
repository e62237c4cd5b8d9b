"""Which normal clips are learned from and which are held out: by clip, never by frame."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from types import MappingProxyType

import numpy as np

from model.clips import Clip, FolderClip, Frame, OnBad
from model.video import VideoClip

HELD_OUT = 0.2
"""Part of the clips that is held out."""

FEWEST_CLIPS = 5
"""Fewer clips than this are cut into stretches, so that whole stretches can be held out."""


@dataclass(frozen=True)
class Stretch:
    """A part of a longer clip, in seconds of its time stamps; a clip of its own to everyone else."""

    whole: Clip
    name: str
    start: float
    stop: float

    @property
    def frame_count(self) -> int | None:
        interval = self.interval
        return None if interval is None else max(1, round((self.stop - self.start) / interval))

    @property
    def interval(self) -> float | None:
        return self.whole.interval

    def frames(self, *, colour: bool = False, skip_bad: bool = False, on_bad: OnBad | None = None) -> Iterator[Frame]:
        whole = self.whole
        if isinstance(whole, VideoClip):  # what lies before need not be decoded
            frames = whole.frames_from(self.start, colour=colour, skip_bad=skip_bad, on_bad=on_bad)
        else:
            frames = whole.frames(colour=colour, skip_bad=skip_bad, on_bad=on_bad)
        for frame in frames:
            if frame.pts >= self.stop:
                return
            if frame.pts >= self.start:
                yield frame

    def check(self) -> list[str]:
        return self.whole.check()


@dataclass(frozen=True)
class Piece:
    """A part of a longer clip by the order of its frames: where the time jumps back, it says nothing."""

    whole: Clip
    name: str
    first: int
    last: int

    @property
    def frame_count(self) -> int | None:
        return self.last - self.first

    @property
    def interval(self) -> float | None:
        return self.whole.interval

    def frames(self, *, colour: bool = False, skip_bad: bool = False, on_bad: OnBad | None = None) -> Iterator[Frame]:
        frames = self.whole.frames(colour=colour, skip_bad=skip_bad, on_bad=on_bad)
        yield from islice(frames, self.first, self.last)

    def check(self) -> list[str]:
        return self.whole.check()


def _cut(clip: Clip, name: str, start: float, stop: float) -> Clip:
    if isinstance(clip, FolderClip):  # needs no decoding of what lies before
        files = tuple((number, file) for number, file in clip.files if start <= number / clip.fps < stop)
        return replace(clip, name=name, files=files)
    return Stretch(clip, name, start, stop)


@dataclass(frozen=True, slots=True)
class Split:
    """Clips to learn from, and clips held out for early stopping and calibration."""

    train: list[Clip]
    held_out: list[Clip]


def split(
    clips: Sequence[Clip],
    spans: Sequence[tuple[float, float]],
    jumping: Mapping[str, int] = MappingProxyType({}),
    *,
    seed: int,
    shortest: float = 0.0,
) -> Split:
    """Holds out a fifth of the clips, chosen by the seed, at least one.

    Fewer than five clips are first cut into stretches of about equal length; a single long video of one camera is the
    usual case. The stretches that are held out are whole.

    Args:
        clips: normal clips.
        spans: first and last time stamp of each, seconds.
        jumping: frames of the clips whose time jumps back, by name; their spans begin at 0 and are as long as they.
        seed: of the split alone; noise and corruption draw from generators of their own.
        shortest: seconds; no clip is cut into shorter stretches, since windows must fit into them.

    Returns:
        Both parts, without a frame in common; both the same where there is only one clip, too short to be cut.
    """
    parts: list[Clip] = list(clips)
    if len(clips) < FEWEST_CLIPS:
        total = sum(stop - start for start, stop in spans)
        parts = []
        for clip, (start, stop) in zip(clips, spans, strict=True):
            pieces = round(2 * FEWEST_CLIPS * (stop - start) / total) if total > 0 else 1
            if shortest > 0:
                pieces = min(pieces, int((stop - start) / shortest))
            pieces = max(1, pieces)
            if clip.name in jumping:
                places = np.linspace(0, jumping[clip.name], pieces + 1).round().astype(int).tolist()
                parts += [Piece(clip, f"{clip.name}#{i + 1}", a, b) for i, (a, b) in enumerate(pairwise(places))]
                continue
            edges = np.linspace(start, stop, pieces + 1).tolist()
            edges[-1] = math.nextafter(stop, math.inf)  # the last frame belongs to the last stretch
            parts += [_cut(clip, f"{clip.name}#{i + 1}", a, b) for i, (a, b) in enumerate(pairwise(edges))]
    if len(parts) < 2:
        return Split(parts, parts)
    order = np.random.default_rng([seed, 1]).permutation(len(parts))
    held = set(order[: max(1, round(HELD_OUT * len(parts)))].tolist())
    return Split(
        [part for i, part in enumerate(parts) if i not in held],
        [part for i, part in enumerate(parts) if i in held],
    )
