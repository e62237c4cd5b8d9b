"""Device work: frames of many streams through one encoder, their windows through each model's autoencoder."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from model.bank import Bank, Windows
from model.memory import is_out_of_memory
from model.pictures import Image
from service.engine.slots import Entry, Heat, Result, Slot
from service.models import Model

T = TypeVar("T")
R = TypeVar("R")
log = logging.getLogger(__name__)


@dataclass(slots=True)
class DeviceSeconds:
    """How long the engine was at the stages of a batch: frames to the device; encoder and motion; autoencoders and the
    way back. What the threads of a CPU encode while the engine finishes the batch before is not counted.
    """

    copy: float = 0.0
    encoder: float = 0.0
    windows: float = 0.0


@dataclass(slots=True)
class _Lane:
    bank: Bank
    staging: Tensor | None = None  # pinned memory, for CUDA


@dataclass(frozen=True, slots=True)
class _Group:
    """Frames of a batch that share a lane; on a CPU they are being encoded."""

    entries: Sequence[Entry]
    images: Tensor | None
    features: Callable[[], Tensor] | None


@dataclass(slots=True)
class Begun:
    """A batch under way; it holds the slots of its frames until it is let go."""

    entries: Sequence[Entry]
    groups: Sequence[_Group]
    held: bool = True

    @property
    def encoding(self) -> bool:
        """Whether threads work on it already, so that another one may be finished meanwhile."""
        return any(group.features is not None for group in self.groups)


@dataclass(frozen=True, slots=True)
class _Part:
    """Frames that went through the encoder together."""

    entries: Sequence[Entry]
    restarted: list[bool]
    windows: Windows


class Lanes:
    """A bank for each lane, see `Model.lane`. One thread owns it. A failure costs only the frames that cause it.

    Attributes:
        seconds: of the last batch, by stage.
    """

    def __init__(self, on_memory_short: Callable[[int], object] = lambda size: None) -> None:
        """Makes it empty.

        Args:
            on_memory_short: called with the size of a batch that was too large for the memory.
        """
        self.seconds = DeviceSeconds()
        self._on_memory_short = on_memory_short
        self._lanes: dict[Hashable, _Lane] = {}

    @property
    def slots(self) -> int:
        """How many slots are open."""
        return sum(len(lane.bank) for lane in self._lanes.values())

    def score(self, entries: Sequence[Entry]) -> list[Result]:
        """Scores a batch: the results in the order of the frames, of which each stream's are in their own order."""
        begun = self.begin(entries)
        try:
            return self.finish(begun)
        finally:
            self.let_go(begun)

    def begin(self, entries: Sequence[Entry]) -> Begun:
        """Begins a batch; batches are finished in the order in which they were begun.

        On a CPU threads encode its frames from now on: that depends on no frame before them.
        """
        for entry in entries:
            entry.slot.pending += 1
        groups = [self._encode(group) for group in _grouped(entries, lambda entry: entry.slot.model.lane)]
        return Begun(entries, groups)

    def finish(self, begun: Begun) -> list[Result]:
        """Its results in the order of its frames, of which each stream's are in their own order."""
        self.seconds = DeviceSeconds()
        results: dict[int, Result] = {}

        def failed(entry: Entry, error: Exception) -> None:
            results[id(entry)] = _fault(entry, str(error) or type(error).__name__)

        for group in begun.groups:
            lane = self._lane(group.entries[0].slot.model)
            for part in self._divide(group.entries, partial(self._push, lane, group), failed):
                for alike in _grouped(range(len(part.entries)), lambda at, part=part: part.entries[at].slot.model):  # type: ignore[misc]
                    self._rate(part, alike, results)
        return [results[id(entry)] for entry in begun.entries]

    def let_go(self, begun: Begun) -> None:
        """Ends a batch, finished or not: slots that were given back meanwhile are free."""
        entries = begun.entries if begun.held else ()
        begun.held = False
        for slot in (entry.slot for entry in entries):
            slot.pending -= 1
            if slot.leaving and not slot.pending:
                self.release(slot)

    def limit(self, slot: Slot, region: Tensor | None) -> None:
        """Changes the region of a slot."""
        slot.region = region
        if slot.number is not None:
            self._lanes[slot.model.lane].bank.limit(slot.number, region)

    def release(self, slot: Slot) -> None:
        """Gives a slot back, as soon as no batch holds it; a lane without slots gives its memory back."""
        slot.leaving = slot.pending > 0
        if slot.leaving or slot.number is None:
            return
        lane = self._lanes[slot.model.lane]
        lane.bank.close(slot.number)
        slot.number = None
        if not len(lane.bank):
            del self._lanes[slot.model.lane]

    def _lane(self, model: Model) -> _Lane:
        if model.lane not in self._lanes:
            self._lanes[model.lane] = _Lane(model.detector.bank())
        return self._lanes[model.lane]

    def _encode(self, entries: Sequence[Entry]) -> _Group:
        model = entries[0].slot.model
        if model.detector.device.type != "cpu":
            return _Group(entries, None, None)
        try:
            lane = self._lane(model)
            images = _stack(lane, [entry.image for entry in entries])
            return _Group(entries, images, lane.bank.encode(images))
        except Exception:  # what is at fault is found when the batch is finished
            return _Group(entries, None, None)

    def _push(self, lane: _Lane, group: _Group, entries: Sequence[Entry]) -> _Part:
        """Adds frames to the bank, all or none; a group whose encoding failed is encoded in parts."""
        began = time.perf_counter()
        numbers, restarted, seen = [], [], set()
        for entry in entries:
            slot = entry.slot
            if slot.number is None:
                slot.number = lane.bank.open(slot.region)
            numbers.append(slot.number)
            restarted.append(entry.restart or (slot.broken and slot not in seen))
            seen.add(slot)
        whole = len(entries) == len(group.entries)
        images = group.images if whole else None
        if images is None:
            images = _stack(lane, [entry.image for entry in entries])
        copied = time.perf_counter()
        features = group.features() if whole and group.features is not None else None
        windows = lane.bank.push(numbers, images, restarted, features=features)
        for slot in seen:
            slot.broken = False
        self.seconds.copy += copied - began
        self.seconds.encoder += time.perf_counter() - copied
        return _Part(entries, restarted, windows)

    def _rate(self, part: _Part, positions: Sequence[int], results: dict[int, Result]) -> None:
        """Scores the frames of a part that are one model's."""
        began = time.perf_counter()
        detector = part.entries[positions[0]].slot.model.detector

        def attempt(some: Sequence[int]) -> None:
            scores = detector.score(part.windows.select(some))
            rows = torch.cat([scores.raw.unsqueeze(1), scores.heat.flatten(1)], dim=1).cpu().numpy()
            for position, row in zip(some, rows, strict=True):
                heat = row[1:].reshape(scores.heat.shape[1:])
                results[id(part.entries[position])] = _result(part, position, float(row[0]), heat)

        def failed(position: int, error: Exception) -> None:
            entry = part.entries[position]
            results[id(entry)] = _fault(entry, str(error) or type(error).__name__)

        self._divide(positions, attempt, failed)
        self.seconds.windows += time.perf_counter() - began

    def _divide(
        self,
        items: Sequence[T],
        attempt: Callable[[Sequence[T]], R],
        failed: Callable[[T, Exception], None],
    ) -> list[R]:
        """Tries all at once; what fails is halved until what is at fault stands alone."""
        try:
            return [attempt(items)]
        except Exception as error:
            if is_out_of_memory(error):
                self._on_memory_short(len(items))
                if torch.cuda.is_available():
                    torch.cuda.empty_cache()
            elif len(items) > 1:
                log.warning("batch of %d failed, scoring it in halves: %s", len(items), error)
            if len(items) == 1:
                log.exception("a frame could not be scored")
                failed(items[0], error)
                return []
        half = len(items) // 2
        return [*self._divide(items[:half], attempt, failed), *self._divide(items[half:], attempt, failed)]


