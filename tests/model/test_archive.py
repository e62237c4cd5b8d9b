from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from model import archive
from model.archive import Archive
from model.clips import FootageError
from model.footage import open_footage
from tests.model.drawn import encoded, write_video


def zip_of(path: Path, members: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as packed:
        for name, data in members.items():
            packed.writestr(name, data)
    return path


def frames_zip(path: Path, folder: str = "", count: int = 3) -> Path:
    return zip_of(path, {f"{folder}f{at}.jpg": encoded(at=at) for at in range(count)})


@pytest.mark.parametrize(
    ("folders", "names"),
    [
        ([""], ["cam"]),
        (["01/"], ["01"]),
        (["data/train/normal/10/", "data/train/normal/9/"], ["9", "10"]),
        (["a/01/", "b/01/"], ["a/01", "b/01"]),
        (["", "01/"], ["01", "cam"]),
        (["a\\b\\"], ["b"]),
        (["../../etc/", "/abs/"], ["abs", "etc"]),
    ],
)
def test_clips_of_frames(tmp_path: Path, folders: list[str], names: list[str]) -> None:
    members = {f"{folder}f{at}.jpg": encoded(at=at) for folder in folders for at in (1, 2, 10)}
    with open_footage([zip_of(tmp_path / "cam.zip", members)], fps=5) as footage:
        assert [clip.name for clip in footage.clips] == names
        for clip in footage.clips:
            assert [(frame.number, frame.pts) for frame in clip.frames()] == [(1, 0.2), (2, 0.4), (10, 2.0)]
            assert clip.check() == []


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_videos(tmp_path: Path, method: int) -> None:
    files = [write_video(tmp_path / name, 20) for name in ("x.mp4", "y.avi")]  # both have their index at the end
    path = zip_of(tmp_path / "v.zip", {f"in/{file.name}": file.read_bytes() for file in files}, method)
    with open_footage([path]) as footage:
        assert [clip.name for clip in footage.clips] == ["x", "y"]
        for clip in footage.clips:
            assert clip.frame_count == 20
            assert len(list(clip.frames())) == len(list(clip.frames())) == 20
        assert not footage.fps_assumed


def test_nothing_is_written_beside_the_zip(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    path = frames_zip(inner / "cam.zip", "../")
    with open_footage([path]) as footage:
        assert len(list(footage.clips[0].frames())) == 3
    assert os.listdir(tmp_path) == ["inner"] and os.listdir(inner) == ["cam.zip"]


def test_hidden_and_foreign_members_are_left_out(tmp_path: Path) -> None:
    junk = {"__MACOSX/01/._f1.jpg": b"x", "01/.f2.jpg": b"x", ".git/f1.jpg": b"x", "01/readme.txt": b"x", "01/": b""}
    with open_footage([zip_of(tmp_path / "cam.zip", {**junk, "01/f1.jpg": encoded()})]) as footage:
        (clip,) = footage.clips
        assert clip.frame_count == 1


@pytest.mark.parametrize("share", [0, 0.25, 0.5, 0.9, 0.99])
def test_cut_zip(tmp_path: Path, share: float) -> None:
    path = frames_zip(tmp_path / "cam.zip")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(FootageError, match=r"cam\.zip: not a zip, or cut short"):
        open_footage([path])


def test_not_a_zip(tmp_path: Path) -> None:
    path = tmp_path / "cam.zip"
    path.write_bytes(b"PK\5\6" + b"\xff" * 18)
    with pytest.raises(FootageError, match="table of contents is over"):
        open_footage([path])
    path.write_bytes(bytes(1000))
    with pytest.raises(FootageError, match="not a zip"):
        open_footage([path])


def test_encrypted(tmp_path: Path) -> None:
    path = frames_zip(tmp_path / "cam.zip")
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\1\2")
    data[at + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(FootageError, match=r"f0\.jpg is encrypted"):
        open_footage([path])


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_double_names(tmp_path: Path) -> None:
    path = tmp_path / "cam.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("f1.jpg", encoded())
        packed.writestr("./f1.jpg", encoded())
    with pytest.raises(FootageError, match=r"holds f1\.jpg twice"):
        open_footage([path])


def test_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zip_of(tmp_path / "cam.zip", {"f1.bmp": bytes(10_000_000)})
    monkeypatch.setattr(archive, "RATIO_FROM", 1_000_000)
    with pytest.raises(FootageError, match="over 100 times its size"):
        open_footage([path])


def test_too_many_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_MEMBERS", 2)
    with pytest.raises(FootageError, match="over 2 members"):
        open_footage([frames_zip(tmp_path / "cam.zip")])


def test_zip64_directory_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cam.zip"
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 2)
    frames_zip(path)
    assert b"PK\6\7" in path.read_bytes()
    with open_footage([path]) as footage:
        assert footage.clips[0].frame_count == 3
    monkeypatch.setattr(archive, "MAX_DIRECTORY_BYTES", 100)
    with pytest.raises(FootageError, match="table of contents"):
        open_footage([path])


def test_no_footage(tmp_path: Path) -> None:
    with pytest.raises(FootageError, match=r"cam\.zip: holds no footage"):
        open_footage([zip_of(tmp_path / "cam.zip", {"readme.txt": b"x"})])


@pytest.mark.parametrize("file", ["f1.jpg", "v.mp4"])
def test_damaged_members_are_bad_frames(tmp_path: Path, file: str) -> None:
    data = encoded() if file == "f1.jpg" else write_video(tmp_path / "v.mp4").read_bytes()
    path = zip_of(tmp_path / "cam.zip", {file: data, "other/f2.jpg": encoded()}, zipfile.ZIP_STORED)
    packed = bytearray(path.read_bytes())
    at = len(data) // 2
    packed[at : at + 20] = bytes(20)
    path.write_bytes(packed)
    with open_footage([path]) as footage:
        clip = next(clip for clip in footage.clips if clip.name != "other")
        (line,) = clip.check()
        assert line.startswith(f"{path}/{file}: damaged in the zip")
        with pytest.raises(FootageError, match="damaged in the zip"):
            list(clip.frames())
        assert list(clip.frames(skip_bad=True)) == []


def test_a_cut_picture_inside(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "cam.zip", {"01/f1.jpg": encoded(), "01/f2.jpg": encoded()[:-300]})
    with open_footage([path]) as footage:
        assert footage.clips[0].check() == [f"{path}/01/f2.jpg: cut short: its end is missing"]


def test_pictures_beyond_the_limit_are_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_PICTURE_BYTES", 100)
    packed = Archive(frames_zip(tmp_path / "cam.zip"))
    with pytest.raises(OSError, match="too big"):
        packed.read("f1.jpg")
    packed.close()
