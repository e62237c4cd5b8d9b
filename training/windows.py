"""The windows of moving cells in clips, through the same bank that scores them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from model.bank import Bank, Windows
from model.clips import Clip, OnBad
from model.detector import Detector
from model.pictures import Image
from model.sampler import Sampler
from model.scoring import BATCH

MOST = 200_000
"""Windows kept of all footage, drawn evenly: hours of footage need no more memory than minutes."""

MOST_BYTES = 2**30
"""Bound of their memory, for windows of whole frames."""

OnFrame = Callable[[], object]


def clip_windows(
    detector: Detector,
    clip: Clip,
    *,
    skip_bad: bool = False,
    on_bad: OnBad | None = None,
    on_frame: OnFrame | None = None,
) -> Iterator[Windows]:
    """The windows of one clip, batch by batch of frames.

    Raises:
        FootageError: a frame cannot be read, and `skip_bad` is not set.
        PictureSizeError: the pictures do not fit the detector.
    """
    bank = detector.bank()
    slot = bank.open()
    before: _Begun | None = None
    for begun in _begun(detector, bank, clip, skip_bad, on_bad, on_frame):
        if before is not None:
            yield before.push(bank, slot)
        before = begun
    if before is not None:
        yield before.push(bank, slot)


@dataclass(frozen=True, slots=True)
class _Begun:
    """Frames that are being encoded, while the ones before them are pushed."""

    images: Tensor
    restarts: list[bool]
    features: Callable[[], Tensor]

    def push(self, bank: Bank, slot: int) -> Windows:
        return bank.push([slot] * len(self.images), self.images, self.restarts, features=self.features())


def _begun(
    detector: Detector, bank: Bank, clip: Clip, skip_bad: bool, on_bad: OnBad | None, on_frame: OnFrame | None
) -> Iterator[_Begun]:
    sampler = Sampler(detector.config.frame_interval)
    images: list[Image] = []
    restarts: list[bool] = []
    for frame in clip.frames(colour=detector.config.colour, skip_bad=skip_bad, on_bad=on_bad):
        decision = sampler.offer(frame.pts, (frame.image.shape[0], frame.image.shape[1]))
        if decision.take:
            images.append(detector.prepare(frame.image).image)
            restarts.append(decision.restart)
        if on_frame is not None:
            on_frame()
        if len(images) == BATCH:
            batch = torch.from_numpy(np.stack(images))
            yield _Begun(batch, restarts, bank.encode(batch))
            images, restarts = [], []
    if images:
        batch = torch.from_numpy(np.stack(images))
        yield _Begun(batch, restarts, bank.encode(batch))


class Reservoir:
    """An even draw of the windows of any amount of footage, in bounded memory (Vitter's algorithm R)."""

    def __init__(self, most: int, generator: np.random.Generator) -> None:
        self.seen = 0
        self._most = most  # fewer where windows are large
        self._generator = generator
        self._kept: Tensor | None = None
        self._count = 0

    def add(self, windows: Tensor) -> None:
        """Offers windows, float32 M×T×C on any device."""
        windows = windows.cpu()
        if self._kept is None:
            self._kept = torch.empty(0, *windows.shape[1:])
            self._most = min(self._most, MOST_BYTES // (4 * math.prod(windows.shape[1:])))
        room = min(self._most - self._count, len(windows))
        if room > 0:
            if self._count + room > len(self._kept):
                size = min(self._most, max(2 * len(self._kept), self._count + room))
                grown = torch.empty(size, *windows.shape[1:])
                grown[: self._count] = self._kept[: self._count]
                self._kept = grown
            self._kept[self._count : self._count + room] = windows[:room]
            self._count += room
            self.seen += room
        rest = windows[max(room, 0) :]
        if len(rest):
            ranks = self.seen + 1 + np.arange(len(rest))
            places = (self._generator.random(len(rest)) * ranks).astype(np.int64)
            for index in np.flatnonzero(places < self._most):
                self._kept[int(places[index])] = rest[int(index)]
            self.seen += len(rest)

    def __len__(self) -> int:
        return self._count

    @property
    def windows(self) -> Tensor:
        """float32 M×T×C, M at most what was asked for."""
        return torch.empty(0, 0, 0) if self._kept is None else self._kept[: self._count]


def collect(
    detector: Detector,
    clips: Iterable[Clip],
    reservoir: Reservoir,
    *,
    skip_bad: bool = False,
    on_bad: OnBad | None = None,
    on_frame: OnFrame | None = None,
) -> None:
    """Adds the windows of clips to a reservoir."""
    for clip in clips:
        for windows in clip_windows(detector, clip, skip_bad=skip_bad, on_bad=on_bad, on_frame=on_frame):
            reservoir.add(windows.features)
