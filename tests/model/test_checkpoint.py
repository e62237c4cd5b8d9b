"""A checkpoint holds the whole detector bit by bit; one that was tampered with is refused, and the message says why."""

from __future__ import annotations

import copy
import json
import math
import os
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors
import safetensors.torch
import torch
from torch import Tensor

import model
from model import checkpoint
from model.checkpoint import FORMAT, Checkpoint, CheckpointError, Provenance, load, save
from model.detector import Calibration, Detector
from model.encoder import EncoderName
from tests.model.detectors import ENCODERS, detector, pictures, stacked

Document = dict[str, Any]
Tensors = dict[str, Tensor]


def made(encoder: EncoderName = "stem", **changes: Any) -> Checkpoint:
    built = detector(encoder, **changes)
    calibration = Calibration(
        theta=float(built.theta),
        alarms_per_hour=1.0,
        minutes=12.5,
        alarms=0,
        upper_bound=17.7,
        extrapolated=True,
        precision="float32",
    )
    provenance = Provenance("framewatch train footage --out m.safetensors", training={"clips": 3, "auc": None})
    return Checkpoint(built, calibration, provenance)


def contents(path: Path) -> tuple[Tensors, Document]:
    with safetensors.safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, json.loads(file.metadata()["framewatch"])  # noqa: SIM118


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoint") / "good.safetensors"
    save(path, made())
    return path


@pytest.fixture
def tampered(good: Path, tmp_path: Path) -> Callable[[Callable[[Tensors, Document], object]], Path]:
    """Makes a copy of a good checkpoint with something changed."""

    def tamper(change: Callable[[Tensors, Document], object]) -> Path:
        tensors, document = contents(good)
        change(tensors, document)
        path = tmp_path / "tampered.safetensors"
        safetensors.torch.save_file(tensors, path, metadata={"framewatch": json.dumps(document)})
        return path

    return tamper


def refused(path: Path, why: str) -> None:
    """The file is named, so is the fault, and the message is one that can be read."""
    with pytest.raises(CheckpointError, match=why) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500 + len(str(path))


def bits(module: torch.nn.Module) -> dict[str, bytes]:
    return {name: value.cpu().numpy().tobytes() for name, value in module.state_dict().items()}


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("colour", [False, True])
def test_round_trip_is_exact_to_the_bit(encoder: EncoderName, colour: bool, tmp_path: Path) -> None:
    before = made(encoder, colour=colour)
    path = tmp_path / "m.safetensors"
    save(path, before)
    after = load(path)
    assert bits(after.detector) == bits(before.detector)
    assert after.detector.config == before.detector.config
    assert (after.calibration, after.provenance) == (before.calibration, before.provenance)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_loaded_detector_scores_the_same_to_the_bit(encoder: EncoderName, tmp_path: Path) -> None:
    before = made(encoder).detector
    save(tmp_path / "m.safetensors", made(encoder))
    after = load(tmp_path / "m.safetensors").detector
    assert not after.training and after.precision == "float32"
    shots = stacked([before.prepare(image).image for image in pictures(before.config.window)])
    one, other = before.score_window(shots), after.score_window(shots)
    assert torch.equal(one.raw, other.raw) and torch.equal(one.heat, other.heat)


def test_settings_that_are_no_defaults_come_back(tmp_path: Path) -> None:
    changed = made(
        window=4,
        recent=2,
        components=7,
        hidden=9,
        latent=3,
        top=2,
        motion=0.07,
        most_cells=11,
        smoothing=1.5,
        minimum=0.4,
    )
    save(tmp_path / "m.safetensors", changed)
    assert load(tmp_path / "m.safetensors").detector.config == changed.detector.config


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_detector_in_half_precision_is_saved_in_full(precision: Any, good: Path, tmp_path: Path) -> None:
    lowered = made()
    lowered.detector.with_precision(precision)
    save(tmp_path / "m.safetensors", lowered)
    assert bits(load(tmp_path / "m.safetensors").detector) == bits(load(good).detector)


def test_memory_layout_is_not_what_is_saved(good: Path, tmp_path: Path) -> None:
    moved = made()
    moved.detector.with_precision("float32")  # channels last
    save(tmp_path / "m.safetensors", moved)
    assert bits(load(tmp_path / "m.safetensors").detector) == bits(load(good).detector)


def test_loading_takes_nothing_from_the_random_generator(good: Path) -> None:
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    load(good)
    assert torch.equal(torch.rand(1), expected)


def test_loaded_weights_do_not_hang_on_the_file(good: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(good.read_bytes())
    loaded = load(path).detector
    before = bits(loaded)
    path.write_bytes(bytes(path.stat().st_size))
    assert bits(loaded) == before


def test_provenance_says_when_and_with_which_versions() -> None:
    provenance = Provenance("framewatch train")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", provenance.created)
    assert provenance.versions == {"framewatch": model.__version__, "torch": torch.__version__}


def test_checkpoint_of_before_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save(path, made(seed=1))
    save(path, made(seed=2))
    assert bits(load(path).detector) == bits(made(seed=2).detector)
    assert os.listdir(tmp_path) == ["m.safetensors"]


@pytest.mark.parametrize("name", ["missing/m.safetensors", "file/m.safetensors", "."])
def test_place_that_cannot_be_written_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match=f"cannot write {re.escape(str(tmp_path / name))}"):
        save(tmp_path / name, made())


