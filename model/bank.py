"""Ring buffers of many streams in one device tensor; offline scoring is a bank with one slot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from model.encoder import Encoder
from model.motion import MotionMask, cell_motion, smoothed_luma
from model.workers import Workers


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows of moving cells that a batch of frames completed.

    Attributes:
        features: float32 M×T×C, encoder features, oldest first.
        frame: int64 M, which frame of the batch a window belongs to.
        cell: int64 M, which cell.
        ready: for each frame of the batch, whether its stream has a full window.
    """

    features: Tensor
    frame: Tensor
    cell: Tensor
    ready: tuple[bool, ...]

    def select(self, positions: Sequence[int]) -> Windows:
        """The windows of some frames of the batch, as if they had been a batch of their own."""
        if len(positions) == len(self.ready):
            return self
        place = torch.full((len(self.ready),), -1, dtype=torch.int64)
        place[torch.tensor(positions)] = torch.arange(len(positions))
        frame = place.to(self.frame.device)[self.frame]
        mine = frame >= 0
        return Windows(self.features[mine], frame[mine], self.cell[mine], tuple(self.ready[at] for at in positions))


class Bank:
    """The last T frames of each stream: encoder features, and the previous frame's smoothed luma.

    The encoder runs once a frame, never T times. Not thread-safe: one thread owns a bank and its device.
    """

    def __init__(
        self,
        encoder: Encoder,
        window: int,
        input_size: tuple[int, int],
        *,
        mask: MotionMask | None,
        slots: int = 1,
        device: torch.device | None = None,
        workers: Workers | None = None,
    ) -> None:
        """Makes an empty bank.

        Args:
            encoder: what makes the features.
            window: frames in a window, T.
            input_size: height and width of the network's input.
            mask: which cells count; None: every cell, always.
            slots: how many streams to make room for, at least 1; it doubles when they run out.
            device: where the bank lies, the encoder's; None: the CPU.
            workers: threads that share the frames of a batch between them; None: one batch on the device.
        """
        self._encoder = encoder
        self._window = window
        self._mask = mask
        self._workers = workers
        self._features = torch.zeros(slots, window, encoder.cells.count, encoder.channels, device=device)
        self._luma = torch.zeros(slots, *input_size, dtype=torch.uint8, device=device)
        self._counts = [0] * slots  # frames since the slot was cleared
        self._free = list(range(slots - 1, -1, -1))
        self._open: set[int] = set()
        self._regions: dict[int, Tensor] = {}  # of the slots that have one: bool cells

    @property
    def device(self) -> torch.device:
        return self._features.device

    def __len__(self) -> int:
        """How many slots are open."""
        return len(self._open)

    def open(self, region: Tensor | None = None) -> int:
        """Takes an empty slot; the bank doubles when none is free.

        Args:
            region: see `limit`.
        """
        if not self._free:
            size = len(self._counts)
            features = torch.cat([self._features, torch.zeros_like(self._features)])
            self._luma = torch.cat([self._luma, torch.zeros_like(self._luma)])
            self._features = features
            self._counts += [0] * size
            self._free = list(range(2 * size - 1, size - 1, -1))
        slot = self._free.pop()
        self._open.add(slot)
        self.clear(slot)
        self.limit(slot, region)
        return slot

    def limit(self, slot: int, region: Tensor | None) -> None:
        """Sets which cells of a stream's frames count at all, from its next frame on.

        Args:
            slot: of the stream.
            region: bool cells (see `regions.cells_inside`); None: all of them.
        """
        self._regions.pop(slot, None)
        if region is not None:
            self._regions[slot] = region.to(self.device)

    def clear(self, slot: int) -> None:
        """Forgets a stream's frames: its next window starts anew."""
        self._counts[slot] = 0

    def close(self, slot: int) -> None:
        """Gives a slot back.

        Raises:
            KeyError: the slot is not open.
        """
        self._open.remove(slot)
        self._regions.pop(slot, None)
        self._free.append(slot)

    @torch.inference_mode()
    def encode(self, images: Tensor) -> Callable[[], Tensor]:
        """Begins to encode frames that will be pushed; calling what it returns waits for their features.

        So threads encode the next frames while the windows of these are scored.
        """
        if self._workers is not None:
            return self._workers.begin(self._encoder, images)
        features = self._encoder(images.to(self.device, non_blocking=True))
        return lambda: features

    @torch.inference_mode()
    def push(
        self,
        slots: Sequence[int],
        images: Tensor,
        restarts: Sequence[bool] | None = None,
        *,
        features: Tensor | None = None,
    ) -> Windows:
        """Adds a frame to each named slot, in order; a slot may be named several times.

        A push that fails (out of memory, say) leaves the bank as it was.

        Args:
            slots: N slots.
            images: uint8 N×H×W luma or N×H×W×3 BGR at the input size, on any device.
            restarts: for each frame, whether its slot is cleared first.
            features: float32 N×cells×C, what `encode` gave for the images; None: they are encoded now.

        Raises:
            KeyError: a slot is not open.
        """
        for slot in slots:
            if slot not in self._open:
                raise KeyError(f"slot {slot} is not open")
        images = images.to(self.device, non_blocking=True)
        features = (self.encode(images)() if features is None else features).contiguous()
        luma = smoothed_luma(images) if self._mask else None
        plan = _Plan(slots, restarts or [False] * len(slots), self._counts, self._window)
        ready = torch.tensor([source is not None for source in plan.sources], dtype=torch.bool, device=self.device)
        frame, cell = (self._moving(plan, luma, len(slots)) & ready.unsqueeze(1)).nonzero(as_tuple=True)
        windows = self._gather(plan, features, frame, cell)
        self._keep(plan, features, luma)
        return Windows(windows, frame, cell, tuple(source is not None for source in plan.sources))

    def _index(self, values: Sequence[object]) -> Tensor:
        return torch.tensor(values, dtype=torch.int64, device=self.device)

    def _moving(self, plan: _Plan, luma: Tensor | None, count: int) -> Tensor:
        """bool N×cells: which cells of each frame count."""
        if luma is None or self._mask is None:
            whole = torch.ones(count, self._encoder.cells.count, device=self.device)
            return self._within(plan.slots, whole) > 0
        before = self._luma.index_select(0, self._index(plan.slots))
        linked = [(now, then) for now, then in enumerate(plan.previous) if then is not None]
        earlier = luma.index_select(0, self._index([then for _, then in linked]))
        before.index_copy_(0, self._index([now for now, _ in linked]), earlier)
        return self._mask.select(self._within(plan.slots, cell_motion(before, luma, self._encoder.cells)))

    def _within(self, slots: Sequence[int], motion: Tensor) -> Tensor:
        """float32 N×cells with nothing moving outside the regions: what moves there takes no other cell's place."""
        for position, slot in enumerate(slots):
            if slot in self._regions:
                motion[position] *= self._regions[slot]
        return motion

    def _gather(self, plan: _Plan, features: Tensor, frame: Tensor, cell: Tensor) -> Tensor:
        """float32 M×T×C: the windows of cells, from the ring and from the batch itself."""
        count, cells, channels = features.shape
        nowhere = [0] * self._window  # never asked for: not ready
        source = self._index([places or nowhere for places in plan.sources]).view(count, self._window)[frame]

        def rows(of: Tensor, place: Tensor) -> Tensor:  # whole rows: many times faster than an index for each value
            return of.view(-1, channels).index_select(0, (place * cells + cell.unsqueeze(1)).flatten())

        old = rows(self._features, (source - count).clamp_min_(0))
        new = rows(features, source.clamp_max(count - 1))
        return torch.where((source < count).view(-1, 1), new, old).view(-1, self._window, channels)

    def _keep(self, plan: _Plan, features: Tensor, luma: Tensor | None) -> None:
        """Writes what later windows need of the batch into the ring."""
        kept = [
            (slot * self._window + plan.numbers[position] % self._window, position)
            for slot, positions in plan.recent.items()
            for position in positions[-self._window :]
        ]
        place, position = self._index(kept).view(-1, 2).unbind(1)
        self._features.flatten(0, 1).index_copy_(0, place, features.index_select(0, position))
        last = {slot: positions[-1] for slot, positions in plan.recent.items()}
        if luma is not None:
            self._luma.index_copy_(0, self._index([*last]), luma.index_select(0, self._index([*last.values()])))
        for slot, end in last.items():
            self._counts[slot] = plan.numbers[end] + 1


