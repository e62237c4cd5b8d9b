"""A decoded picture becomes the network's input: its size, its luma, its noise, and which way up it stands."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.frames import (
    NOISE_LIMIT,
    REFERENCE_SIZE,
    Geometry,
    PictureSizeError,
    Repair,
    denoise,
    is_flipped,
    luma,
    noise_sigma,
    prepare,
    reference_of,
)
from model.pictures import Image, decode_image
from tests.model.detectors import HEIGHT, WIDTH, pictures, scene

SAME = Geometry((HEIGHT, WIDTH), (HEIGHT, WIDTH), (HEIGHT, WIDTH))
REFERENCE = reference_of(scene())


def noisy(image: Image, amplitude: int = 35, seed: int = 0) -> Image:
    """Additive uniform noise, as the competition's pictures have it."""
    noise = np.random.default_rng(seed).integers(-amplitude, amplitude + 1, image.shape)
    return np.asarray(np.clip(image.astype(np.int16) + noise, 0, 255), dtype=np.uint8)


def coloured(image: Image) -> Image:
    """uint8 H×W×3 whose channels differ."""
    return np.stack([image, 255 - image, image // 2], axis=2)


def test_luma_of_a_luma_picture_is_the_picture_itself() -> None:
    image = scene()
    assert luma(image) is image


def test_luma_of_a_gray_picture_in_three_channels_is_the_gray() -> None:
    image = scene()
    assert np.array_equal(luma(np.stack([image] * 3, axis=2)), image)


def test_luma_weighs_blue_green_and_red() -> None:
    channels = np.eye(3, dtype=np.uint8)[None] * 255  # a blue, a green and a red pixel
    assert luma(channels).tolist() == [[29, 150, 76]]


@pytest.mark.parametrize("sigma", [1.0, 3.0, 6.0, 12.0, 25.0])
def test_noise_of_a_flat_picture_is_its_standard_deviation(sigma: float) -> None:
    noise = np.random.default_rng(0).normal(128, sigma, (240, 352))
    image = np.clip(np.rint(noise), 0, 255).astype(np.uint8)
    assert noise_sigma(image) == pytest.approx(sigma, rel=0.05)


def test_uniform_noise_of_35_has_its_known_standard_deviation() -> None:
    image = noisy(np.full((240, 352), 128, np.uint8), 35)
    assert noise_sigma(image) == pytest.approx(np.sqrt((71**2 - 1) / 12), rel=0.03)


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(np.full((40, 60), 200, np.uint8), id="flat"),
        pytest.param(np.tile(np.arange(120, dtype=np.uint8) * 2, (40, 1)), id="a ramp"),
        pytest.param(np.repeat(np.array([[0, 255]], np.uint8), 30, axis=1).repeat(40, axis=0), id="a straight edge"),
        pytest.param(np.zeros((2, 50), np.uint8), id="too low to tell"),
        pytest.param(np.zeros((50, 2), np.uint8), id="too narrow to tell"),
        pytest.param(np.zeros((1, 1), np.uint8), id="one pixel"),
    ],
)
def test_picture_without_noise_has_none(image: Image) -> None:
    assert noise_sigma(image) == 0.0


def test_clean_pictures_lie_below_the_limit_and_noisy_ones_above() -> None:
    clean = [noise_sigma(scene(240, 360)), noise_sigma(noisy(scene(240, 360), 3))]
    dirty = [noise_sigma(noisy(scene(240, 360), amplitude)) for amplitude in (15, 35, 45)]
    assert max(clean) < NOISE_LIMIT < min(dirty)


def test_noisy_picture_is_blurred_and_reports_the_noise_it_came_with() -> None:
    image = noisy(scene())
    prepared = prepare(image, SAME)
    assert np.array_equal(prepared.image, denoise(image))
    assert prepared.noise == noise_sigma(image)
    assert noise_sigma(prepared.image) < prepared.noise / 3


def test_clean_picture_comes_through_unchanged() -> None:
    assert np.array_equal(prepare(scene(), SAME).image, scene())


def test_noise_stays_where_repair_is_off() -> None:
    image = noisy(scene())
    assert np.array_equal(prepare(image, SAME, repair=Repair.parse("none")).image, image)


