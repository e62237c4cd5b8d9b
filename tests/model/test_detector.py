"""The detector: windows in, scores and heat maps out, the same whatever is scored beside them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model.detector import Calibration, Detector, DetectorConfig, Precision, Scores, score_of
from model.encoder import EncoderName
from model.frames import PictureSizeError, Repair
from tests.model.detectors import ENCODERS, HEIGHT, WIDTH, config, detector, pictures, scene, stacked


def inputs(model: Detector, count: int, seed: int = 0) -> torch.Tensor:
    return stacked([model.prepare(image).image for image in pictures(count, seed=seed)])


def score(model: Detector, frames: torch.Tensor) -> Scores:
    bank = model.bank()
    return model.score(bank.push([bank.open()] * len(frames), frames))


def equal(one: Scores, other: Scores) -> bool:
    return torch.equal(one.raw.nan_to_num(-1), other.raw.nan_to_num(-1)) and torch.equal(one.heat, other.heat)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("frame_interval", 0.0),
        ("frame_interval", math.inf),
        ("frame_interval", math.nan),
        ("cell", 8),
        ("window", 1),
        ("window", 10**400),
        ("recent", 0),
        ("recent", 1000),
        ("components", 0),
        ("hidden", -1),
        ("latent", 5000),
        ("top", 0),
        ("motion", -0.01),
        ("motion", math.nan),
        ("most_cells", 0),
        ("smoothing", -0.5),
        ("minimum", math.inf),
        ("encoder", "resnet"),
    ],
)
def test_setting_that_makes_no_sense_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{name} is .*: expected"):
        replace(config(), **{name: value})


@pytest.mark.parametrize("encoder", ENCODERS)
def test_frames_before_a_full_window_have_no_score(encoder: EncoderName) -> None:
    model = detector(encoder)
    scores = score(model, inputs(model, model.config.window + 3))
    assert scores.raw.isnan().tolist() == [True] * (model.config.window - 1) + [False] * 4
    assert not bool(scores.heat[: model.config.window - 1].any())


@pytest.mark.parametrize("encoder", ENCODERS)
def test_score_of_a_window_is_that_of_the_bank(encoder: EncoderName) -> None:
    model = detector(encoder)
    window, frames = model.config.window, inputs(model, 24)
    scores = score(model, frames)
    for end in range(window - 1, len(frames)):
        alone = model.score_window(frames[end - window + 1 : end + 1])
        torch.testing.assert_close(alone.raw, scores.raw[end : end + 1], rtol=0, atol=1e-5)
        torch.testing.assert_close(alone.heat, scores.heat[end : end + 1], rtol=0, atol=1e-5)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_raw_is_the_mean_of_the_largest_errors_and_missing_ones_are_0(encoder: EncoderName) -> None:
    model = detector(encoder)
    bank, frames = model.bank(), inputs(model, model.config.window)
    windows = bank.push([bank.open()] * len(frames), frames)
    with torch.inference_mode():
        errors = model.errors(windows.features)
    top = min(model.config.top, model.encoder.cells.count)
    largest = errors.sort(descending=True).values[:top]
    assert len(errors) > 0
    assert float(model.score(windows).raw[-1]) == pytest.approx(float(largest.sum()) / top, rel=1e-5)


def test_heat_lies_where_something_moves() -> None:
    model = detector()
    frames = inputs(model, 1).expand(model.config.window, -1, -1).clone()
    frames[-1, 16:32, 48:64] = 255 - frames[-1, 16:32, 48:64]
    heat = score(model, frames).heat[-1]
    assert heat.shape == model.encoder.cells.shape
    inside = torch.zeros_like(heat, dtype=torch.bool)
    inside[1:5, 5:9] = True  # half cells of 8 pixels, and half a cell around for the second grid
    assert bool((heat[2:4, 6:8] > 0).all()) and not bool(heat[~inside].any())


def test_where_nothing_moves_the_score_is_0() -> None:
    model = detector()
    scores = score(model, inputs(model, 1).expand(model.config.window, -1, -1))
    assert float(scores.raw[-1]) == 0.0 and not bool(scores.heat.any())


@pytest.mark.parametrize("encoder", ENCODERS)
def test_neighbours_in_the_batch_never_change_a_score(encoder: EncoderName) -> None:
    model = detector(encoder)
    frames, foreign = inputs(model, 16), inputs(model, 16, seed=9)
    alone, bank = score(model, frames), model.bank(2)
    mine, other = bank.open(), bank.open()
    mixed = torch.stack([foreign, frames], dim=1).flatten(0, 1)
    together = model.score(bank.push([other, mine] * 16, mixed))
    torch.testing.assert_close(together.raw[1::2], alone.raw, rtol=0, atol=1e-5, equal_nan=True)
    torch.testing.assert_close(together.heat[1::2], alone.heat, rtol=0, atol=1e-5)
    assert torch.equal(together.heat[1::2] > 0, alone.heat > 0)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_later_frames_never_change_a_score(encoder: EncoderName) -> None:
    model = detector(encoder)
    frames, end = inputs(model, 20), 12
    changed = torch.cat([frames[:end], inputs(model, 8, seed=4)])
    one, other = score(model, frames), score(model, changed)
    torch.testing.assert_close(one.raw[:end], other.raw[:end], rtol=0, atol=1e-5, equal_nan=True)
    assert not torch.allclose(one.raw[end:], other.raw[end:], atol=1e-5)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_same_seed_gives_the_same_bits_twice(encoder: EncoderName) -> None:
    one, other = detector(encoder, seed=3), detector(encoder, seed=3)
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())
    frames = inputs(one, 16)
    assert equal(score(one, frames), score(other, frames))
    assert not equal(score(one, frames), score(detector(encoder, seed=4), frames))


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_back_in_float32_every_bit_is_what_it_was(precision: Precision) -> None:
    model = detector()
    frames, before = inputs(model, 12), {name: value.clone() for name, value in model.state_dict().items()}
    scores = score(model, frames)
    model.with_precision(precision)
    assert not all(torch.equal(value.float(), before[name].float()) for name, value in model.state_dict().items())
    model.with_precision("float32")
    after = model.state_dict()
    assert all(torch.equal(after[name], value) and after[name].dtype == value.dtype for name, value in before.items())
    torch.testing.assert_close(score(model, frames).raw, scores.raw, rtol=0, atol=1e-5, equal_nan=True)


def test_way_through_other_precisions_does_not_matter() -> None:
    straight, around = detector(), detector()
    straight.with_precision("bfloat16")
    for precision in ("bfloat16", "float16", "float16", "bfloat16"):
        around.with_precision("float16" if precision == "float16" else "bfloat16")
    exact = detector().state_dict()
    for model in (straight, around):
        assert all(torch.equal(value, exact[name]) for name, value in model.exact_state().items())
    around.with_precision("float32").with_precision("float32")
    assert all(torch.equal(value, exact[name]) for name, value in around.state_dict().items())


def test_exact_state_in_float32_is_the_state() -> None:
    model = detector()
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in model.exact_state().items())


def test_half_precision_scores_nearly_the_same() -> None:
    model = detector()
    frames = inputs(model, 12)
    exact = score(model, frames)
    rounded = score(model.with_precision("bfloat16"), frames)
    torch.testing.assert_close(rounded.raw, exact.raw, rtol=0.05, atol=0.01, equal_nan=True)
    assert torch.equal(rounded.heat > 0, exact.heat > 0)  # which cells move is decided in whole numbers


def test_pixels_have_no_precision_but_one() -> None:
    model = detector("pixels")
    frames = inputs(model, 12)
    exact = score(model, frames)
    assert equal(score(model.with_precision("bfloat16"), frames), exact)


def test_picture_of_another_aspect_is_refused() -> None:
    with pytest.raises(PictureSizeError, match=f"{HEIGHT}x{WIDTH}, .*{WIDTH}x{HEIGHT}"):
        detector().prepare(np.zeros((WIDTH, HEIGHT), np.uint8))


def test_flip_is_judged_against_the_detectors_own_reference_picture() -> None:
    model, repair = detector(), Repair(noise=False, flip=True)
    turned = model.prepare(scene()[::-1], repair)
    assert turned.flipped and np.array_equal(turned.image, scene())
    assert not model.prepare(scene(), repair).flipped
    assert not model.prepare(scene()[::-1]).flipped


@pytest.mark.parametrize("colour", [False, True])
def test_frames_have_the_shape_the_encoder_takes(colour: bool) -> None:
    model = detector(colour=colour)
    assert model.prepare(scene()).image.shape == model.encoder.takes
    assert math.isfinite(float(score(model, inputs(model, model.config.window)).raw[-1]))


@given(raw=st.floats(0, 1e3), more=st.floats(1e-3, 1e6), theta=st.floats(1e-2, 1e2))
def test_score_rises_from_0_towards_1_and_is_half_at_the_threshold(raw: float, more: float, theta: float) -> None:
    assert 0 <= score_of(raw, theta) < score_of(raw + more, theta) < 1
    assert score_of(0.0, theta) == 0.0 and score_of(theta, theta) == 0.5


FACTS: dict[str, Any] = {
    "theta": 0.5,
    "alarms_per_hour": 1.0,
    "minutes": 60.0,
    "alarms": 0,
    "upper_bound": 3.7,
    "extrapolated": False,
}


@pytest.mark.parametrize(("minutes", "sufficient"), [(0.0, False), (59.9, False), (60.0, True), (600.0, True)])
def test_an_hour_of_footage_is_sufficient(minutes: float, sufficient: bool) -> None:
    assert Calibration(**{**FACTS, "minutes": minutes}).sufficient is sufficient


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("theta", 0.0),
        ("theta", -1.0),
        ("theta", math.nan),
        ("minutes", -1.0),
        ("alarms", -1),
        ("upper_bound", math.nan),
    ],
)
def test_calibration_that_makes_no_sense_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} is {value}: expected"):
        Calibration(**{**FACTS, name: value})


def test_default_settings_are_sound() -> None:
    assert isinstance(config(), DetectorConfig) and config().mask is not None
    assert config("pixels").mask is None


@pytest.mark.gpu
@pytest.mark.parametrize("encoder", ENCODERS)
def test_gpu_scores_as_the_cpu_does(encoder: EncoderName) -> None:
    model = detector(encoder)
    frames = inputs(model, 16)
    on_cpu = score(model, frames)
    on_gpu = score(model.cuda(), frames)
    torch.testing.assert_close(on_gpu.raw.cpu(), on_cpu.raw, rtol=0.01, atol=1e-3, equal_nan=True)
    assert torch.equal(on_gpu.heat.cpu() > 0, on_cpu.heat > 0)