def test_number_that_is_not_finite_is_not_written(tmp_path: Path) -> None:
    whole = made()
    unfit = Checkpoint(whole.detector, whole.calibration, Provenance("train", training={"loss": math.inf}))
    with pytest.raises(CheckpointError, match="cannot write"):
        save(tmp_path / "m.safetensors", unfit)
    assert os.listdir(tmp_path) == []


def test_missing_file_is_named(tmp_path: Path) -> None:
    refused(tmp_path / "none.safetensors", "No such file")


def test_folder_is_refused_with_what_to_give(tmp_path: Path) -> None:
    refused(tmp_path, r"is no file: give a \.safetensors checkpoint")


def test_name_that_no_file_can_have_is_refused() -> None:
    with pytest.raises(CheckpointError, match="cannot read"):
        load(Path("a\0b"))


def test_pipe_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "is no file")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"PK\x03\x04 a torch zip", id="a zip"),
        pytest.param(b"\x80\x04\x95pickle", id="a pickle"),
        pytest.param(b"\x00" * 200, id="zeros"),
        pytest.param(struct.pack("<Q", 2**62) + b"{}", id="a header longer than the file"),
        pytest.param(struct.pack("<Q", 99 * 2**20) + b"{" + b" " * 100, id="a huge header that is not there"),
        pytest.param(struct.pack("<Q", 8) + b'{"a":[]}', id="a header that describes no tensor"),
        pytest.param(struct.pack("<Q", 4) + b"\xff\xfe{}", id="a header that is no text"),
    ],
)
def test_file_that_is_no_safetensors_is_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(data)
    refused(path, "is no safetensors file, or damaged")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_truncated_file_is_refused(share: float, good: Path, tmp_path: Path) -> None:
    data = good.read_bytes()
    path = tmp_path / "m.safetensors"
    path.write_bytes(data[: int(share * len(data))])
    refused(path, "is no safetensors file, or damaged")


def test_file_with_more_at_its_end_is_refused(good: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(good.read_bytes() + b"more")
    refused(path, "is no safetensors file, or damaged")


def test_file_larger_than_any_checkpoint_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    with open(path, "wb") as file:
        file.truncate(checkpoint.MAX_BYTES + 1)  # takes no room
    refused(path, "has 512 MiB: a checkpoint has at most 512")


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_other_safetensors_file_is_refused(metadata: dict[str, str] | None, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    safetensors.torch.save_file({"weight": torch.zeros(3)}, path, metadata=metadata)
    refused(path, "is no framewatch checkpoint: give one made by `framewatch train`")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("{", "description is damaged", id="half an object"),
        pytest.param("not json", "description is damaged", id="no JSON"),
        pytest.param("[1]", r"description is damaged \(no JSON object", id="a list"),
        pytest.param("null", r"description is damaged \(no JSON object", id="null"),
        pytest.param("[" * 100_000, "description is damaged", id="nested without end"),
        pytest.param('{"format":' + "9" * 5000 + "}", "description is damaged", id="a number of 5000 digits"),
        pytest.param('"' + "x" * 2**21 + '"', r"description is damaged \(2097154 characters, at most", id="huge"),
        pytest.param("{}", "has checkpoint format None", id="without a version"),
        pytest.param(
            '{"format": 1}', "does not fit: calibration is None, expected an object", id="nothing but a version"
        ),
    ],
)
def test_damaged_description_is_refused(text: str, why: str, good: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    safetensors.torch.save_file(contents(good)[0], path, metadata={"framewatch": text})
    refused(path, why)


@pytest.mark.parametrize("version", [0, FORMAT + 1, "1", None, [1], {}])
def test_other_version_is_refused_with_what_to_do(version: object, tampered: Any) -> None:
    path = tampered(lambda tensors, document: document.update(format=version))
    refused(
        path, rf"has checkpoint format {re.escape(repr(version))}, this framewatch .* reads {FORMAT}: train it again"
    )


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
        (lambda tensors, document: tensors.pop("autoencoder.to_latent.bias"), "missing autoencoder.to_latent.bias"),
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
@pytest.mark.parametrize("name", ["encoder.first.weight", "autoencoder.to_features.bias", "whitening.matrix", "theta"])
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


def test_nothing_in_the_file_is_run(tmp_path: Path) -> None:
    torch.save(copy.deepcopy(made().detector.state_dict()), tmp_path / "m.safetensors")
    refused(tmp_path / "m.safetensors", "is no safetensors file")


@pytest.mark.gpu
def test_detector_is_loaded_onto_the_device_that_was_asked_for(good: Path) -> None:
    loaded: Detector = load(good, device="cuda").detector
    assert {value.device.type for value in loaded.state_dict().values()} == {"cuda"}
    assert bits(loaded) == bits(load(good).detector)
