"""What could not be written, or would overwrite what is read, is refused before any work is done."""

from __future__ import annotations

import io
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

import service.commands.opening
from model.checkpoint import CheckpointError
from model.clips import FootageError
from model.device import DeviceError
from service.commands.opening import Machine, check_outputs, check_plot, find_model, make_folder, open_clips
from service.faults import InputError
from service.progress import Reporter
from tests.model.detectors import clip
from tests.service.command_line import write_checkpoint
from tests.training.drawn import write_clip, write_moving_video
from training.scene import Street


@pytest.fixture
def footage(tmp_path: Path) -> Path:
    folder = tmp_path / "clips" / "01"
    folder.mkdir(parents=True)
    (folder / "001.png").touch()
    return tmp_path / "clips"


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("nowhere/scores.csv", "--out .*nowhere/scores.csv: there is no folder .*nowhere; make it first"),
        ("clips", "--out .*clips is a folder: give the name of a file in it"),
        ("clips/01/001.png/x.csv", "cannot be written to"),
        ("video.mp4", "--out .*video.mp4 would overwrite what is read"),
        ("link.csv", "--out .*link.csv would overwrite what is read"),
        ("clips/01/001.png", "--out .*001.png would overwrite what is read"),
        ("clips/01/timeline.png", "--out .*timeline.png would lie among the footage in .*clips: give another folder"),
        ("clips/timeline.png", "--out .*timeline.png would lie among the footage"),
    ],
)
def test_an_output_that_cannot_be_is_refused(footage: Path, out: str, message: str) -> None:
    root = footage.parent
    (root / "video.mp4").touch()
    (root / "link.csv").symlink_to(root / "video.mp4")
    with pytest.raises(InputError, match=message):
        check_outputs({"--out": root / out}, [footage, root / "video.mp4"])


@pytest.mark.parametrize("out", ["scores.csv", "older.csv", "clips/scores.csv", "clip.png", "circle.csv", "/dev/null"])
def test_any_other_output_is_fine(footage: Path, out: str) -> None:
    (footage.parent / "older.csv").touch()
    (footage.parent / "circle.csv").symlink_to("circle.csv")
    check_outputs({"--out": footage.parent / out, "--plot": None}, [footage])


@pytest.mark.parametrize("name", ["x.pdf", "x.jpg", "x.png.svg"])
def test_a_plot_of_another_kind_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=rf"--plot {name}: a plot is a PNG; give a name that ends in .png"):
        check_plot(Path(name))


@pytest.mark.parametrize("name", ["x.png", "x.PNG", "timeline", "/dev/null"])
def test_any_other_plot_is_fine(name: str) -> None:
    check_plot(Path(name))


def test_two_outputs_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--plot and --out are both"):
        check_outputs({"--out": tmp_path / "a.png", "--plot": tmp_path / "x" / ".." / "a.png"}, [])


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes anywhere")
def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="cannot be written to"):
        check_outputs({"--out": tmp_path / "scores.csv"}, [])


@pytest.mark.parametrize(
    ("name", "given"), [("clips", "clips"), ("clips/heat", "clips"), ("clips/01", "clips"), ("clips", "clips/01")]
)
def test_a_folder_of_pictures_must_not_mix_with_the_footage(footage: Path, name: str, given: str) -> None:
    """They would be taken for frames; the last one would put them into the folder of the clip `01` itself."""
    root = footage.parent
    with pytest.raises(InputError, match=r"--heatmaps .* would write pictures into the footage"):
        make_folder("--heatmaps", root / name, [clip(1, name="01")], [root / given])


def test_the_folder_of_pictures_is_made(footage: Path) -> None:
    make_folder("--heatmaps", footage.parent / "a" / "b", [clip(1)], [footage])
    assert (footage.parent / "a" / "b").is_dir()


def test_a_file_is_no_folder_of_pictures(footage: Path) -> None:
    (footage.parent / "heat").touch()
    with pytest.raises(InputError, match="is a file: give a folder"):
        make_folder("--heatmaps", footage.parent / "heat", [], [footage])


