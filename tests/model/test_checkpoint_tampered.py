"""A checkpoint that was tampered with is refused, and the message says why."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from model.checkpoint import load
from tests.model.checkpoints import Document, Tensors, refused


def set_in(*path: str, value: object) -> Callable[[Tensors, Document], object]:
    def change(tensors: Tensors, document: Document) -> None:
        place = document
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (set_in("config", "shiny", value=1), "config has unknown 'shiny'"),
        (set_in("config", "geometry", "depth", value=1), "config.geometry has unknown 'depth'"),
        (set_in("calibration", "sigma", value=1), "calibration has unknown 'sigma'"),
        (set_in("provenance", "author", value="me"), "provenance has unknown 'author'"),
        (set_in("config", "x" * 10_000, value=1), r"config has unknown 'xxx.*\.\.\.$"),
        (lambda tensors, document: document["config"].pop("window"), "config lacks 'window'"),
        (lambda tensors, document: document["config"].pop("geometry"), "config lacks 'geometry'"),
        (lambda tensors, document: document.pop("config"), "config is None, expected an object"),
        (lambda tensors, document: document.pop("provenance"), "provenance is None, expected an object"),
        (set_in("config", value=[]), r"config is \[\], expected an object"),
    ],
)
def test_keys_must_be_exactly_those_that_are_known(change: Any, why: str, tampered: Any) -> None:
    refused(tampered(change), f"its description does not fit: {why}")


@pytest.mark.parametrize(
    ("path", "value", "why"),
    [
        ("config.window", True, "config.window is True, expected int"),
        ("config.window", 6.5, "config.window is 6.5, expected int"),
        ("config.window", "6", "config.window is '6', expected int"),
        ("config.window", None, "config.window is None, expected int"),
        ("config.window", -6, "window is -6: expected"),
        ("config.window", 1, "window is 1: expected"),
        ("config.window", 10**400, "window is 1000"),
        ("config.recent", 0, "recent is 0: expected 1 to"),
        ("config.recent", 200, "recent is 200: expected 1 to"),
        ("config.hidden", 0, "hidden is 0: expected"),
        ("config.latent", -1, "latent is -1: expected"),
        ("config.components", 10**9, "components is 1000000000: expected"),
        ("config.top", 0, "top is 0: expected"),
        ("config.most_cells", -5, "most_cells is -5: expected"),
        ("config.cell", 8, "cell is 8: expected"),
        ("config.cell", 24, "input .* with cells of 24"),
        ("config.motion", -0.1, "motion is -0.1: expected"),
        ("config.motion", True, "config.motion is True, expected float"),
        ("config.motion", "0.03", "config.motion is '0.03', expected float"),
        ("config.motion", math.nan, "config.motion is not finite"),
        ("config.frame_interval", 0, "frame_interval is 0.0: expected"),
        ("config.frame_interval", -0.1, "frame_interval is -0.1: expected"),
        ("config.frame_interval", math.inf, "config.frame_interval is not finite"),
        ("config.frame_interval", 10**400, "config.frame_interval is not finite"),
        ("config.smoothing", -1.0, "smoothing is -1.0: expected"),
        ("config.minimum", 1e9, "minimum is 1000000000.0: expected"),
        ("config.colour", 1, "config.colour is 1, expected bool"),
        ("config.colour", "false", "config.colour is 'false', expected bool"),
        ("config.encoder", "resnet", "config.encoder is 'resnet', expected stem or pixels"),
        ("config.encoder", ["stem"], "config.encoder is"),
        ("config.encoder", 3, "config.encoder is 3, expected stem or pixels"),
        ("config.geometry", [64, 96], "config.geometry is .*, expected an object"),
        ("config.geometry.input", [64], "config.geometry.input is"),
        ("config.geometry.input", [64, 96, 3], "config.geometry.input is"),
        ("config.geometry.input", [64, True], "config.geometry.input is True, expected int"),
        ("config.geometry.input", [-64, -96], "geometry.input is -96x-64: expected sides"),
        ("config.geometry.input", [0, 0], "geometry.input is 0x0: expected sides"),
        ("config.geometry.input", [2**40, 2**40], "geometry.input is .*: expected sides"),
        ("config.geometry.source", [64, 0], "geometry.source is 0x64: expected sides"),
        ("config.geometry.scaled", [16, 16], "geometry.input .* does not lie within"),
        ("calibration.theta", 0, "the threshold theta is 0.0: expected more than 0"),
        ("calibration.theta", -1.0, "the threshold theta is -1.0: expected more than 0"),
        ("calibration.theta", math.nan, "calibration.theta is not finite"),
        ("calibration.theta", True, "calibration.theta is True, expected float"),
        ("calibration.alarms", -1, "alarms is -1: expected 0 or more"),
        ("calibration.alarms", 1.5, "calibration.alarms is 1.5, expected int"),
        ("calibration.minutes", -3.0, "minutes is -3.0: expected 0 or more"),
        ("calibration.alarms_per_hour", -1, "alarms_per_hour is -1.0: expected 0 or more"),
        ("calibration.upper_bound", -0.5, "upper_bound is -0.5: expected 0 or more"),
        ("calibration.extrapolated", "no", "calibration.extrapolated is 'no', expected bool"),
        ("calibration.precision", "float64", "calibration.precision is 'float64', expected float32 or"),
        ("provenance.command", 7, "provenance.command is 7, expected str"),
        ("provenance.versions", {"torch": 2}, "provenance.versions.torch is 2, expected str"),
        ("provenance.versions", [], r"provenance.versions is \[\], expected dict"),
        ("provenance.training", "well", "provenance.training is 'well', expected dict"),
        ("provenance.training", {"a": [{"b": math.inf}]}, "provenance.training.a holds a number that is not finite"),
        ("provenance.command", ["x" * 10_000], r"provenance.command is \['xxx.*\.\.\., expected str"),
    ],
)
def test_every_value_must_be_of_its_kind_and_make_sense(path: str, value: object, why: str, tampered: Any) -> None:
    refused(tampered(set_in(*path.split("."), value=value)), f"its description does not fit: {why}")


def test_whole_numbers_do_for_fractions(tampered: Any) -> None:
    assert load(tampered(set_in("config", "smoothing", value=2))).detector.config.smoothing == 2.0


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            lambda tensors, document: tensors.pop("autoencoder.members.0.to_latent.bias"),
            "missing autoencoder.members.0.to_latent.bias",
        ),
        (lambda tensors, document: tensors.pop("theta"), "missing theta"),
        (lambda tensors, document: tensors.pop("reference"), "missing reference"),
        (lambda tensors, document: tensors.clear(), "missing autoencoder.* and .* more"),
        (lambda tensors, document: tensors.update(extra=torch.zeros(1)), "unknown extra"),
        (
            lambda tensors, document: tensors.update(theta=torch.ones(2)),
            r"theta is torch.float32 \(2,\), expected torch.float32 \(\)",
        ),
        (lambda tensors, document: tensors.update(theta=torch.tensor(0.5).half()), "theta is torch.float16"),
        (lambda tensors, document: tensors.update(reference=torch.zeros(36, 64)), "reference is torch.float32"),
        (
            lambda tensors, document: tensors.update(reference=torch.zeros(64, 36, dtype=torch.uint8)),
            r"reference is torch.uint8 \(64, 36\)",
        ),
        (
            set_in("config", "hidden", value=4096),
            r"autoencoder\.\S+ is torch.float32 .*, expected torch.float32 \(16384, ",
        ),
        (set_in("config", "components", value=4096), ".* expected torch.float32"),
        (set_in("config", "latent", value=1), ".* expected torch.float32"),
        (
            set_in("config", "colour", value=True),
            r"encoder.first.weight is torch.float32 \(32, 1, 3, 3\), expected torch.float32 \(32, 3, 3, 3\)",
        ),
        (set_in("config", "encoder", value="pixels"), "unknown encoder.blocks"),
    ],
)
def test_tensors_must_be_exactly_those_of_the_description(change: Any, why: str, tampered: Any) -> None:
    refused(tampered(change), f"its tensors do not fit its description: {why}")


def test_description_of_a_huge_network_takes_no_memory(tampered: Any) -> None:
    def huge(tensors: Tensors, document: Document) -> None:
        sizes = {name: [2**14, 2**14] for name in ("source", "scaled", "input")}
        document["config"].update(encoder="pixels", colour=True, hidden=4096, latent=4096, geometry=sizes)

    refused(tampered(huge), "its tensors do not fit its description")  # it would be 50 TB


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    "name", ["encoder.first.weight", "autoencoder.members.0.to_features.bias", "whitening.matrix", "theta"]
)
def test_values_that_are_not_finite_are_refused(name: str, value: float, tampered: Any) -> None:
    def spoil(tensors: Tensors, document: Document) -> None:
        tensors[name].view(-1)[-1] = value

    refused(tampered(spoil), f"tensor {name} holds values that are not finite")


def test_weight_below_0_is_refused(tampered: Any) -> None:
    path = tampered(lambda tensors, document: tensors["error_weight"].view(-1)[0].fill_(-0.1))
    refused(path, "tensor error_weight holds values below 0")


@pytest.mark.parametrize("theta", [0.25, -0.5, 0.0, 0.5001])
def test_threshold_must_be_the_described_one(theta: float, tampered: Any) -> None:
    refused(
        tampered(lambda tensors, document: tensors["theta"].fill_(theta)), "the threshold of its description is 0.5"
    )
