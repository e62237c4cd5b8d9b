"""Footage -> scores, offline, in bounded memory: a bank with one slot and the live score chain."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.ahead import ahead
from model.chain import Chain, Scored
from model.clips import Clip, Frame, OnBad
from model.detector import Detector, Scores, score_of
from model.fitting import fitting
from model.frames import Prepared, Repair
from model.pictures import Image
from model.sampler import Decision, Sampler
from model.states import State
from model.tables import Row

Heat = NDArray[np.float32]

BATCH = 8
"""Frames that go to the device together; results do not depend on it."""

IN_FLIGHT = 2
"""Batches whose scoring has begun while an earlier one is finished: so no thread of the encoder has to wait."""

MOST_HELD = 256 * 2**20
"""Bytes of pictures held back until a clip's first window is full: a source far faster than the model fills it late."""


@dataclass(frozen=True, slots=True)
class ScoredFrame:
    """A row of the table with what it was made of.

    Attributes:
        row: the scores.
        heat: float32 rows×columns, error of each cell; None where the frame has no window of its own.
        image: uint8 H×W or H×W×3, the decoded picture.
    """

    row: Row
    heat: Heat | None
    image: Image


@dataclass(frozen=True, slots=True)
class _Item:
    frame: Frame
    decision: Decision
    prepared: Prepared | None  # None: thinned out
    explained: str  # why the source cannot be scored at all


@dataclass(frozen=True, slots=True)
class _Begun:
    items: list[_Item]
    scores: Callable[[], Scores] | None  # of those that are prepared; None: there are none


_Result: TypeAlias = "tuple[_Item, float | None, Heat | None]"  # raw score and heat map where a window is full


class FrameScorer(Protocol):
    """Where the prepared frames of a clip are scored: a bank of its own, or the engine of the live service."""

    def open(self) -> int:
        """Takes an empty slot for a clip."""

    def close(self, slot: int) -> None:
        """Gives a slot back."""

    def begin(self, slot: int, images: Tensor, restarts: Sequence[bool]) -> Callable[[], Scores]:
        """Begins to score the next frames of the clip; calling what it returns, in order, waits for the scores.

        See `Bank.push` and `Detector.score`.
        """