@pytest.mark.parametrize("amplitude", [0, 35])
@pytest.mark.parametrize("colour", [False, True])
def test_flipped_picture_is_turned_back(amplitude: int, colour: bool) -> None:
    for shot in pictures(5):
        image = noisy(coloured(shot) if colour else shot, amplitude)
        reference = reference_of(luma(coloured(scene()))) if colour else REFERENCE
        repair = Repair(noise=False, flip=True)
        upright = prepare(image, SAME, colour=colour, repair=repair, reference=reference)
        turned = prepare(image[::-1], SAME, colour=colour, repair=repair, reference=reference)
        assert not upright.flipped and turned.flipped
        assert np.array_equal(upright.image, image) and np.array_equal(turned.image, image)


def test_both_repairs_go_together() -> None:
    image = noisy(scene())
    prepared = prepare(image[::-1], SAME, repair=Repair(noise=True, flip=True), reference=REFERENCE)
    assert prepared.flipped and np.array_equal(prepared.image, denoise(image))


@pytest.mark.parametrize(
    ("repair", "reference"),
    [
        pytest.param(None, REFERENCE, id="not asked for"),
        pytest.param(Repair(flip=True), None, id="nothing to compare with"),
        pytest.param(Repair(flip=True), np.zeros(REFERENCE_SIZE, np.uint8), id="a model without a reference picture"),
    ],
)
def test_flipped_picture_stays_as_it_is(repair: Repair | None, reference: Image | None) -> None:
    flipped = scene()[::-1]
    prepared = prepare(flipped, SAME, repair=repair, reference=reference)
    assert not prepared.flipped and np.array_equal(prepared.image, flipped)


