"""A bank holds the last frames of many streams, whichever are pushed together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from model.bank import Bank, Windows
from model.cells import Cells
from model.encoder import Encoder
from model.sampler import Sampler

T = 3
SIZE = (8, 8)


class Naming(Encoder):
    """A picture's feature is its top left pixel: windows say which frames they hold."""

    def __init__(self, cells: Cells = Cells(2, 2)) -> None:
        super().__init__()
        self.cells, self.channels, self.takes = cells, 1, SIZE
        self.fail = False

    def forward(self, images: Tensor) -> Tensor:
        if self.fail:
            raise MemoryError
        return images[:, 0, 0].float().view(-1, 1, 1).expand(-1, self.cells.count, 1)


def named(*names: int) -> Tensor:
    """uint8 N×8×8 pictures with a name each."""
    images = torch.zeros(len(names), *SIZE, dtype=torch.uint8)
    images[:, 0, 0] = torch.tensor(names, dtype=torch.uint8)
    return images


def bank(slots: int = 1, window: int = T, encoder: Encoder | None = None) -> Bank:
    return Bank(encoder or Naming(), window, SIZE, mask=None, slots=slots)


def held(windows: Windows) -> dict[int, list[int]]:
    """Which frames the windows of each frame of the batch hold; every cell must hold the same."""
    found: dict[int, list[int]] = {}
    for frame, window in zip(windows.frame.tolist(), windows.features[..., 0].int().tolist(), strict=True):
        assert found.setdefault(frame, window) == window
    return found


@dataclass
class Expected:
    """What a bank should do, the slow and obvious way."""

    streams: dict[int, list[int]] = field(default_factory=dict)

    def push(self, slots: Sequence[int], names: Sequence[int], restarts: Sequence[bool]) -> dict[int, list[int]]:
        windows = {}
        for position, (slot, name, restart) in enumerate(zip(slots, names, restarts, strict=True)):
            frames = [] if restart else self.streams.get(slot, [])
            self.streams[slot] = [*frames, name]
            if len(self.streams[slot]) >= T:
                windows[position] = self.streams[slot][-T:]
        return windows


def test_window_is_full_with_the_last_frame_and_holds_them_oldest_first() -> None:
    streams = bank()
    slot = streams.open()
    first = streams.push([slot] * 2, named(1, 2))
    assert first.ready == (False, False) and len(first.features) == 0
    second = streams.push([slot] * 3, named(3, 4, 5))
    assert second.ready == (True, True, True)
    assert held(second) == {0: [1, 2, 3], 1: [2, 3, 4], 2: [3, 4, 5]}


def test_windows_come_for_every_cell_that_counts() -> None:
    streams = bank()
    windows = streams.push([streams.open()] * T, named(1, 2, 3))
    assert windows.features.shape == (5, T, 1)
    assert windows.cell.tolist() == [0, 1, 2, 3, 4] and windows.frame.tolist() == [T - 1] * 5


def test_nothing_pushed_gives_nothing() -> None:
    streams = bank()
    streams.open()
    windows = streams.push([], named())
    assert windows.ready == () and windows.features.shape == (0, T, 1)


PUSHES = st.lists(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from([False] * 5 + [True])), max_size=12), max_size=8
)


@given(pushes=PUSHES)
@settings(max_examples=60)
def test_any_batches_of_any_streams_give_each_stream_its_own_last_frames(
    pushes: list[list[tuple[int, bool]]],
) -> None:
    streams, expected, name = bank(), Expected(), 0
    slots = [streams.open() for _ in range(4)]
    for push in pushes:
        names = [(name + n) % 256 for n in range(len(push))]
        name += len(push)
        owners, restarts = [slots[stream] for stream, _ in push], [restart for _, restart in push]
        windows = streams.push(owners, named(*names), restarts)
        wanted = expected.push(owners, names, restarts)
        assert held(windows) == wanted
        assert windows.ready == tuple(position in wanted for position in range(len(push)))


