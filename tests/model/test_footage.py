from __future__ import annotations

import os
import shutil
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from model.clips import FolderClip
from model.footage import DEFAULT_FPS, FootageError, bad_footage, open_footage
from tests.model.drawn import encoded, write_frames, write_video

FRAMES = ["frame_00001.jpg", "frame_00002.jpg"]


@pytest.mark.parametrize(
    ("given", "tree", "names"),
    [
        pytest.param("cam", ["cam/1.jpg", "cam/2.jpg"], ["cam"], id="one folder of frames"),
        pytest.param(
            "any",
            ["any/training_videos/02/frame_00001.jpg", "any/training_videos/01/frame_00001.jpg"],
            ["01", "02"],
            id="training_videos",
        ),
        pytest.param("data", ["data/train/normal/c10/f1.png", "data/train/normal/c9/f1.png"], ["c9", "c10"], id="seed"),
        pytest.param("r", ["r/a/01/1.jpg", "r/b/01/1.jpg", "r/b/02/1.jpg"], ["02", "a/01", "b/01"], id="same names"),
        pytest.param(
            "r",
            ["r/a/c/01/1.jpg", "r/b/c/01/1.jpg", "r/b/d/01/1.jpg"],
            ["a/c/01", "b/c/01", "d/01"],
            id="no longer than needed",
        ),
        pytest.param("r", ["r/1.jpg", "r/in/1.jpg", "r/in/deep/1.jpg"], ["deep", "in", "r"], id="frames on all levels"),
        pytest.param("r/v.mp4", ["r/v.mp4"], ["v"], id="one video"),
        pytest.param("r", ["r/v10.mp4", "r/v9.avi", "r/sub/w.mkv"], ["v9", "v10", "w"], id="videos"),
        pytest.param("r", ["r/x.mp4", "r/x.avi", "r/y.avi"], ["x.avi", "x.mp4", "y"], id="same stem"),
        pytest.param("r", ["r/a/x.mp4", "r/b/x.avi"], ["a/x", "b/x"], id="same stem in two folders"),
        pytest.param("r", ["r/x/1.jpg", "r/x.mp4"], ["x", "x.mp4"], id="folder and video of one name"),
        pytest.param("r", ["r/01/1.jpg", "r/v.mp4", "r/01/in.avi"], ["01", "in", "v"], id="a mix"),
        pytest.param("r", ["r/01/1.JPG", "r/02/1.Jpeg", "r/V.MP4"], ["01", "02", "V"], id="any case"),
        pytest.param("r", ["r/01/1.jpg", "r/.hid/1.jpg", "r/__MACOSX/1.jpg", "r/01/.2.jpg"], ["01"], id="hidden"),
        pytest.param("r", ["r/01/1.jpg", "r/01/Thumbs.db", "r/labels.csv"], ["01"], id="other files"),
    ],
)
def test_names_and_order(tmp_path: Path, given: str, tree: list[str], names: list[str]) -> None:
    for file in tree:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes(b"not opened yet")
    with open_footage([tmp_path / given]) as footage:
        assert [clip.name for clip in footage.clips] == names


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_what_may_be_footage_but_is_not_read_is_listed(tmp_path: Path, packed: bool) -> None:
    names = ["a.mp4", "b.zip", "sub/c.FLV", "d.tar.gz", "notes.txt", "labels.json", "l.csv.gz", ".e.zip", "Thumbs.db"]
    root = tmp_path / "r"
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"not opened yet")
    given = Path(shutil.make_archive(str(tmp_path / "r"), "zip", root)) if packed else root
    with open_footage([given]) as footage:
        assert [clip.name for clip in footage.clips] == ["a"]
        assert sorted(footage.passed_over) == [f"{given}/{name}" for name in ("b.zip", "d.tar.gz", "sub/c.FLV")]


def test_a_folder_of_nothing_but_what_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "cam.zip").touch()
    with pytest.raises(FootageError, match=r"holds no footage; looked for .*; not read: .*cam\.zip$"):
        open_footage([tmp_path])


@pytest.mark.parametrize("ending", [".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"])
def test_every_kind_of_picture(tmp_path: Path, ending: str) -> None:
    with open_footage([write_frames(tmp_path / "cam", [f"1{ending}"])]) as footage:
        (frame,) = footage.clips[0].frames(colour=True)
        assert frame.image.shape == (64, 96, 3)


def test_numbers_are_the_last_run_of_digits_in_numeric_order(tmp_path: Path) -> None:
    names = ["cam2_frame10.jpg", "cam2_frame9.v.jpg", "cam2_frame_00939_final.jpg", "0.jpg"]
    with open_footage([write_frames(tmp_path / "cam", names)], fps=20) as footage:
        (clip,) = footage.clips
        assert [(frame.number, frame.pts) for frame in clip.frames()] == [(0, 0), (9, 0.45), (10, 0.5), (939, 46.95)]
        assert clip.frame_count == 4