def test_brightness_and_contrast_do_not_decide_which_way_is_up() -> None:
    for changed in (scene() // 2, 255 - (255 - scene()) // 3):
        assert not is_flipped(changed, REFERENCE)
        assert is_flipped(changed[::-1], REFERENCE)


@pytest.mark.footage
def test_real_frames_are_told_from_flipped_ones(footage: Path) -> None:
    def frame(path: Path) -> Image:
        return decode_image(path.read_bytes(), colour=False)

    learned = sorted((footage / "ped2").glob("training*/**/*.jpg"))[::200]
    seen = sorted((footage / "ped2").glob("test*/**/*.jpg"))[::100]
    assert len(learned) > 5 and len(seen) > 10
    reference = np.mean([reference_of(frame(path)) for path in learned], axis=0).astype(np.uint8)
    for path in seen:
        for image in (frame(path), noisy(frame(path))):
            assert not is_flipped(image, reference)
            assert is_flipped(image[::-1], reference)


@pytest.mark.parametrize(
    ("text", "repair"),
    [
        ("none", Repair(noise=False, flip=False)),
        ("noise", Repair(noise=True, flip=False)),
        ("flip", Repair(noise=False, flip=True)),
        ("flip,noise", Repair(noise=True, flip=True)),
    ],
)
def test_repair_is_read_as_it_is_written(text: str, repair: Repair) -> None:
    assert Repair.parse(text) == repair
    assert str(repair) == text


def test_repair_is_read_in_any_order() -> None:
    assert Repair.parse(" noise , flip") == Repair(noise=True, flip=True)


@pytest.mark.parametrize("text", ["", "all", "none,flip", "noise,blur", ","])
def test_unknown_repair_is_refused_with_the_accepted_ones(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected flip, noise, both \(flip,noise\) or none"):
        Repair.parse(text)


@pytest.mark.parametrize(
    ("source", "height", "scaled", "taken"),
    [
        pytest.param((240, 360), 240, (240, 360), (240, 352), id="own height: not resampled"),
        pytest.param((360, 640), 240, (240, 427), (240, 416), id="smaller"),
        pytest.param((120, 160), 240, (240, 320), (240, 320), id="larger"),
        pytest.param((1080, 1920), 250, (256, 455), (256, 448), id="rounded to whole cells"),
        pytest.param((1000, 10), 240, (240, 16), (240, 16), id="narrower than a cell"),
        pytest.param((10, 1000), 4, (16, 1600), (16, 1600), id="lower than a cell"),
    ],
)
def test_picture_is_resized_with_its_aspect_and_cropped_to_whole_cells(
    source: tuple[int, int], height: int, scaled: tuple[int, int], taken: tuple[int, int]
) -> None:
    geometry = Geometry.of_cells(source, height=height, cell=16)
    assert (geometry.source, geometry.scaled, geometry.input) == (source, scaled, taken)


def test_crop_is_the_middle_and_leaves_pixels_alone() -> None:
    image = np.random.default_rng(0).integers(0, 256, (48, 70), dtype=np.uint8)
    geometry = Geometry.of_cells((48, 70), height=48, cell=16)
    assert np.array_equal(geometry.apply(image), image[:, 3:67])


def test_whole_frame_is_squeezed_into_a_square() -> None:
    image = scene()
    squeezed = cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA)
    assert np.abs(Geometry.of_frame((HEIGHT, WIDTH), size=32).apply(image).astype(int) - squeezed).max() <= 2


@given(
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    source=st.tuples(st.integers(1, 400), st.integers(1, 400)),
    height=st.integers(16, 64),
    colour=st.booleans(),
    three=st.booleans(),
    repair=st.sampled_from(["none", "noise", "flip", "flip,noise"]),
)
@settings(max_examples=50)
def test_input_has_the_models_size_whatever_comes_in(
    size: tuple[int, int], source: tuple[int, int], height: int, colour: bool, three: bool, repair: str
) -> None:
    geometry = Geometry.of_cells(source, height=height, cell=16)
    image = np.full((*size, 3) if three else size, 90, np.uint8)
    prepared = prepare(image, geometry, colour=colour, repair=Repair.parse(repair), reference=REFERENCE)
    assert prepared.image.shape == ((*geometry.input, 3) if colour else geometry.input)
    assert prepared.image.dtype == np.uint8 and prepared.image.flags.c_contiguous
    assert geometry.input[0] % 16 == geometry.input[1] % 16 == 0


@pytest.mark.parametrize(("height", "width"), [(240, 360), (480, 720), (100, 154), (100, 146)])
def test_aspect_within_the_tolerance_is_taken(height: int, width: int) -> None:
    geometry = Geometry.of_cells((240, 360), height=240, cell=16)
    geometry.check(np.zeros((height, width), np.uint8))


@pytest.mark.parametrize(("height", "width"), [(360, 240), (480, 640), (100, 155), (100, 145), (1, 1)])
def test_other_aspect_is_refused_with_both_sizes(height: int, width: int) -> None:
    geometry = Geometry.of_cells((240, 360), height=240, cell=16)
    with pytest.raises(PictureSizeError, match=rf"is {width}x{height}, .* 360x240: .*train a model on footage of this"):
        geometry.check(np.zeros((height, width, 3), np.uint8))


@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param(((0, 96), (64, 96), (64, 96)), id="no height"),
        pytest.param(((64, 96), (64, -96), (64, 96)), id="a negative width"),
        pytest.param(((64, 96), (64, 96), (0, 0)), id="an empty input"),
        pytest.param(((64, 10**6), (64, 96), (64, 96)), id="wider than any camera"),
        pytest.param(((64, 96), (64, 96), (64, 112)), id="a crop wider than the picture"),
        pytest.param(((64, 96), (48, 96), (64, 96)), id="a crop higher than the picture"),
    ],
)
def test_sizes_that_no_picture_has_are_refused(sizes: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="geometry"):
        Geometry(*sizes)


def test_reference_is_small_whatever_the_picture() -> None:
    reference = reference_of(scene(240, 360))
    assert reference.shape == REFERENCE_SIZE and reference.dtype == np.uint8


@pytest.mark.parametrize("source", [(96, 128), (192, 256), (200, 264), (98, 130), (97, 128)])
def test_large_picture_is_made_smaller_as_its_areas_say(source: tuple[int, int]) -> None:
    image = np.asarray(cv2.resize(scene(), source[::-1], interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
    geometry = Geometry(source, (48, 64), (48, 64))
    at_once = cv2.resize(image, (64, 48), interpolation=cv2.INTER_AREA)
    assert np.abs(geometry.apply(image).astype(int) - at_once).max() <= 2
