"""A batch is scored as if each frame were alone, and a failure costs only the frames that cause it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from model.detector import Scores
from model.pictures import Image
from model.regions import cells_inside
from service.engine.lanes import Lanes, warm
from service.engine.slots import Entry, Result, Slot
from service.models import Model
from tests.model import detectors
from tests.service.live import model, sibling

CULPRIT = 255
"""Value of the first pixel of a frame that makes a detector fail here."""


@dataclass
class Frame:
    slot: Slot
    image: Image
    restart: bool = False


def watched(of: Model, check: Callable[[Tensor], object]) -> Model:
    """Calls a check, which may raise, before frames are encoded."""
    encoder = of.detector.encoder
    forward = encoder.forward

    def checked(images: Tensor) -> Tensor:
        check(images)
        return forward(images)

    encoder.forward = checked  # type: ignore[method-assign]
    return of


def fail_on_culprit(images: Tensor) -> None:
    if (images[:, 0, 0] == CULPRIT).any():
        raise RuntimeError("this frame is poison")


def culprit() -> Image:
    image = detectors.pictures(1)[0].copy()
    image[0, 0] = CULPRIT
    return image


def pictures(count: int, seed: int = 0) -> list[Image]:
    return [np.minimum(image, CULPRIT - 1) for image in detectors.pictures(count, seed=seed)]


def rounds(slots: Sequence[Slot], count: int) -> list[list[Entry]]:
    """Batches of one frame of each slot."""
    runs = [pictures(count, seed=n) for n in range(len(slots))]
    return [[Frame(slot, run[at], at == 0) for slot, run in zip(slots, runs, strict=True)] for at in range(count)]


def alone(of: Model, images: Sequence[Image], region: Tensor | None = None) -> Scores:
    """What a detector gives for the frames of one stream."""
    bank = of.detector.bank()
    slot = bank.open(region)
    return of.detector.score(bank.push([slot] * len(images), detectors.stacked(images)))


def assert_scored(results: Sequence[Result], expected: Scores) -> None:
    for result, raw, heat in zip(results, expected.raw.tolist(), expected.heat.numpy(), strict=True):
        assert result.fault == ""
        assert result.raw == (None if np.isnan(raw) else pytest.approx(raw, rel=1e-5, abs=1e-5))
        assert result.heat is None or np.allclose(result.heat, heat, atol=1e-4)


def test_each_stream_is_scored_as_if_it_were_alone() -> None:
    door = model()
    models = [door, sibling(door, seed=1), sibling(door, seed=2, window=4), model(cell=32)]
    slots = [Slot(models[n % 4]) for n in range(8)]
    lanes = Lanes()
    batches = [lanes.score(batch) for batch in rounds(slots, 9)]
    for n in range(8):
        assert_scored([batch[n] for batch in batches], alone(models[n % 4], pictures(9, seed=n)))


def test_models_that_share_an_encoder_share_its_batches() -> None:
    sizes: list[int] = []
    door = watched(model(), lambda images: sizes.append(len(images)))
    lanes = Lanes()
    lanes.score(rounds([Slot(door), Slot(sibling(door, seed=1)), Slot(door)], 1)[0])
    assert sizes == [3]


def test_several_frames_of_a_stream_in_a_batch_are_in_order() -> None:
    door, slot, lanes = model(), Slot(model()), Lanes()
    slot.model = door
    images = pictures(10)
    results = [*lanes.score([Frame(slot, image) for image in images[:7]])]
    results += lanes.score([Frame(slot, image) for image in images[7:]])
    assert_scored(results, alone(door, images))


def test_too_large_a_batch_is_halved_and_nothing_is_lost() -> None:
    asked: list[int] = []

    def at_most_three(images: Tensor) -> None:
        asked.append(len(images))
        if len(images) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")

    door = model()
    expected = [alone(door, pictures(8, seed=n)) for n in range(7)]
    short: list[int] = []
    lanes = Lanes(short.append)
    slots = [Slot(watched(door, at_most_three) if n == 0 else door) for n in range(7)]
    batches = [lanes.score(batch) for batch in rounds(slots, 8)]
    for n in range(7):
        assert_scored([batch[n] for batch in batches], expected[n])
    assert short[:2] == [7, 4]
    assert max(asked) == 7


def test_memory_that_does_not_suffice_for_one_frame_is_that_frames_fault() -> None:
    def never(images: Tensor) -> None:
        raise MemoryError

    lanes = Lanes()
    slots = [Slot(watched(model(), never)), Slot(model(cell=32))]
    first, second = lanes.score(rounds(slots, 1)[0])
    assert first.fault == "MemoryError"
    assert second.fault == ""


def test_frame_that_makes_the_encoder_fail_costs_only_its_own_stream() -> None:
    door = model()
    expected = [alone(door, pictures(14, seed=n)) for n in range(5)]
    lanes, slots = Lanes(), [Slot(watched(door, fail_on_culprit) if n == 0 else door) for n in range(5)]
    batches = rounds(slots, 14)
    batches[7][2] = Frame(slots[2], culprit())
    results = [lanes.score(batch) for batch in batches]
    for n in (0, 1, 3, 4):
        assert_scored([batch[n] for batch in results], expected[n])
    assert results[7][2].fault == "this frame is poison"
    after = [batch[2] for batch in results[8:]]
    assert [result.restarted for result in after] == [True] + [False] * 5
    assert_scored(after, alone(door, pictures(14, seed=2)[8:]))


def test_culprit_among_frames_of_its_own_stream_breaks_the_window_there() -> None:
    door, lanes = model(), Lanes()
    slot = Slot(watched(door, fail_on_culprit))
    images = pictures(12)
    images[3] = culprit()
    results = lanes.score([Frame(slot, image) for image in images])
    assert [bool(result.fault) for result in results] == [n == 3 for n in range(12)]
    assert [result.restarted for result in results].index(True) == 4
    assert_scored(results[4:], alone(door, images[4:]))


def test_failing_autoencoder_does_not_push_frames_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    door = model()
    expected = [alone(door, pictures(9, seed=n)) for n in range(3)]
    score, failures = door.detector.score, [RuntimeError("once")]

    def once(windows: object) -> Scores:
        if failures:
            raise failures.pop()
        return score(windows)  # type: ignore[arg-type]

    slots, lanes = [Slot(door) for _ in range(3)], Lanes()
    batches = rounds(slots, 9)
    results = [lanes.score(batch) for batch in batches[:6]]
    monkeypatch.setattr(door.detector, "score", once)
    results += [lanes.score(batch) for batch in batches[6:]]
    for n in range(3):
        assert_scored([batch[n] for batch in results], expected[n])


def test_one_models_failure_is_not_anothers_though_they_share_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    door = model()
    yard = sibling(door, seed=1)
    monkeypatch.setattr(yard.detector, "score", lambda windows: 1 / 0)
    lanes, slots = Lanes(), [Slot(door), Slot(yard)]
    results = [lanes.score(batch) for batch in rounds(slots, 7)]
    assert_scored([batch[0] for batch in results], alone(door, pictures(7)))
    assert {batch[1].fault for batch in results} == {"division by zero"}


def test_a_score_that_is_no_number_never_leaves() -> None:
    door, lanes = model(), Lanes()
    with torch.no_grad():
        door.detector.autoencoder.get_parameter("members.0.to_features.bias").fill_(torch.nan)
    results = [batch[0] for batch in map(lanes.score, rounds([Slot(door)], 7))]
    assert [result.fault for result in results] == [""] * 5 + ["the model scored it nan"] + [""]
    assert results[-1].restarted


def test_what_moves_outside_the_region_does_not_count() -> None:
    door, lanes = model(), Lanes()
    config = door.detector.config
    region = cells_inside([((0, 0), (0.5, 0), (0.5, 1), (0, 1))], config.geometry, door.detector.encoder.cells)
    slots = [Slot(door, region), Slot(door)]
    images = pictures(8)
    results = [lanes.score([Frame(slot, image) for slot in slots]) for image in images]
    assert_scored([batch[0] for batch in results], alone(door, images, region))
    assert_scored([batch[1] for batch in results], alone(door, images))
    heats = [batch[0].heat for batch in results if batch[0].heat is not None]
    assert all(not heat[:, heat.shape[1] // 2 + 1 :].any() for heat in heats)


def test_region_can_change_while_the_stream_runs() -> None:
    door, lanes, slot = model(), Lanes(), Slot(model())
    slot.model = door
    nothing = torch.zeros(door.detector.encoder.cells.count, dtype=torch.bool)
    batches = rounds([slot], 9)
    for batch in batches[:6]:
        before = lanes.score(batch)[0]
    lanes.limit(slot, nothing)
    masked = lanes.score(batches[6])[0]
    lanes.limit(slot, None)
    after = lanes.score(batches[7])[0]
    assert before.raw and after.raw
    assert masked.raw == 0.0


def test_slots_and_lanes_are_given_back() -> None:
    door, lanes = model(), Lanes()
    slots = [Slot(door), Slot(model(cell=32)), Slot(door)]
    lanes.score(rounds(slots, 1)[0])
    assert lanes.slots == 3
    for slot in slots:
        lanes.release(slot)
        lanes.release(slot)
    assert lanes.slots == 0
    assert not lanes._lanes


def test_stage_times_are_kept() -> None:
    lanes = Lanes()
    lanes.score(rounds([Slot(model())], 1)[0])
    assert lanes.seconds.copy > 0 and lanes.seconds.encoder > 0 and lanes.seconds.windows > 0


@pytest.mark.parametrize("encoder", detectors.ENCODERS)
def test_warming_leaves_nothing_behind(encoder: str) -> None:
    warm(model(encoder), 4)  # type: ignore[arg-type]
