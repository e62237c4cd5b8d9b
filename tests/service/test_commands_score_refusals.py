"""What `framewatch score` refuses: in one clear message, with exit code 1, and without leaving anything behind."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.service.command_line import framewatch, refused, write_checkpoint
from tests.training.drawn import write_clip, write_clips, write_moving_video

FRAMES = 24


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two clips and a model."""
    folder = tmp_path_factory.mktemp("score")
    write_clips(folder / "clips", 2, FRAMES)
    write_checkpoint(folder / "m.safetensors")
    return folder


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FRAMEWATCH_MODEL", raising=False)


def refuse(desk: Path, *words: object, footage: Path | None = None, model: Path | None = None) -> str:
    message = refused("score", footage or desk / "clips", "--model", model or desk / "m.safetensors", *words)
    assert not list(Path().glob("scores*"))
    assert not list(Path().glob(".framewatch*"))
    return message


def test_a_missing_path(desk: Path) -> None:
    message = refuse(desk, footage=Path("nowhere"))
    assert message == "nowhere: cannot be read (No such file or directory); check the path and its permissions"


def test_an_empty_folder(desk: Path) -> None:
    Path("empty").mkdir()
    assert refuse(desk, footage=Path("empty")).startswith("empty: holds no footage; looked for pictures")


def test_a_file_of_another_kind(desk: Path) -> None:
    Path("notes.txt").write_text("x")
    assert refuse(desk, footage=Path("notes.txt")).startswith("notes.txt: of unknown type; give a folder")


@pytest.mark.parametrize("name", ["fake.mp4", "fake.zip"])
def test_a_file_that_is_not_what_its_name_says(desk: Path, name: str) -> None:
    Path(name).write_bytes(b"nothing of the kind" * 100)
    assert refuse(desk, footage=Path(name)).startswith(f"{Path(name).absolute()}" if "mp4" in name else name)


def test_a_truncated_frame(desk: Path, tmp_path: Path) -> None:
    shutil.copytree(desk / "clips", "spoilt")
    picture = tmp_path / "spoilt" / "02" / "frame_00017.jpg"
    picture.write_bytes(picture.read_bytes()[:300])
    message = refuse(desk, footage=Path("spoilt"))
    assert message.startswith(f"{picture}: cut short")
    assert message.endswith("leave out what is bad with --skip-bad")


def test_a_truncated_frame_is_left_out_where_that_was_asked_for(desk: Path, tmp_path: Path) -> None:
    shutil.copytree(desk / "clips", "spoilt")
    picture = tmp_path / "spoilt" / "02" / "frame_00017.jpg"
    picture.write_bytes(picture.read_bytes()[:300])
    ended = framewatch("score", "spoilt", "--model", desk / "m.safetensors", "--skip-bad", "--json")
    assert ended.code == 0
    assert ended.json["skipped"] == 1
    assert ended.json["frames"] == 2 * FRAMES - 1
    assert f"left out: {picture}: cut short" in ended.err


def test_a_truncated_video(desk: Path) -> None:
    video = write_moving_video(Path("gate.mp4").absolute(), 40)
    video.write_bytes(video.read_bytes()[:-300])
    assert "gate.mp4" in refuse(desk, footage=video)


@pytest.mark.parametrize(
    ("content", "part"),
    [(None, "cannot read m.safetensors: No such file"), (b"junk", "is no safetensors file, or damaged")],
)
def test_a_model_that_is_none(desk: Path, content: bytes | None, part: str) -> None:
    if content is not None:
        Path("m.safetensors").write_bytes(content)
    assert part in refuse(desk, model=Path("m.safetensors"))


def test_a_folder_as_a_model(desk: Path) -> None:
    assert "is no file: give a .safetensors checkpoint" in refuse(desk, model=desk / "clips")


def test_pictures_of_another_aspect(desk: Path) -> None:
    write_clip(Path("square/03"), 3, height=96, width=96)
    message = refuse(desk, footage=Path("square"))
    assert message.startswith("clip 03, frame 0: picture is 96x96, the model was trained on 96x64")


def test_pictures_that_change_their_aspect_on_the_way(desk: Path) -> None:
    write_clip(Path("mixed/03"), 9)
    write_clip(Path("mixed/03"), 9, first=9, height=96, width=96)
    message = refuse(desk, footage=Path("mixed"))
    assert message.startswith("clip 03, frame 9: picture is 96x96")
    assert message.endswith("or leave such frames out with --skip-bad")


def test_a_plot_of_another_kind(desk: Path) -> None:
    assert refuse(desk, "--plot", "x.pdf").startswith("--plot x.pdf: a plot is a PNG")


@pytest.mark.parametrize("option", ["--out", "--plot"])
def test_an_output_in_a_missing_folder(desk: Path, option: str) -> None:
    message = refuse(desk, option, "nowhere/file.png")
    assert message.startswith(f"{option} nowhere/file.png: there is no folder")


def test_an_output_that_is_the_input(desk: Path) -> None:
    video = write_moving_video(Path("gate.mp4").absolute(), 12)
    before = video.read_bytes()
    assert "would overwrite what is read" in refuse(desk, "--out", "gate.mp4", footage=video)
    assert "would overwrite what is read" in refuse(desk, "--out", desk / "m.safetensors")
    assert video.read_bytes() == before


def test_heat_maps_among_the_footage(desk: Path) -> None:
    shutil.copytree(desk / "clips", "clips")
    assert "would write pictures into the footage" in refuse(desk, "--heatmaps", "clips", footage=Path("clips"))


def test_a_device_that_is_not_there(desk: Path) -> None:
    assert "device 'cuda:99' is not there" in refuse(desk, "--device", "cuda:99")
    assert "precision 'float16' on cpu" in refuse(desk, "--device", "cpu", "--precision", "float16")