class _Plan:
    """Where the frames of a batch and of their windows lie; making it changes nothing.

    Attributes:
        slots: of each frame.
        numbers: of each frame, counted from its slot's last restart.
        previous: for each frame, the position in the batch of its slot's frame before; None: that one is in the ring.
        sources: for each frame with a full window, where the window's frames lie, oldest first: a position in the
            batch, or N + slot·T + place in the ring; None where no window is full.
        recent: for each slot, the positions in the batch of its frames since its last restart.
    """

    def __init__(self, slots: Sequence[int], restarts: Sequence[bool], counts: Sequence[int], window: int) -> None:
        self.slots = slots
        self.numbers: list[int] = []
        self.previous: list[int | None] = []
        self.sources: list[list[int] | None] = []
        self.recent: dict[int, list[int]] = {}
        for position, (slot, restart) in enumerate(zip(slots, restarts, strict=True)):
            recent = [] if restart else self.recent.get(slot, [])
            self.recent[slot] = recent
            known = 0 if restart else counts[slot]
            number = self.numbers[recent[-1]] + 1 if recent else known
            self.numbers.append(number)
            self.previous.append(recent[-1] if recent else None)
            recent.append(position)
            fresh = recent[-window:]
            old = range(number + 1 - window, number + 1 - len(fresh))
            in_ring = [len(slots) + slot * window + past % window for past in old]
            self.sources.append(in_ring + fresh if number + 1 >= window else None)