class _OwnBank:
    """A bank that no one else uses."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._bank = detector.bank()
        self.open = self._bank.open
        self.close = self._bank.close

    def begin(self, slot: int, images: Tensor, restarts: Sequence[bool]) -> Callable[[], Scores]:
        features = self._bank.encode(images)
        slots = [slot] * len(images)
        return lambda: self._detector.score(self._bank.push(slots, images, restarts, features=features()))


class ClipScorer:
    """Scores clips one after the other with one detector.

    Attributes:
        flipped: frames that flip repair turned, so far.
        repeated: frames thinned out because their source is faster than the model, so far.
    """

    def __init__(
        self,
        detector: Detector,
        *,
        repair: Repair | None = None,
        smoothing: float | None = None,
        frames: FrameScorer | None = None,
    ) -> None:
        """Makes a scorer.

        Args:
            detector: on its device, in its precision.
            repair: which repairs frames get (default: noise).
            smoothing: seconds of the rolling mean; None: the model's.
            frames: where prepared frames are scored; None: a bank of its own.
        """
        self.flipped = 0
        self.repeated = 0
        self._detector = detector
        self._repair = repair or Repair()
        self._smoothing = smoothing
        self._frames = frames or _OwnBank(detector)

    def score(self, clip: Clip, *, skip_bad: bool = False, on_bad: OnBad | None = None) -> Generator[ScoredFrame]:
        """Every frame of a clip with its scores, in order, as they come.

        Rows before the first full window carry that window's score; a first stretch shorter than a window is padded
        by repeating its first frame (as is one whose pictures take more than `MOST_HELD`). After a hole in the clip,
        rows repeat the last score until a window is full. Rows of a source that is too slow have no score but the
        reason, from the first one on. Closing the iterator ends the reading.

        Raises:
            FootageError: a frame cannot be read, and `skip_bad` is not set.
            PictureSizeError: the pictures do not fit the model; with `skip_bad`, the first does not.
        """
        slot = self._frames.open()
        try:
            with closing(self._results(slot, self._items(clip, skip_bad, on_bad))) as results:
                yield from self._rows(clip.name, results)
        finally:
            self._frames.close(slot)

    def _items(self, clip: Clip, skip_bad: bool, on_bad: OnBad | None) -> Iterator[_Item]:
        sampler = Sampler(self._detector.config.frame_interval)
        config = self._detector.config
        for frame in fitting(clip, config.geometry, colour=config.colour, skip_bad=skip_bad, on_bad=on_bad):
            decision = sampler.offer(frame.pts, (frame.image.shape[0], frame.image.shape[1]))
            prepared = self._detector.prepare(frame.image, self._repair) if decision.take else None
            yield _Item(frame, decision, prepared, sampler.explain())

    def _results(self, slot: int, items: Iterator[_Item]) -> Generator[_Result]:
        """Adds raw score and heat map to the items that complete a window; reading, encoding and scoring overlap."""
        begun: deque[_Begun] = deque()
        try:
            with closing(ahead(items, 4 * BATCH)) as read:
                for batch in _batches(read):
                    begun.append(self._begin(slot, batch))
                    if len(begun) > IN_FLIGHT:
                        yield from self._finish(begun.popleft())
            while begun:
                yield from self._finish(begun.popleft())
        finally:
            for left in begun:  # a slot is given back when nothing is under way in it
                if left.scores is not None:
                    with suppress(Exception):
                        left.scores()

    def _begin(self, slot: int, batch: list[_Item]) -> _Begun:
        taken = [(item.prepared, item.decision.restart) for item in batch if item.prepared is not None]
        if not taken:
            return _Begun(batch, None)
        images = torch.from_numpy(np.stack([prepared.image for prepared, _ in taken]))
        return _Begun(batch, self._frames.begin(slot, images, [restart for _, restart in taken]))

    def _finish(self, begun: _Begun) -> Iterator[_Result]:
        scores: Iterator[tuple[float, Heat]] = iter(())
        if begun.scores is not None:
            result = begun.scores()
            scores = zip(result.raw.tolist(), result.heat.cpu().numpy(), strict=True)
        for item in begun.items:
            if item.prepared is None:
                self.repeated += 1
                yield item, None, None
                continue
            self.flipped += item.prepared.flipped
            raw, heat = next(scores)
            yield (item, None, None) if np.isnan(raw) else (item, raw, heat)

    def _rows(self, clip: str, results: Iterator[_Result]) -> Iterator[ScoredFrame]:
        detector = self._detector
        chain = Chain(detector.config, float(detector.theta), smoothing=self._smoothing)
        waiting: list[_Item] = []  # for the clip's first full window
        held = 0
        last: Scored | None = None
        for item, raw, heat in results:
            frame, decision = item.frame, item.decision
            if held > MOST_HELD:
                last = yield from self._padded(clip, waiting, chain.theta)
                waiting, held = [], 0
            scored = None
            if item.prepared is not None:
                scored = chain.push(frame.pts, raw, restart=decision.restart, denoised=item.prepared.denoised)
            if scored is not None:
                if any(one.decision.restart for one in waiting[1:]):
                    yield from self._padded(clip, waiting, chain.theta)
                else:
                    yield from _warming(clip, waiting, scored)
                waiting, held, last = [], 0, scored
                row = Row(clip, frame.number, frame.pts, scored.raw, scored.score, scored.smoothed, scored.state)
                yield ScoredFrame(row, heat, frame.image)
            elif item.explained:
                for one in (*waiting, item):
                    yield _unscored(clip, one, item.explained)
                waiting, held = [], 0
            elif last is None:
                waiting.append(item)
                held += frame.image.nbytes
            else:
                if decision.take:  # after a hole in the clip: its next window is not full yet
                    last = replace(last, state=State.WARMING)
                yield _repeat(clip, item, last)
        if waiting:
            yield from self._padded(clip, waiting, chain.theta)

    def _padded(self, clip: str, waiting: list[_Item], theta: float) -> Generator[ScoredFrame, None, Scored]:
        """Rows without a full window: the first stretch is padded, what comes after a break in it repeats that."""
        breaks = (n for n, item in enumerate(waiting) if n and item.decision.restart)
        first = next(breaks, len(waiting))
        scored = self._pad(waiting[:first], theta)
        yield from _warming(clip, waiting[:first], scored)
        for item in waiting[first:]:
            yield _repeat(clip, item, scored)
        return scored

    def _pad(self, stretch: list[_Item], theta: float) -> Scored:
        """Scores a stretch shorter than a window, its first frame repeated in front."""
        images = [item.prepared.image for item in stretch if item.prepared is not None]
        images = [images[0]] * (self._detector.config.window - len(images)) + images
        slot = self._frames.open()
        try:
            scores = self._frames.begin(slot, torch.from_numpy(np.stack(images)), [False] * len(images))()
        finally:
            self._frames.close(slot)
        raw = float(scores.raw[-1])
        score = score_of(raw, theta)
        return Scored(raw, score, score, State.WARMING)


def _batches(items: Iterator[_Item]) -> Iterator[list[_Item]]:
    """Items in their order, so many at a time that `BATCH` frames are scored together."""
    batch: list[_Item] = []
    for item in items:
        batch.append(item)
        if sum(one.prepared is not None for one in batch) == BATCH or len(batch) == 4 * BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _warming(clip: str, items: list[_Item], scored: Scored) -> Iterator[ScoredFrame]:
    for item in items:
        raw = None if item.prepared is None else scored.raw
        row = Row(clip, item.frame.number, item.frame.pts, raw, scored.score, None, State.WARMING, item.decision.reason)
        yield ScoredFrame(row, None, item.frame.image)


def _repeat(clip: str, item: _Item, last: Scored) -> ScoredFrame:
    smoothed = None if last.state is State.WARMING else last.smoothed
    row = Row(clip, item.frame.number, item.frame.pts, None, last.score, smoothed, last.state, item.decision.reason)
    return ScoredFrame(row, None, item.frame.image)


def _unscored(clip: str, item: _Item, reason: str) -> ScoredFrame:
    row = Row(clip, item.frame.number, item.frame.pts, None, None, None, State.WARMING, reason)
    return ScoredFrame(row, None, item.frame.image)
