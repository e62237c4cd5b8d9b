"""Ring buffers of many streams in one device tensor; offline scoring is a bank with one slot."""

from __future__ import annotations

from collections.abc import Sequence
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
        workers: Workers | None = None,
    ) -> None:
        """Makes an empty bank on the encoder's device.

        Args:
            encoder: what makes the features.
            window: frames in a window, T.
            input_size: height and width of the network's input.
            mask: which cells count; None: every cell, always.
            slots: how many streams to make room for; it doubles when they run out.
            workers: threads that share the frames of a batch between them; None: one batch on the device.
        """
        self._encoder = encoder
        self._window = window
        self._mask = mask
        self._workers = workers
        device = next(iter(encoder.state_dict().values()), torch.empty(0)).device
        self._features = torch.zeros(slots, window, encoder.cells.count, encoder.channels, device=device)
        self._luma = torch.zeros(slots, *input_size, device=device)
        self._counts = [0] * slots  # frames since the slot was cleared
        self._free = list(range(slots - 1, -1, -1))
        self._open: set[int] = set()

    @property
    def device(self) -> torch.device:
        return self._features.device

    def __len__(self) -> int:
        """How many slots are open."""
        return len(self._open)

    def open(self) -> int:
        """Takes an empty slot; the bank doubles when none is free."""
        if not self._free:
            size = len(self._counts)
            self._features = torch.cat([self._features, torch.zeros_like(self._features)])
            self._luma = torch.cat([self._luma, torch.zeros_like(self._luma)])
            self._counts += [0] * size
            self._free = list(range(2 * size - 1, size - 1, -1))
        slot = self._free.pop()
        self._open.add(slot)
        self.clear(slot)
        return slot

    def clear(self, slot: int) -> None:
        """Forgets a stream's frames: its next window starts anew."""
        self._counts[slot] = 0

    def close(self, slot: int) -> None:
        """Gives a slot back.

        Raises:
            KeyError: the slot is not open.
        """
        self._open.remove(slot)
        self._free.append(slot)

    @torch.inference_mode()
    def push(self, slots: Sequence[int], images: Tensor, restarts: Sequence[bool] | None = None) -> Windows:
        """Adds a frame to each named slot, in order; a slot may be named several times.

        Args:
            slots: N slots.
            images: uint8 N×H×W luma or N×H×W×3 BGR at the input size, on any device.
            restarts: for each frame, whether its slot is cleared first.

        Raises:
            KeyError: a slot is not open.
        """
        for slot in slots:
            if slot not in self._open:
                raise KeyError(f"slot {slot} is not open")
        images = images.to(self.device, non_blocking=True)
        features = self._encoder(images) if self._workers is None else self._workers.map(self._encoder, images)
        luma = smoothed_luma(images) if self._mask else None
        frames, cells, parts, ready = [], [], [], [False] * len(slots)
        for turn in _turns(slots):
            for i in turn:
                if restarts is not None and restarts[i]:
                    self.clear(slots[i])
            owners = torch.tensor([slots[i] for i in turn], device=self.device)
            index = torch.tensor(turn, device=self.device)
            places = [self._counts[slots[i]] % self._window for i in turn]
            self._features[owners, torch.tensor(places, device=self.device)] = features[index]
            if luma is None:
                moving = torch.ones(len(turn), self._encoder.cells.count, dtype=torch.bool, device=self.device)
            else:
                assert self._mask is not None
                moving = self._mask.select(cell_motion(self._luma[owners], luma[index], self._encoder.cells))
                self._luma[owners] = luma[index]
            full = []
            for i in turn:
                self._counts[slots[i]] += 1
                ready[i] = self._counts[slots[i]] >= self._window
                full.append(ready[i])
            moving &= torch.tensor(full, device=self.device).unsqueeze(1)
            row, cell = moving.nonzero(as_tuple=True)
            oldest = torch.tensor(places, device=self.device)[row] + 1
            steps = (oldest.unsqueeze(1) + torch.arange(self._window, device=self.device)) % self._window
            parts.append(self._features[owners[row].unsqueeze(1), steps, cell.unsqueeze(1)])
            frames.append(index[row])
            cells.append(cell)
        return Windows(torch.cat(parts), torch.cat(frames), torch.cat(cells), tuple(ready))


def _turns(slots: Sequence[int]) -> list[list[int]]:
    """Positions of a batch in turns in which no slot occurs twice, in order."""
    turns: list[list[int]] = []
    seen: dict[int, int] = {}
    for position, slot in enumerate(slots):
        turn = seen.get(slot, 0)
        seen[slot] = turn + 1
        if turn == len(turns):
            turns.append([])
        turns[turn].append(position)
    return turns
