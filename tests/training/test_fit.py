"""Fitting: the best on held-out windows is kept, through Ctrl-C, a restart and a lack of memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor

from model.autoencoder import Ensemble
from training.fit import SMALLEST_BATCH, Fit, FitSettings, LossPoint, ResumeError, fit

SETTINGS = FitSettings(steps=40, batch=32, every=10)


class Narrow(Ensemble):
    """Fits at most so many windows into memory."""

    def __init__(self, most: int, error: BaseException) -> None:
        super().__init__(2, 4, 8, 2)
        self.most, self.failure = most, error

    def forward(self, windows: Tensor) -> Tensor:
        if self.training and len(windows) > self.most:
            raise self.failure
        return super().forward(windows)


def waves(count: int, seed: int) -> Tensor:
    """Windows of sines of one frequency: float32 count×6×4."""
    generator = torch.Generator().manual_seed(seed)
    phases = torch.rand(count, 1, 4, generator=generator) * 6.28
    return torch.sin(torch.arange(6).view(1, 6, 1) * 0.7 + phases)


LEARNED, HELD_OUT = waves(500, 0), waves(60, 1)


def network(seed: int = 0) -> Ensemble:
    torch.manual_seed(seed)
    return Ensemble(2, 4, 8, 2)


def run(autoencoder: Ensemble, settings: FitSettings = SETTINGS, **more: Any) -> Fit:
    return fit(autoencoder, LEARNED, HELD_OUT, settings, **more)


def same(one: Ensemble, other: Ensemble) -> bool:
    theirs = other.state_dict()
    return all(torch.equal(value, theirs[name]) for name, value in one.state_dict().items())


def stop_at(step: int) -> Callable[[LossPoint], None]:
    """Ctrl-C after a step."""

    def on_step(point: LossPoint) -> None:
        if point.step == step:
            raise KeyboardInterrupt

    return on_step


def test_the_error_falls() -> None:
    autoencoder = network()
    with torch.no_grad():
        before = float(autoencoder.error(HELD_OUT).mean())
    found = run(autoencoder, dataclasses.replace(SETTINGS, steps=150))
    assert found.best.held_out is not None
    assert found.best.held_out < 0.9 * before
    assert not found.interrupted


def test_the_weights_kept_are_those_of_the_lowest_held_out_error() -> None:
    autoencoder = network()
    found = run(autoencoder)
    assert found.best.held_out == min(point.held_out for point in found.history if point.held_out is not None)
    with torch.no_grad():
        assert float(autoencoder.error(HELD_OUT).mean()) == pytest.approx(found.best.held_out, rel=1e-6)
    assert not autoencoder.training


def test_the_same_seed_gives_the_same_bits() -> None:
    first, second, other = network(), network(), network()
    run(first)
    run(second)
    run(other, dataclasses.replace(SETTINGS, seed=1))
    assert same(first, second)
    assert not same(first, other)


def test_every_step_and_every_look_is_told() -> None:
    steps: list[int] = []
    looks: list[LossPoint] = []
    found = run(
        network(),
        dataclasses.replace(SETTINGS, steps=25),
        on_step=lambda point: steps.append(point.step),
        on_look=looks.append,
    )
    assert steps == list(range(1, 26))
    assert [point.step for point in looks] == [10, 20, 25]
    assert looks == found.history


@pytest.mark.parametrize("steps", [1, 2, 9, 10, 11, 20])
def test_a_few_steps_are_enough_for_a_schedule(steps: int) -> None:
    assert run(network(), dataclasses.replace(SETTINGS, steps=steps)).history[-1].step == steps


def test_fitting_stops_when_held_out_windows_gain_nothing_more() -> None:
    settings = dataclasses.replace(SETTINGS, steps=500, every=5, patience=3, learning_rate=0.0)
    found = run(network(), settings)
    assert found.best.step == 5
    assert found.history[-1].step == 20


def test_ctrl_c_keeps_the_best_so_far() -> None:
    autoencoder, until = network(), network()
    found = run(autoencoder, on_step=stop_at(25))
    run(until, on_step=stop_at(21))
    assert found.interrupted
    assert [point.step for point in found.history] == [10, 20]
    assert same(autoencoder, until)


def test_ctrl_c_before_the_first_look_has_nothing_to_keep() -> None:
    with pytest.raises(KeyboardInterrupt):
        run(network(), on_step=stop_at(5))


@pytest.mark.parametrize("stops", [(25,), (20,), (12, 31)])
def test_an_interrupted_fit_goes_on_to_the_same_bits(tmp_path: Path, stops: tuple[int, ...]) -> None:
    whole = network()
    expected = run(whole)
    state = tmp_path / "fit.safetensors"
    for step in stops:
        assert run(network(), resume=state, on_step=stop_at(step)).interrupted
    resumed = network(seed=9)  # its weights are replaced
    found = run(resumed, resume=state)
    assert same(resumed, whole)
    assert found.history == expected.history
    assert found.best == expected.best


@pytest.mark.parametrize(
    ("windows", "settings"),
    [
        (LEARNED, dataclasses.replace(SETTINGS, seed=1)),
        (LEARNED, dataclasses.replace(SETTINGS, steps=50)),
        (waves(500, 7), SETTINGS),
        (LEARNED[:400], SETTINGS),
    ],
    ids=["another seed", "other steps", "other footage", "less footage"],
)
def test_another_run_is_not_continued(tmp_path: Path, windows: Tensor, settings: FitSettings) -> None:
    state = tmp_path / "m.partial.safetensors"
    run(network(), resume=state, on_step=stop_at(15))
    with pytest.raises(ResumeError, match=r"m\.partial\.safetensors belongs to a run with other footage or settings"):
        fit(network(), windows, HELD_OUT, settings, resume=state)


@pytest.mark.parametrize("kind", ["garbage", "empty", "no fit", "no run"])
def test_a_file_that_is_no_saved_run_is_named(tmp_path: Path, kind: str) -> None:
    state = tmp_path / "m.partial.safetensors"
    if kind in ("garbage", "empty"):
        state.write_bytes(b"" if kind == "empty" else b"not tensors at all")
    else:
        metadata = {"fit": "{}"} if kind == "no run" else {"other": "1"}
        safetensors.torch.save_file({"x": torch.zeros(1)}, state, metadata=metadata)
    with pytest.raises(ResumeError, match=r"m\.partial\.safetensors is no saved training run.*remove it"):
        run(network(), resume=state)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4000000 bytes"),
    ],
    ids=["cuda", "python", "cpu"],
)
def test_out_of_memory_halves_the_batch_and_says_so_once(error: BaseException) -> None:
    said: list[str] = []
    found = run(Narrow(SMALLEST_BATCH, error), dataclasses.replace(SETTINGS, batch=4 * SMALLEST_BATCH), say=said.append)
    assert found.batch == SMALLEST_BATCH
    assert found.history[-1].step == SETTINGS.steps
    assert len(said) == 1
    assert "out of memory" in said[0]


def test_no_memory_for_the_smallest_batch_is_an_error() -> None:
    with pytest.raises(torch.OutOfMemoryError):
        run(Narrow(0, torch.OutOfMemoryError("CUDA out of memory")))


def test_another_error_is_not_taken_for_a_lack_of_memory() -> None:
    with pytest.raises(RuntimeError, match="sizes do not match"):
        run(Narrow(0, RuntimeError("sizes do not match")))