@torch.inference_mode()
def warm(model: Model, size: int) -> None:
    """Takes noise through a model, in one frame and on CUDA in batches of `size`, so that everything is set up."""
    detector = model.detector
    for count in (1, size) if detector.device.type == "cuda" else (1,):
        bank = detector.bank()
        slots = [bank.open() for _ in range(count)]
        for _ in range(detector.config.window):
            noise = torch.randint(0, 256, (count, *detector.encoder.takes), dtype=torch.uint8)
            detector.score(bank.push(slots, noise)).raw.tolist()


def _stack(lane: _Lane, images: list[Image]) -> Tensor:
    """One tensor; for CUDA on its way already, by one copy out of pinned memory."""
    if lane.bank.device.type != "cuda":
        return torch.from_numpy(np.stack(images))
    if lane.staging is None or len(lane.staging) < len(images):
        lane.staging = torch.empty((len(images), *images[0].shape), dtype=torch.uint8, pin_memory=True)
    staged = lane.staging[: len(images)]
    np.stack(images, out=staged.numpy())
    return staged.to(lane.bank.device, non_blocking=True)


def _result(part: _Part, position: int, raw: float, heat: Heat) -> Result:
    entry, restarted = part.entries[position], part.restarted[position]
    if not part.windows.ready[position]:
        return Result(restarted=restarted)
    if not math.isfinite(raw):
        return _fault(entry, f"the model scored it {raw}")
    return Result(raw, heat, restarted)


def _fault(entry: Entry, reason: str) -> Result:
    entry.slot.broken = True
    return Result(fault=reason)


def _grouped(items: Iterable[T], key: Callable[[T], Hashable]) -> list[list[T]]:
    """Items that agree in a key together, in order."""
    groups: dict[Hashable, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return list(groups.values())
