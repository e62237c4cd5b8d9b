"""A checkpoint holds the whole detector bit by bit; a file that is none is refused, and the message says why."""

from __future__ import annotations

import copy
import math
import os
import re
import struct
from pathlib import Path
from typing import Any

import pytest
import safetensors
import safetensors.torch
import torch

import model
from model import checkpoint
from model.checkpoint import FORMAT, Checkpoint, CheckpointError, Provenance, load, save
from model.detector import Detector
from model.encoder import EncoderName
from tests.model.checkpoints import bits, contents, made, refused
from tests.model.detectors import ENCODERS, pictures, stacked


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
def test_detector_in_half_precision_is_saved_in_full(precision: Any, good_checkpoint: Path, tmp_path: Path) -> None:
    lowered = made()
    lowered.detector.with_precision(precision)
    save(tmp_path / "m.safetensors", lowered)
    assert bits(load(tmp_path / "m.safetensors").detector) == bits(load(good_checkpoint).detector)


def test_memory_layout_is_not_what_is_saved(good_checkpoint: Path, tmp_path: Path) -> None:
    moved = made()
    moved.detector.with_precision("float32")  # channels last
    save(tmp_path / "m.safetensors", moved)
    assert bits(load(tmp_path / "m.safetensors").detector) == bits(load(good_checkpoint).detector)


def test_loading_takes_nothing_from_the_random_generator(good_checkpoint: Path) -> None:
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    load(good_checkpoint)
    assert torch.equal(torch.rand(1), expected)


def test_loaded_weights_do_not_hang_on_the_file(good_checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(good_checkpoint.read_bytes())
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
def test_truncated_file_is_refused(share: float, good_checkpoint: Path, tmp_path: Path) -> None:
    data = good_checkpoint.read_bytes()
    path = tmp_path / "m.safetensors"
    path.write_bytes(data[: int(share * len(data))])
    refused(path, "is no safetensors file, or damaged")


def test_file_with_more_at_its_end_is_refused(good_checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(good_checkpoint.read_bytes() + b"more")
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
def test_damaged_description_is_refused(text: str, why: str, good_checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    safetensors.torch.save_file(contents(good_checkpoint)[0], path, metadata={"framewatch": text})
    refused(path, why)


@pytest.mark.parametrize("version", [0, FORMAT + 1, "1", None, [1], {}])
def test_other_version_is_refused_with_what_to_do(version: object, tampered: Any) -> None:
    path = tampered(lambda tensors, document: document.update(format=version))
    refused(
        path, rf"has checkpoint format {re.escape(repr(version))}, this framewatch .* reads {FORMAT}: train it again"
    )


def test_nothing_in_the_file_is_run(tmp_path: Path) -> None:
    torch.save(copy.deepcopy(made().detector.state_dict()), tmp_path / "m.safetensors")
    refused(tmp_path / "m.safetensors", "is no safetensors file")


@pytest.mark.gpu
def test_detector_is_loaded_onto_the_device_that_was_asked_for(good_checkpoint: Path) -> None:
    loaded: Detector = load(good_checkpoint, device="cuda").detector
    assert {value.device.type for value in loaded.state_dict().values()} == {"cuda"}
    assert bits(loaded) == bits(load(good_checkpoint).detector)
