"""Which cells of the frames in a bank have windows depends on a stream's own frames and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from model.bank import Bank, Windows
from model.motion import MotionMask
from model.workers import Workers
from tests.model.detectors import ENCODERS, HEIGHT, WIDTH, detector, pictures, stacked


def cut(count: int, cuts: Sequence[int]) -> list[range]:
    edges = [0, *sorted(set(cuts) & set(range(1, count))), count]
    return [range(a, b) for a, b in pairwise(edges)]


def mask_of(windows: Windows, cells: int) -> Tensor:
    """bool N×cells"""
    mask = torch.zeros(len(windows.ready), cells, dtype=torch.bool)
    mask[windows.frame, windows.cell] = True
    return mask


@given(cuts=st.lists(st.integers(1, 19), max_size=6), others=st.lists(st.integers(0, 20), max_size=12))
@settings(max_examples=15)
@pytest.mark.parametrize("name", ENCODERS)
def test_neither_batch_cuts_nor_neighbours_change_windows_and_mask(
    name: str, cuts: list[int], others: list[int]
) -> None:
    model = detector("stem" if name == "stem" else "pixels")
    cells = model.encoder.cells.count
    shots = stacked([model.prepare(image).image for image in pictures(20)])
    foreign = stacked([model.prepare(image).image for image in pictures(21, seed=5)])
    alone, shared = model.bank(), model.bank()
    slot = alone.open()
    whole = alone.push([slot] * 20, shots)
    other, mine = shared.open(), shared.open()
    features, masks = [], []
    ready: list[bool] = []
    for part in cut(20, cuts):
        before = [n for n in others if n in part]
        slots = [other] * len(before) + [mine] * len(part) + [other] * len(before)
        images = torch.cat([foreign[before], shots[part.start : part.stop], foreign[before]])
        windows = shared.push(slots, images)
        inside = (windows.frame >= len(before)) & (windows.frame < len(before) + len(part))
        features.append(windows.features[inside])
        masks.append(mask_of(windows, cells)[len(before) : len(before) + len(part)])
        ready += windows.ready[len(before) : len(before) + len(part)]
    assert tuple(ready) == whole.ready
    assert torch.equal(torch.cat(masks), mask_of(whole, cells))
    torch.testing.assert_close(torch.cat(features), whole.features, rtol=0, atol=1e-5)


def test_motion_of_a_new_stream_owes_nothing_to_the_old_one() -> None:
    model = detector()
    fresh, used = model.bank(), model.bank()
    slot = used.open()
    used.push([slot] * 9, stacked(pictures(9, seed=7)))
    used.close(slot)
    shots = stacked(pictures(9))
    one, other = fresh.push([fresh.open()] * 9, shots), used.push([used.open()] * 9, shots)
    assert torch.equal(one.features, other.features)
    assert torch.equal(one.frame, other.frame) and torch.equal(one.cell, other.cell)


def test_still_picture_has_no_windows_and_is_ready_all_the_same() -> None:
    model = detector()
    streams, window = model.bank(), model.config.window
    windows = streams.push([streams.open()] * window, stacked([pictures(1)[0]] * window))
    assert windows.ready[-1] and len(windows.features) == 0


def test_at_most_so_many_cells_of_a_frame_count() -> None:
    model = detector(most_cells=3)
    streams = model.bank()
    windows = streams.push([streams.open()] * 12, stacked(pictures(12)))
    counts = torch.bincount(windows.frame, minlength=12)[model.config.window - 1 :]
    assert counts.tolist() == [3] * len(counts)


def test_motion_between_two_batches_is_that_within_one() -> None:
    encoder, mask = detector().encoder, MotionMask(0.03, 128)
    shots = stacked(pictures(8))
    one, two = (Bank(encoder, 2, (HEIGHT, WIDTH), mask=mask) for _ in range(2))
    slot, other = one.open(), two.open()
    together = one.push([slot] * 8, shots)
    apart = [two.push([other], shots[n : n + 1]) for n in range(8)]
    assert torch.equal(together.cell, torch.cat([windows.cell for windows in apart]))


def test_workers_encode_the_same_frames(one_thread: None) -> None:
    model = detector()
    shots = stacked(pictures(9))
    workers = Workers(2)
    try:
        plain, shared = model.bank(), model.with_workers(workers).bank()
        one, other = plain.push([plain.open()] * 9, shots), shared.push([shared.open()] * 9, shots)
    finally:
        workers.close()
    assert torch.equal(one.cell, other.cell)
    torch.testing.assert_close(one.features, other.features, rtol=0, atol=1e-5)


def test_region_keeps_cells_outside_it_out_until_the_stream_ends() -> None:
    model = detector()
    streams, cells = model.bank(), model.encoder.cells.count
    slot = streams.open()
    region = torch.zeros(cells, dtype=torch.bool)
    region[: cells // 2] = True
    streams.limit(slot, region)
    shots = stacked(pictures(9))
    limited = streams.push([slot] * 9, shots)
    assert len(limited.cell) and int(limited.cell.max()) < cells // 2
    streams.close(slot)
    assert streams.open() == slot
    assert int(streams.push([slot] * 9, shots).cell.max()) >= cells // 2


def test_selected_windows_are_those_of_a_batch_of_their_own() -> None:
    model = detector()
    streams = model.bank()
    runs = [pictures(model.config.window, seed=n) for n in range(3)]
    slots = [streams.open() for _ in runs]
    for at in range(model.config.window):
        windows = streams.push(slots, stacked([run[at] for run in runs]))
    whole, part = model.score(windows), model.score(windows.select([2, 0]))
    assert torch.allclose(part.raw, whole.raw[[2, 0]], atol=1e-6)
    assert torch.allclose(part.heat, whole.heat[[2, 0]], atol=1e-6)
    assert windows.select([0, 1, 2]) is windows


@pytest.mark.gpu
@pytest.mark.parametrize("name", ENCODERS)
def test_bank_lies_where_its_detector_does(name: str) -> None:
    model = detector("stem" if name == "stem" else "pixels").cuda()
    streams = model.bank()
    shots = stacked([model.prepare(image).image for image in pictures(9)])
    windows = streams.push([streams.open()] * 9, shots)
    assert streams.device.type == windows.features.device.type == "cuda"
    assert bool(model.score(windows).raw[-1].isfinite())
