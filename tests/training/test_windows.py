"""Windows of footage: an even draw in bounded memory, through the path that scores."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

import training.windows
from tests.model.detectors import MemoryClip, clip, detector, pictures, scene
from training.windows import Reservoir, clip_windows, collect


def numbered(count: int, *shape: int) -> Tensor:
    """Windows 0, 1, 2, ... whose every value is their number."""
    wanted = shape or (1, 1)
    return torch.arange(count, dtype=torch.float32).view(-1, *[1] * len(wanted)).expand(-1, *wanted).contiguous()


def drawn(most: int, count: int, *, chunk: int, seed: int = 0) -> list[int]:
    reservoir = Reservoir(most, np.random.default_rng(seed))
    for part in torch.split(numbered(count), chunk):
        reservoir.add(part)
    assert reservoir.seen == count
    assert len(reservoir) == len(reservoir.windows) == min(most, count)
    return [int(value) for value in reservoir.windows[:, 0, 0]]


@pytest.mark.parametrize("chunk", [1, 7, 300])
@pytest.mark.parametrize("count", [0, 1, 99, 100])
def test_few_windows_are_all_kept(count: int, chunk: int) -> None:
    assert sorted(drawn(100, count, chunk=chunk)) == list(range(count))


def test_many_windows_are_drawn_evenly_from_first_to_last() -> None:
    most, count, seeds = 100, 1000, 60
    tenths = np.zeros(10)
    for seed in range(seeds):
        kept = drawn(most, count, chunk=64, seed=seed)
        assert len(set(kept)) == most
        tenths += np.bincount(np.array(kept) // 100, minlength=10)
    expected = most * seeds / 10
    assert np.abs(tenths - expected).max() < 4 * np.sqrt(expected)


def test_the_draw_does_not_depend_on_how_the_windows_come() -> None:
    assert sorted(drawn(50, 500, chunk=1)) == sorted(drawn(50, 500, chunk=33)) == sorted(drawn(50, 500, chunk=500))


def test_memory_does_not_grow_with_the_footage() -> None:
    reservoir = Reservoir(64, np.random.default_rng(0))
    for _ in range(50):
        reservoir.add(numbered(100, 6, 4))
    assert reservoir.windows.untyped_storage().nbytes() <= 64 * 6 * 4 * 4


def test_large_windows_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training.windows, "MOST_BYTES", 10 * 4 * 6 * 100)
    reservoir = Reservoir(1000, np.random.default_rng(0))
    for _ in range(5):
        reservoir.add(numbered(30, 6, 100))
    assert len(reservoir) == 10
    assert reservoir.seen == 150


def test_an_empty_reservoir_has_no_windows() -> None:
    assert len(Reservoir(10, np.random.default_rng(0)).windows) == 0


def test_windows_are_those_of_moving_cells_after_the_first_full_one() -> None:
    model = detector()
    frames = 2 * model.config.window + 3
    found = list(clip_windows(model, clip(frames)))
    ready = [flag for part in found for flag in part.ready]
    assert ready == [False] * (model.config.window - 1) + [True] * (frames - model.config.window + 1)
    assert sum(len(part.features) for part in found) > 0
    assert {tuple(part.features.shape[1:]) for part in found} == {(model.config.window, model.encoder.channels)}


@pytest.mark.parametrize(
    "shots",
    [
        [(n / 10, scene()) for n in range(20)],
        [(n / 10, image) for n, image in enumerate(pictures(5))],
        [(float(n), image) for n, image in enumerate(pictures(20))],
    ],
    ids=["nothing moves", "shorter than a window", "too slow for windows"],
)
def test_some_footage_has_no_windows(shots: list[tuple[float, np.ndarray]]) -> None:
    reservoir = Reservoir(1000, np.random.default_rng(0))
    collect(detector(), [MemoryClip(shots)], reservoir)
    assert len(reservoir) == 0


def test_no_window_spans_a_hole_or_the_border_of_a_clip() -> None:
    model = detector()
    images = pictures(16)
    whole = MemoryClip([(n / 10, image) for n, image in enumerate(images)])
    holed = MemoryClip([(n / 10 + (3.0 if n >= 8 else 0.0), image) for n, image in enumerate(images)])
    halves = [MemoryClip(whole.shots[:8]), MemoryClip(whole.shots[8:], "02")]

    def gathered(*clips: MemoryClip) -> Tensor:
        reservoir = Reservoir(10_000, np.random.default_rng(0))
        collect(model, clips, reservoir)
        return reservoir.windows

    assert len(gathered(holed)) < len(gathered(whole))
    assert torch.equal(gathered(holed), gathered(*halves))


def test_every_frame_is_told() -> None:
    ticks: list[int] = []
    collect(
        detector(),
        [clip(9), clip(4, name="02")],
        Reservoir(10, np.random.default_rng(0)),
        on_frame=lambda: ticks.append(1),
    )
    assert len(ticks) == 13