@pytest.mark.parametrize(
    ("numbers", "fps", "interval"),
    [([1, 2, 3, 7], None, 0.1), ([0, 2, 4, 6], 4.0, 0.5), ([5], None, None), ([1, 2, 3, 4], 25.0, 0.04)],
)
def test_interval(tmp_path: Path, numbers: list[int], fps: float | None, interval: float | None) -> None:
    with open_footage([write_frames(tmp_path / "cam", [f"{n}.jpg" for n in numbers])], fps=fps) as footage:
        assert footage.clips[0].interval == interval


@pytest.mark.parametrize(
    ("frames", "video", "fps", "assumed"),
    [
        (True, False, None, True),
        (True, False, DEFAULT_FPS, False),
        (False, True, None, False),
        (True, True, None, True),
    ],
)
def test_fps_is_assumed_for_folders_only(
    tmp_path: Path, frames: bool, video: bool, fps: float | None, assumed: bool
) -> None:
    if frames:
        write_frames(tmp_path / "r/cam", FRAMES)
    if video:
        write_video(tmp_path / "r/v.mp4", 3, rate=5)
    with open_footage([tmp_path / "r"], fps=fps) as footage:
        assert footage.fps_assumed == assumed
        for clip in footage.clips:
            assert clip.interval == (0.1 if isinstance(clip, FolderClip) else 0.2)


def test_several_paths(tmp_path: Path) -> None:
    paths = [
        write_frames(tmp_path / "a/01", FRAMES),
        write_frames(tmp_path / "b/01", FRAMES),
        write_video(tmp_path / "v.mp4"),
    ]
    with open_footage(paths) as footage:
        assert [clip.name for clip in footage.clips] == ["a/01", "b/01", "v"]


def test_the_current_folder_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(write_frames(tmp_path / "cam", FRAMES))
    with open_footage([Path(".")]) as footage:
        assert footage.clips[0].name == "cam"


def test_frames_are_lazy_and_start_anew(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "cam", [f"{n}.jpg" for n in range(5)])
    with open_footage([folder]) as footage:
        clip = footage.clips[0]
        (folder / "4.jpg").write_bytes(b"")
        assert [frame.number for frame in islice(clip.frames(), 4)] == [0, 1, 2, 3]
        assert next(clip.frames()).number == 0


@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
def test_cut_frames_are_named_and_skipped_only_when_asked(tmp_path: Path, share: float) -> None:
    folder = write_frames(tmp_path / "cam", ["1.jpg", "2.jpg", "3.png", "4.png", "5.jpg"])
    for name in ("2.jpg", "4.png"):
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: int(len(data) * share)])
    (folder / "5.jpg").write_bytes(b"")
    lines = [
        f"{folder / '2.jpg'}: cut short: its end is missing",
        f"{folder / '4.png'}: cut short: its end is missing",
        f"{folder / '5.jpg'}: empty",
    ]
    with open_footage([folder]) as footage:
        (clip,) = footage.clips
        assert clip.check() == lines
        bad: list[str] = []
        assert [frame.number for frame in clip.frames(skip_bad=True, on_bad=bad.append)] == [1, 3]
        assert bad == lines
        assert len(list(clip.frames(skip_bad=True))) == 2
        with pytest.raises(FootageError, match=r"2\.jpg: cut short.*--skip-bad"):
            list(clip.frames())


def test_a_frame_that_vanished(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "cam", FRAMES)
    with open_footage([folder]) as footage:
        (folder / FRAMES[1]).unlink()
        assert footage.clips[0].check() == [f"{folder / FRAMES[1]}: cannot be read (No such file or directory)"]


def test_one_message_for_all_that_is_bad() -> None:
    message = str(bad_footage([f"f{at}.jpg: empty" for at in range(25)]))
    assert message.startswith("25 unreadable frames or files:\n  f0.jpg: empty\n")
    assert "f19.jpg" in message and "f20.jpg" not in message
    assert "and 5 more" in message and "--skip-bad" in message
    assert "more" not in str(bad_footage(["f1.jpg: empty"]))