@given(steps=st.lists(st.sampled_from([0.05, 0.1, 0.1, 0.1, 0.13, 0.2, 0.21, 0.5, 0.0, -1.0]), max_size=60))
@settings(max_examples=60)
def test_window_never_spans_what_the_sampler_calls_a_restart(steps: list[float]) -> None:
    sampler, streams = Sampler(0.1), bank()
    slot, stamps = streams.open(), [0.0]
    for step in steps:
        stamps.append(stamps[-1] + step)
    runs: list[list[int]] = []
    for number, pts in enumerate(stamps):
        decision = sampler.offer(pts)
        if not decision.take:
            continue
        if decision.restart:
            runs.append([])
        runs[-1].append(number)
        windows = streams.push([slot], named(number), [decision.restart])
        assert held(windows) == ({0: runs[-1][-T:]} if len(runs[-1]) >= T else {})
        for window in held(windows).values():
            times = [stamps[n] for n in window]
            assert all(0.05 - 1e-6 <= later - earlier <= 0.2 + 1e-6 for earlier, later in pairwise(times))


def test_bank_doubles_when_it_is_full_and_keeps_what_it_holds() -> None:
    streams = bank(slots=1)
    slots = [streams.open()]
    streams.push(slots, named(10))
    slots.append(streams.open())
    streams.push(slots, named(11, 20))
    slots += [streams.open(), streams.open(), streams.open()]
    assert len(set(slots)) == 5 and len(streams) == 5
    streams.push([slots[1], slots[4]], named(21, 50))
    windows = streams.push(slots, named(12, 22, 30, 40, 51))
    assert held(windows) == {0: [10, 11, 12], 1: [20, 21, 22]}


def test_closed_slots_are_used_again_before_the_bank_grows() -> None:
    streams = bank(slots=2)
    first, second = streams.open(), streams.open()
    streams.close(first)
    assert streams.open() == first and len(streams) == 2
    assert second != first


def test_nothing_of_a_closed_stream_reaches_the_next_one() -> None:
    streams = bank()
    slot = streams.open()
    streams.push([slot] * 5, named(1, 2, 3, 4, 5))
    streams.close(slot)
    assert streams.open() == slot
    assert held(streams.push([slot] * 4, named(6, 7, 8, 9))) == {2: [6, 7, 8], 3: [7, 8, 9]}


def test_cleared_slot_begins_anew() -> None:
    streams = bank()
    slot = streams.open()
    streams.push([slot] * 4, named(1, 2, 3, 4))
    streams.clear(slot)
    assert held(streams.push([slot] * 3, named(5, 6, 7))) == {2: [5, 6, 7]}


def test_restart_inside_a_batch_counts_for_its_own_slot_only() -> None:
    streams = bank()
    a, b = streams.open(), streams.open()
    windows = streams.push(
        [a, b, a, b, a, b, a], named(1, 2, 3, 4, 5, 6, 7), [False, False, False, False, True, False, False]
    )
    assert held(windows) == {5: [2, 4, 6]}


def test_batch_longer_than_the_ring_keeps_the_last_frames() -> None:
    streams = bank()
    slot = streams.open()
    streams.push([slot] * 10, named(*range(10)))
    assert held(streams.push([slot], named(10))) == {0: [8, 9, 10]}


@pytest.mark.parametrize("slot", [0, 1, 99])
def test_frame_for_a_slot_that_is_not_open_is_refused(slot: int) -> None:
    streams = bank(slots=2)
    streams.close(streams.open())
    with pytest.raises(KeyError, match=f"slot {slot} is not open"):
        streams.push([slot], named(1))


def test_slot_cannot_be_closed_twice() -> None:
    streams = bank()
    slot = streams.open()
    streams.close(slot)
    with pytest.raises(KeyError):
        streams.close(slot)


def test_as_many_restarts_as_frames_are_needed() -> None:
    streams = bank()
    slot = streams.open()
    with pytest.raises(ValueError, match="zip"):
        streams.push([slot, slot], named(1, 2), [True])


def test_failed_push_leaves_the_bank_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = Naming()
    streams = bank(encoder=encoder)
    slot = streams.open()
    streams.push([slot] * 2, named(1, 2))
    encoder.fail = True
    with pytest.raises(MemoryError):
        streams.push([slot, slot], named(3, 4), [False, True])
    encoder.fail = False
    with monkeypatch.context() as patch:
        patch.setattr(torch, "where", lambda *_: (_ for _ in ()).throw(MemoryError))
        with pytest.raises(MemoryError):
            streams.push([slot, slot], named(3, 4), [False, True])
    assert held(streams.push([slot, slot], named(3, 4))) == {0: [1, 2, 3], 1: [2, 3, 4]}