@pytest.mark.parametrize(("fps", "said"), [(None, 1), (25.0, 0)])
def test_the_assumed_rate_of_folders_is_said_once(tmp_path: Path, fps: float | None, said: int) -> None:
    for name in ("01", "02"):
        write_clip(tmp_path / name, 2)
    stream = io.StringIO()
    with open_clips([tmp_path], fps, Reporter(stream)) as footage:
        assert len(footage.clips) == 2
    assert stream.getvalue().count("10 frames a second") == said
    assert stream.getvalue().count("--fps") == said


def test_what_is_passed_over_is_said_in_one_line(tmp_path: Path) -> None:
    write_moving_video(tmp_path / "v.mp4", 5)
    for name in ("b.zip", "c.flv", "notes.txt"):
        (tmp_path / name).touch()
    stream = io.StringIO()
    with open_clips([tmp_path], None, Reporter(stream)):
        pass
    (line,) = stream.getvalue().splitlines()
    assert line.startswith("not read: ")
    assert "b.zip" in line and "c.flv" in line and "notes.txt" not in line


def test_pictures_that_use_few_of_their_16_bits_are_said_once(tmp_path: Path) -> None:
    for name in ("01", "02", "03"):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "1.png"), np.full((8, 8), 60_000 if name == "01" else 4095, np.uint16))
    stream = io.StringIO()
    with open_clips([tmp_path], 10, Reporter(stream)):
        pass
    (line,) = stream.getvalue().splitlines()
    assert line.startswith("clip 02: pictures of 16 bits use only the lowest 12")


def test_videos_have_their_own_time(tmp_path: Path) -> None:
    stream = io.StringIO()
    with open_clips([write_moving_video(tmp_path / "v.mp4", 5)], None, Reporter(stream)):
        pass
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere", "cannot be read .No such file or directory."),
        ("empty", "holds no footage"),
        ("notes.txt", "of unknown type; give a folder of frames, a video"),
    ],
)
def test_paths_without_footage_are_named(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(FootageError, match=f"{name}: {message}"):
        open_clips([tmp_path / name], None, Reporter(io.StringIO()))


def test_demo_is_the_model_that_ships_with_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = tmp_path / "demo.safetensors"
    monkeypatch.setattr(service.commands.opening, "bundled", lambda: shipped)
    assert find_model(Path("demo")) == shipped
    assert find_model(Path("demo.safetensors")) == Path("demo.safetensors")
    assert find_model(tmp_path / "demo") == tmp_path / "demo"


def test_the_demo_model_ships_and_is_of_the_drawn_street() -> None:
    checkpoint = Machine("cpu", "float32", 1).load(find_model(Path("demo")))
    street = Street()
    assert checkpoint.detector.config.geometry.source == (street.height, street.width)
    assert checkpoint.detector.config.frame_interval == pytest.approx(1 / street.fps)


def test_an_installation_without_the_demo_model_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.resources.files", lambda package: tmp_path)
    with pytest.raises(CheckpointError, match="the demo model is not there"):
        find_model(Path("demo"))


def test_a_loaded_detector_is_on_its_device_in_its_precision_with_its_threads(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "m.safetensors")
    detector = Machine("cpu", "bfloat16", 3).load(path).detector
    assert detector.precision == "bfloat16"
    assert detector.device.type == "cpu"
    assert detector._workers is not None
    assert detector._workers.count == 3


@pytest.mark.parametrize(
    ("machine", "message"),
    [
        (Machine("gpu"), "device 'gpu'"),
        (Machine("cuda:99"), "device 'cuda:99' is not there"),
        (Machine("meta"), "device 'meta'"),
        (Machine("cpu", "float16"), "precision 'float16' on cpu"),
        (Machine("cpu", "int8"), "precision 'int8'"),
    ],
)
def test_what_is_not_there_to_compute_on_is_named(machine: Machine, message: str) -> None:
    with pytest.raises(DeviceError, match=message):
        machine.start()