@pytest.mark.parametrize(
    ("given", "tree", "says"),
    [
        ("gone", [], r"gone: cannot be read \(No such file or directory\)"),
        ("r", ["r/"], "r: holds no footage; looked for pictures"),
        ("r", ["r/readme.txt", "r/in/"], "r: holds no footage"),
        ("r/x.gif", ["r/x.gif"], r"x\.gif: of unknown type; give a folder of frames, a video"),
        ("r/1.jpg", ["r/1.jpg"], "of unknown type"),
        ("r/x.zip", ["r/x.zip"], "not a zip"),
        ("r", ["r/1.jpg", "r/01.jpg"], r"/01\.jpg and 1\.jpg both have the frame number 1"),
        ("r", ["r/a_7.jpg", "r/a_7.png"], r"a_7\.jpg and a_7\.png both have the frame number 7"),
        ("r", ["r/1.jpg", "r/background.jpg"], r"background\.jpg: has no frame number"),
        ("r", ["r/" + "9" * 30 + ".jpg"], "over 18 digits"),
    ],
)
def test_bad_trees(tmp_path: Path, given: str, tree: list[str], says: str) -> None:
    for file in tree:
        path = tmp_path / file
        if file.endswith("/"):
            path.mkdir(parents=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encoded())
    with pytest.raises(FootageError, match=says):
        open_footage([tmp_path / given])


def test_every_path_must_hold_footage(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(FootageError, match="empty: holds no footage"):
        open_footage([write_frames(tmp_path / "cam", FRAMES), tmp_path / "empty"])


@pytest.mark.parametrize("inner", ["", "01"])
def test_the_same_clip_twice(tmp_path: Path, inner: str) -> None:
    write_frames(tmp_path / "r/01", FRAMES)
    with pytest.raises(FootageError, match=r"^/.*01: given twice"):
        open_footage([tmp_path / "r", tmp_path / "r" / inner])


@pytest.mark.parametrize("fps", [0.0, -1.0, float("nan"), float("inf")])
def test_bad_fps(tmp_path: Path, fps: float) -> None:
    with pytest.raises(FootageError, match="fps must be a positive number"):
        open_footage([tmp_path], fps=fps)


def test_links(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "store/long", FRAMES)
    root = tmp_path / "r"
    root.mkdir()
    (root / "01").symlink_to(folder)
    with open_footage([root]) as footage:
        assert [clip.name for clip in footage.clips] == ["01"]
        assert len(list(footage.clips[0].frames())) == 2
    (folder / "back").symlink_to(root)
    with pytest.raises(FootageError, match="back: a link back to a folder above it"):
        open_footage([root])


@pytest.mark.parametrize(("name", "target"), [("3.jpg", "gone.jpg"), ("3.jpg", "3.jpg"), ("self", "self")])
def test_links_that_lead_nowhere(tmp_path: Path, name: str, target: str) -> None:
    folder = write_frames(tmp_path / "cam", FRAMES)
    (folder / name).symlink_to(target)
    with pytest.raises(FootageError, match=rf"{name}.*(broken link|symbolic links)"):
        open_footage([folder])


def test_pipes_do_not_block(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "cam", FRAMES)
    os.mkfifo(folder / "3.jpg")
    with pytest.raises(FootageError, match=r"3\.jpg: a broken link or no regular file"):
        open_footage([folder])
    with pytest.raises(FootageError, match="of unknown type"):
        open_footage([folder / "3.jpg"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_permissions(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "r/cam", FRAMES)
    folder.chmod(0)
    try:
        with pytest.raises(FootageError, match=r"cam: cannot be read \(Permission denied\); check its permissions"):
            open_footage([tmp_path / "r"])
    finally:
        folder.chmod(0o700)
    (folder / FRAMES[0]).chmod(0)
    with open_footage([folder]) as footage:
        assert footage.clips[0].check() == [f"{folder / FRAMES[0]}: cannot be read (Permission denied)"]


def test_permissions_by_a_stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_frames(tmp_path / "cam", FRAMES)

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(FootageError, match=r"cam: cannot be read \(Permission denied\); check its permissions"):
        open_footage([folder])


@pytest.mark.footage
def test_real_folders(footage: Path) -> None:
    with open_footage([footage / "ped2/training/frames"]) as opened:
        assert [clip.name for clip in opened.clips] == [f"{at:02d}" for at in range(1, 17)]
        assert sum(clip.frame_count or 0 for clip in opened.clips) == 2550
        assert opened.fps_assumed
        frames = list(opened.clips[0].frames())
        assert [frame.number for frame in frames] == list(range(120))
        assert {frame.image.shape for frame in frames} == {(240, 360)}
        assert all(frame.image.dtype == np.uint8 for frame in frames)


@pytest.mark.footage
def test_real_mix(footage: Path) -> None:
    with open_footage([footage / "avenue", footage / "clips", footage / "ped2/training/frames/05"]) as opened:
        assert [clip.name for clip in opened.clips] == ["05", "10", "11", "12", "16", "vtest"]
        assert [clip.frame_count for clip in opened.clips] == [180, 1223, 781, 145, 244, 795]
