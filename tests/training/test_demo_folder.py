"""The demo's folder: an older demo is replaced, and nothing else is ever touched."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from training.demo_folder import FOOTAGE, MANIFEST, DemoError, Drawn, prepare

DRAWN = Drawn(train_clips=2, train_frames=3, test_clips=1, test_frames=4)


def draw(out: Path, drawn: Drawn = DRAWN) -> None:
    """Empty files under the names that the demo gives them."""
    for file in drawn.files():
        path = out / FOOTAGE / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def older(out: Path) -> Path:
    prepare(out, DRAWN)
    draw(out)
    (out / "model.safetensors").write_text("kept until it is replaced")
    return out


def everything(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


@pytest.mark.parametrize("name", ["demo", "a/b/demo"])
def test_a_new_folder_is_made_and_known_from_then_on(tmp_path: Path, name: str) -> None:
    prepare(tmp_path / name, DRAWN)
    manifest = json.loads((tmp_path / name / MANIFEST).read_text())
    assert manifest["made_by"] == "framewatch demo"
    assert Drawn(**manifest["footage"]) == DRAWN


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    prepare(tmp_path, DRAWN)
    assert everything(tmp_path) == [tmp_path / MANIFEST]


def test_the_files_are_those_that_are_drawn() -> None:
    assert DRAWN.total == 2 * 3 + 4
    assert len(DRAWN.files()) == DRAWN.total + 4 + 1  # masks of the test clip, and the labels


def test_an_older_demos_footage_makes_room(tmp_path: Path) -> None:
    out = older(tmp_path / "demo")
    prepare(out, Drawn(1, 1, 1, 1))
    assert not (out / FOOTAGE).exists()
    assert (out / "model.safetensors").exists()


def test_a_demo_interrupted_while_it_drew_is_started_anew(tmp_path: Path) -> None:
    prepare(tmp_path / "demo", DRAWN)
    (tmp_path / "demo" / FOOTAGE / "train" / "01").mkdir(parents=True)
    (tmp_path / "demo" / FOOTAGE / "train" / "01" / "frame_00000.jpg").touch()
    prepare(tmp_path / "demo", DRAWN)
    assert not (tmp_path / "demo" / FOOTAGE).exists()


@pytest.mark.parametrize("stranger", ["footage/notes.txt", "footage/train/01/frame_00003.jpg", "footage/mine/01.jpg"])
def test_a_file_among_the_footage_that_the_demo_did_not_draw_stops_it(tmp_path: Path, stranger: str) -> None:
    out = older(tmp_path / "demo")
    (out / stranger).parent.mkdir(parents=True, exist_ok=True)
    (out / stranger).write_text("mine")
    before = everything(out)
    with pytest.raises(DemoError, match="is not the demo's: move it away"):
        prepare(out, DRAWN)
    assert everything(out) == before


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(DemoError, match="holds files that are not the demo's"):
        prepare(tmp_path, DRAWN)
    assert everything(tmp_path) == [tmp_path / "holiday.jpg"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"made_by": "someone else", "footage": {}}',
        '{"made_by": "framewatch demo"}',
        '{"made_by": "framewatch demo", "footage": {"train_clips": 1}}',
        '{"made_by": "framewatch demo", "footage": [1, 2]}',
        '{"made_by": "framewatch demo", "footage": {"train_clips": 1000000000, "train_frames": 1000000000, '
        '"test_clips": 1, "test_frames": 1}}',
    ],
)
def test_a_manifest_that_the_demo_did_not_write_is_not_believed(tmp_path: Path, text: str) -> None:
    out = older(tmp_path / "demo")
    (out / MANIFEST).write_text(text)
    before = everything(out)
    with pytest.raises(DemoError, match=r"demo\.json is not the demo's"):
        prepare(out, DRAWN)
    assert everything(out) == before


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "demo").write_text("")
    with pytest.raises(DemoError, match="is a file: give another folder with --out"):
        prepare(tmp_path / "demo", DRAWN)


@pytest.mark.parametrize("name", ["footage", "footage/train/02"])
def test_a_link_is_not_followed(tmp_path: Path, name: str) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "frame_00000.jpg").write_text("mine")
    out = tmp_path / "demo"
    prepare(out, DRAWN)
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    (out / name).symlink_to(mine, target_is_directory=True)
    with pytest.raises(DemoError):
        prepare(out, DRAWN)
    assert (mine / "frame_00000.jpg").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes anywhere")
def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(DemoError, match="cannot be made"):
        prepare(tmp_path / "demo", DRAWN)
