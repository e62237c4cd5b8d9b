"""Footage made worse, or abnormal, on purpose: at the stated rates, the same twice, and never more than stated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from model.clips import Frame
from model.pictures import Image
from tests.model.detectors import MemoryClip, clip
from training.corrupt import Altered, Backwards, Corrupted, DoubleSpeed, ForeignObject, Noisy

KINDS = [Corrupted, Noisy, DoubleSpeed, Backwards, ForeignObject]


def still(count: int, *, name: str = "01", size: tuple[int, ...] = (8, 8), value: int = 128) -> MemoryClip:
    """The same picture again and again, dark at the top."""
    image = np.full(size, value, np.uint8)
    image[0] = 40
    return MemoryClip([(n / 10, image) for n in range(count)], name)


def images(altered: Altered) -> list[Image]:
    return [frame.image for frame in altered.frames()]


def differences(altered: Altered) -> NDArray[np.int16]:
    """Of every frame of a still clip to what it was: int16 N×H×W."""
    before = next(altered.clip.frames()).image.astype(np.int16)
    return np.stack([image.astype(np.int16) - before for image in images(altered)])


def close(found: float, expected: float, count: int) -> bool:
    """Within four standard deviations of a share of `count` draws."""
    return bool(abs(found - expected) <= 4 * np.sqrt(expected * (1 - expected) / count))


def test_the_competitions_corruption_has_its_rates() -> None:
    count = 3000
    altered = Corrupted(still(count), seed=0)
    upright = next(altered.clip.frames()).image
    kinds = {"clean": 0, "flipped": 0, "noisy": 0}
    for image in images(altered):
        if np.array_equal(image, upright):
            kinds["clean"] += 1
        elif np.array_equal(image, upright[::-1]):
            kinds["flipped"] += 1
        else:
            kinds["noisy"] += 1
            assert abs(float(image[0].mean()) - 40) < 45  # noisy, and not on its head: never both
    assert close(kinds["flipped"] / count, 0.10, count)
    assert close(kinds["noisy"] / count, 0.40, count)


@pytest.mark.parametrize("kind", KINDS)
def test_a_clip_may_have_any_name_that_a_file_has(kind: type[Altered]) -> None:
    """Names of files are bytes, which need not be valid UTF-8."""
    assert len(images(kind(still(3, name="caf\udce9")))) in (2, 3)


def test_its_noise_is_uniform_up_to_35() -> None:
    changes = differences(replace(Corrupted(still(200, size=(32, 32))), flips=0.0, noise=1.0))
    noise = changes[:, 1:]
    assert noise.min() == -35
    assert noise.max() == 35
    assert abs(noise.mean()) < 0.5
    assert noise.std() == pytest.approx(35 / np.sqrt(3), rel=0.02)


def test_noise_does_not_wrap_around() -> None:
    bright = replace(Corrupted(still(20, value=250)), flips=0.0, noise=1.0)
    assert min(image[1:].min() for image in images(bright)) >= 250 - 35


def test_training_noise_is_on_half_the_frames_between_its_amplitudes() -> None:
    count = 1000
    changes = np.abs(differences(Noisy(still(count, size=(16, 16))))[:, 1:]).max(axis=(1, 2))
    assert close(float((changes > 0).mean()), 0.5, count)
    amplitudes = changes[changes > 0]
    assert 9 <= amplitudes.min() < 15
    assert 40 < amplitudes.max() <= 45


def test_double_speed_shows_every_second_frame_at_the_pace_of_all() -> None:
    shots = MemoryClip([(5 + n / 10, np.full((4, 4), n, np.uint8)) for n in range(9)])
    frames = list(DoubleSpeed(shots).frames())
    assert [int(frame.image[0, 0]) for frame in frames] == [0, 2, 4, 6, 8]
    assert [frame.pts for frame in frames] == pytest.approx([5.0, 5.1, 5.2, 5.3, 5.4])
    assert DoubleSpeed(shots).frame_count == 5


def test_backwards_turns_the_pictures_round_and_not_the_time() -> None:
    shots = MemoryClip([(n / 10, np.full((4, 4), n, np.uint8)) for n in range(9)])
    frames = list(Backwards(shots, most=6).frames())
    assert [int(frame.image[0, 0]) for frame in frames] == [5, 4, 3, 2, 1, 0]
    assert [frame.number for frame in frames] == list(range(6))
    assert [frame.pts for frame in frames] == pytest.approx([n / 10 for n in range(6)])


@pytest.mark.parametrize("size", [(64, 96), (64, 96, 3), (240, 360), (9, 9)])
def test_the_foreign_object_shows_where_its_labels_say_and_nowhere_else(size: tuple[int, ...]) -> None:
    altered = ForeignObject(still(120, size=size))
    labels = altered.labels(120)
    changed = np.array([bool(difference.any()) for difference in differences(altered)])
    assert 0.3 < labels.mean() < 0.9
    assert not changed[~labels].any()
    assert changed[labels].mean() > 0.9
    assert all(image.shape == size for image in images(altered))


def test_the_foreign_object_moves() -> None:
    altered = ForeignObject(still(60, size=(240, 360)))
    labels = altered.labels(60)
    first = int(np.flatnonzero(labels)[0])
    stop = first + int(np.flatnonzero(~labels[first:])[0])
    places = [np.argwhere(change).mean(axis=0) for change in differences(altered)[first:stop]]
    steps = np.linalg.norm(np.diff(places, axis=0), axis=1)
    assert np.median(steps) > 1


def test_labels_do_not_depend_on_how_many_are_asked_for() -> None:
    altered = ForeignObject(still(10))
    assert np.array_equal(altered.labels(300)[:120], altered.labels(120))


@pytest.mark.parametrize("kind", KINDS)
def test_every_reading_draws_the_same(kind: type[Altered]) -> None:
    altered = kind(clip(40), 3)
    first, second = ([(f.number, f.pts, f.image.tobytes()) for f in altered.frames()] for _ in range(2))
    assert first == second


@pytest.mark.parametrize("kind", [Corrupted, Noisy, ForeignObject])
def test_seed_clip_and_kind_have_draws_of_their_own(kind: type[Altered]) -> None:
    def drawn(altered: Altered) -> float:
        return float(altered.generator().random())

    others = [other(still(1), 1) for other in KINDS if other is not kind]
    values = [drawn(kind(still(1), 1)), drawn(kind(still(1), 2)), drawn(kind(still(1, name="02"), 1))]
    assert len({*values, *map(drawn, others)}) == len(values) + len(others)


@pytest.mark.parametrize("kind", KINDS)
def test_an_altered_clip_is_a_clip(kind: type[Altered]) -> None:
    altered = kind(clip(10, name="gate"))
    assert altered.name == "gate"
    assert altered.interval == pytest.approx(0.1)
    assert altered.frame_count == len(list(altered.frames(colour=False, skip_bad=True)))
    assert altered.check() == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_clip_itself_is_left_as_it_is(kind: type[Altered]) -> None:
    source = clip(30)
    before = [frame.image.copy() for frame in source.frames()]
    list(kind(source).frames())
    assert all(np.array_equal(a, frame.image) for a, frame in zip(before, source.frames(), strict=True))


def test_the_base_alone_is_refused() -> None:
    with pytest.raises(TypeError, match="use one of the alterations"):
        list(Altered(still(1)).frames())


def test_a_frame_without_its_turn_is_handed_on_unchanged() -> None:
    frame = Frame(7, 0.7, np.zeros((4, 4), np.uint8))
    assert list(replace(Noisy(still(1)), share=0.0).alter(iter([frame]))) == [frame]
