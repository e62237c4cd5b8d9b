"""Models are known by name, come out of one folder only, and change without a moment's harm."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from model.checkpoint import Checkpoint, Provenance, save
from model.detector import Calibration
from service.models import Model, ModelError, Models, UnknownModelError
from tests.model import detectors

Write = Callable[..., Path]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Checkpoints: `a` and `b` have the same encoder, `c` another."""
    folder = tmp_path_factory.mktemp("made")
    a, c = detectors.detector(), detectors.detector(seed=1)
    b = detectors.detector(seed=1)
    b.encoder.load_state_dict(a.encoder.state_dict())
    calibration = Calibration(float(a.theta), 1.0, 90.0, 1, 2.0, False)
    for name, detector in (("a", a), ("b", b), ("c", c)):
        save(folder / name, Checkpoint(detector, calibration, Provenance("train")))
    return {name: (folder / name).read_bytes() for name in "abc"}


@pytest.fixture
def write(made: dict[str, bytes]) -> Write:
    """Writes one of these checkpoints."""

    def one(path: Path, which: str = "a") -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(made[which])
        return path

    return one


def models(folder: Path) -> Models:
    return Models(folder, device=torch.device("cpu"))


def nothing(model: Model) -> None:
    pass


def test_model_is_loaded_by_its_name(write: Write, tmp_path: Path) -> None:
    write(tmp_path / "door.safetensors")
    model = models(tmp_path).get("door")
    assert model.name == "door"
    assert len(model.sha256) == 64
    assert model.detector.config == detectors.config()


def test_model_in_use_is_loaded_once(write: Write, tmp_path: Path) -> None:
    write(tmp_path / "door.safetensors")
    known = models(tmp_path)
    assert known.get("door") is known.get("door")


def test_model_that_nobody_uses_is_let_go(write: Write, tmp_path: Path) -> None:
    write(tmp_path / "door.safetensors")
    known = models(tmp_path)
    known.get("door")
    gc.collect()
    assert len(known._loaded) == 0


def test_file_that_has_changed_is_loaded_anew(write: Write, tmp_path: Path) -> None:
    known = models(tmp_path)
    write(tmp_path / "door.safetensors")
    before = known.get("door")
    write(tmp_path / "door.safetensors", "b")
    assert known.get("door").sha256 != before.sha256


def test_models_with_the_same_encoder_share_a_lane(write: Write, tmp_path: Path) -> None:
    write(tmp_path / "a.safetensors")
    write(tmp_path / "b.safetensors", "b")
    write(tmp_path / "c.safetensors", "c")
    known = models(tmp_path)
    a, b, c = (known.get(name) for name in "abc")
    assert a.lane == b.lane != c.lane


@pytest.mark.parametrize(
    "name",
    [
        "../door",
        "..",
        ".",
        "",
        "/etc/passwd",
        "sub/door",
        "..\\door",
        "door\0",
        "%2e%2e%2fdoor",
        ".hidden",
        "door.safetensors",
        "d" * 200,
        "dôor",
        "door\n",
    ],
)
def test_no_name_leads_out_of_the_folder(write: Write, tmp_path: Path, name: str) -> None:
    write(tmp_path / "door.safetensors")
    write(tmp_path / "models" / "sub" / "door.safetensors")
    with pytest.raises(UnknownModelError):
        models(tmp_path / "models").get(name)


def test_link_out_of_the_folder_is_not_followed(write: Write, tmp_path: Path) -> None:
    outside = write(tmp_path / "outside.safetensors")
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "door.safetensors").symlink_to(outside)
    with pytest.raises(UnknownModelError):
        models(folder).get("door")
    (listing,) = models(folder).list()
    assert listing.about is None and "outside the model folder" in listing.error


def test_configured_checkpoint_may_lie_anywhere(write: Write, tmp_path: Path) -> None:
    known = models(tmp_path / "models")
    assert known.give(write(tmp_path / "door.safetensors")) == "door"
    assert known.get("door").name == "door"
    assert [listing.name for listing in known.list()] == ["door"]


def test_configured_checkpoint_does_not_hide_another(write: Write, tmp_path: Path) -> None:
    write(tmp_path / "models" / "door.safetensors")
    with pytest.raises(ModelError, match="already has a model door"):
        models(tmp_path / "models").give(write(tmp_path / "door.safetensors"))
    with pytest.raises(ModelError, match="expected a file name of letters"):
        models(tmp_path).give(tmp_path / "front door.safetensors")


def test_list_tells_what_can_be_used_and_why_not(write: Write, tmp_path: Path) -> None:
    write(tmp_path / "door.safetensors")
    (tmp_path / "junk.safetensors").write_bytes(b"junk")
    (tmp_path / "notes.txt").write_text("no model")
    known = models(tmp_path)
    known.activate("door", warm=nothing, switch=nothing)
    door, junk = known.list()
    assert door.about is not None and junk.about is None
    assert (door.name, door.active, door.error, door.about.provenance.command) == ("door", True, "", "train")
    assert (junk.name, junk.active) == ("junk", False)
    assert "junk.safetensors" in junk.error


def test_folder_that_is_not_there_has_no_models(tmp_path: Path) -> None:
    known = models(tmp_path / "nowhere")
    assert known.list() == []
    assert known.active is None
    with pytest.raises(UnknownModelError, match="there is no model 'door'"):
        known.get("door")


def test_damaged_checkpoint_is_refused_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "junk.safetensors").write_bytes(b"junk")
    with pytest.raises(ModelError, match="no safetensors file, or damaged"):
        models(tmp_path).get("junk")


def test_activation_warms_first_and_switches_then(write: Write, tmp_path: Path) -> None:
    write(tmp_path / "door.safetensors")
    known = models(tmp_path)
    said: list[tuple[str, object]] = []
    model = known.activate(
        "door",
        warm=lambda model: said.append(("warm", known.active)),
        switch=lambda model: said.append(("switch", known.active and known.active.name)),
    )
    assert said == [("warm", None), ("switch", "door")]  # a stream that is made meanwhile has it too
    assert known.active is model


@pytest.mark.parametrize("fails", ["load", "warm", "switch"])
def test_failed_activation_changes_nothing(write: Write, tmp_path: Path, fails: str) -> None:
    write(tmp_path / "door.safetensors")
    new = write(tmp_path / "new.safetensors", "b")
    known = models(tmp_path)
    door = known.activate("door", warm=nothing, switch=nothing)
    if fails == "load":
        new.write_bytes(b"junk")

    def step(name: str) -> None:
        if name == fails:
            raise ModelError("it does not fit")

    with pytest.raises(ModelError):
        known.activate("new", warm=lambda model: step("warm"), switch=lambda model: step("switch"))
    assert known.active is door


def test_a_model_that_is_not_used_can_be_deleted(write: Write, tmp_path: Path) -> None:
    for name in ("door", "gate"):
        write(tmp_path / f"{name}.safetensors")
    known = models(tmp_path)
    known.give(write(tmp_path / "elsewhere" / "given.safetensors"))
    known.activate("door", warm=nothing, switch=nothing)
    gate = known.get("gate")
    known.delete("gate")
    assert gate.name == "gate", "whoever has it keeps it"
    assert [(one.name, one.given) for one in known.list()] == [("door", False), ("given", True)]
    for name, kind, why in (
        ("gate", UnknownModelError, "there is no model"),
        ("../gate", UnknownModelError, "there is no model"),
        ("door", ModelError, "is the active one"),
        ("given", ModelError, "comes with the configuration"),
    ):
        with pytest.raises(kind, match=why):
            known.delete(name)
    assert len(list(tmp_path.rglob("*.safetensors"))) == 2
