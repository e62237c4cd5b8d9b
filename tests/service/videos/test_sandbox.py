"""Uploads are decoded as the command line decodes them, and whatever they hold, the service stays whole."""

from __future__ import annotations

import os
import signal
import struct
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest

from model.footage import open_footage
from service.videos import sandbox_child
from service.videos.sandbox import (
    MEMORY,
    DecodedFrame,
    DecodeLimits,
    DecodeOptions,
    Decoding,
    SandboxError,
    Upload,
    decode_in_child,
)
from service.wire import Message
from tests.model.drawn import encoded, write_frames, write_video


def decode(
    uploads: list[Upload], options: DecodeOptions | None = None, limits: DecodeLimits | None = None
) -> tuple[list[DecodedFrame], Decoding]:
    with decode_in_child(uploads, options, limits) as decoding:
        return list(decoding), decoding


def told(
    *uploads: Upload, folder: Path, options: DecodeOptions | None = None, limits: DecodeLimits | None = None
) -> list[Message]:
    """What the child would say; here, which is quicker than in a process of its own."""
    folder.mkdir()
    given = [(str(upload.path), upload.name) for upload in uploads]
    return list(sandbox_child.decode(given, folder, options or DecodeOptions(), limits or DecodeLimits()))


def refusal(*uploads: Upload, limits: DecodeLimits | None = None) -> str:
    """The one line that decoding ends with."""
    folder = uploads[0].path.parent / "links"
    last = told(*uploads, folder=folder, limits=limits)[-1]
    assert last.kind == "error"
    said = last.text("message")
    assert "\n" not in said and str(folder) not in said and "--" not in said
    return said


def clips_of(*uploads: Upload) -> list[str]:
    return [name for name, _, _ in told(*uploads, folder=uploads[0].path.parent / "links")[0].entries("clips")]


def numbers_of(messages: list[Message]) -> list[int]:
    return [message.number("number") for message in messages if message.kind == "frame"]


def stored(tmp_path: Path, data: bytes, name: str = "x.mp4") -> Upload:
    path = tmp_path / "0001"
    path.write_bytes(data)
    return Upload(path, name)


def packed(tmp_path: Path, members: dict[str, bytes], name: str = "x.zip", kind: int = zipfile.ZIP_STORED) -> Upload:
    path = tmp_path / "0002"
    with zipfile.ZipFile(path, "w", kind) as archive:
        for member, data in members.items():
            archive.writestr(member, data)
    return Upload(path, name)


@pytest.mark.parametrize("colour", [False, True], ids=["luma", "colour"])
def test_frames_equal_those_of_the_command_line(tmp_path: Path, colour: bool) -> None:
    given = tmp_path / "given"
    write_video(given / "b10.mp4", 20)
    write_video(given / "b9.avi", 5, codec="mjpeg", pixels="yuvj420p", size=(150, 122))
    frames = {f"{clip}/{n:04d}.png": encoded(".png", n) for clip in ("c1", "c2") for n in (3, 4, 6)}
    with zipfile.ZipFile(given / "frames.zip", "w") as archive:
        for member, data in frames.items():
            archive.writestr(member, data)
        archive.write(given / "b9.avi", "inside.avi")
    paths = sorted(given.iterdir())
    uploads = []
    for at, path in enumerate(paths):
        (tmp_path / f"{at:04d}").hardlink_to(path)
        uploads.append(Upload(tmp_path / f"{at:04d}", path.name))
    with open_footage(paths, fps=7) as footage:
        expected = [(clip.name, frame) for clip in footage.clips for frame in clip.frames(colour=colour)]
        facts = {clip.name: (clip.frame_count, clip.interval) for clip in footage.clips}
    found, decoding = decode(uploads, DecodeOptions(fps=7, colour=colour))
    assert [(one.clip, one.number, one.pts) for one in found] == [(name, f.number, f.pts) for name, f in expected]
    assert all(np.array_equal(one.image, frame.image) for one, (_, frame) in zip(found, expected, strict=True))
    assert found[0].image.dtype == np.uint8
    assert [clip.name for clip in decoding.clips] == list(facts)
    assert {clip.name: (clip.frames, clip.interval) for clip in decoding.clips} == facts | {"inside": (None, None)}
    assert not decoding.fps_assumed and decoding.bad == []


def test_folders_are_decoded_too(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "0001", ["1.jpg", "2.jpg"])
    found, decoding = decode([Upload(folder, "gate")])
    assert [(one.clip, one.pts) for one in found] == [("gate", 0.1), ("gate", 0.2)]
    assert decoding.fps_assumed


@pytest.mark.parametrize(
    ("name", "clip"),
    [
        ("gate.mp4", "gate"),
        ("gate.MOV", "gate"),
        ("gate.zip", "gate.zip"),
        ("gate.txt", "gate.txt"),
        ("gate", "gate"),
        ("../../etc/gate.mp4", "gate"),
        ("..\\..\\gate.mp4", "gate"),
        ("/etc/passwd", "passwd"),
        ("C:\\gate.mp4", "gate"),
        ("..", "upload"),
        ("", "upload"),
        (".hidden.mp4", "hidden"),
        ("a\nb\0c.mp4", "abc"),
        ("Kreuzung süd.mp4", "Kreuzung süd"),
        ("%2e%2e%2fgate.mp4", "%2e%2e%2fgate"),
        ("x" * 300 + ".mp4", "x" * 96),
    ],
)
def test_clients_name_names_the_clip_and_no_place(tmp_path: Path, name: str, clip: str) -> None:
    upload = Upload(write_video(tmp_path / "v.mp4", 1).rename(tmp_path / "0001"), name)
    assert clips_of(upload) == [clip]


def test_uploads_of_one_name_are_told_apart(tmp_path: Path) -> None:
    uploads = [Upload(write_video(tmp_path / f"{at}.mp4", 1), "gate.mp4") for at in range(2)]
    assert clips_of(*uploads) == ["0/gate", "1/gate"]


def test_bad_frames_can_be_left_out(tmp_path: Path) -> None:
    members = {"01/1.jpg": encoded(), "01/2.jpg": encoded()[:500], "01/3.jpg": encoded()}
    upload = packed(tmp_path, members, "frames.zip")
    found, decoding = decode([upload], DecodeOptions(skip_bad=True))
    assert [one.number for one in found] == [1, 3]
    assert decoding.bad == ["frames.zip/01/2.jpg: cut short: its end is missing"]
    with pytest.raises(SandboxError, match=r"frames\.zip/01/2\.jpg: cut short"):
        decode([upload])


@pytest.mark.parametrize(
    "data",
    [
        b"ffconcat version 1.0\nfile secret.mp4\n",
        b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nsecret.mp4\n",
        b"#EXTM3U\n#EXTINF:9,\nhttp://127.0.0.1:9/x.ts\n",
        b"v=0\r\nc=IN IP4 127.0.0.1\r\nm=video 9 RTP/AVP 26\r\n",
        b'<?xml version="1.0"?><MPD><Period/></MPD>',
    ],
    ids=["ffconcat", "HLS of files", "HLS", "SDP", "DASH"],
)
def test_playlists_are_no_videos(tmp_path: Path, data: bytes) -> None:
    write_video(tmp_path / "secret.mp4", 2)
    assert refusal(stored(tmp_path, data)).startswith("x.mp4: the file is text, not a video; send a MP4")


def test_playlists_in_zips_are_no_videos(tmp_path: Path) -> None:
    data, secret = b"ffconcat version 1.0\nfile secret.mp4\n", write_video(tmp_path / "secret.mp4", 2).read_bytes()
    assert "x.mp4: cannot be opened as a video" in refusal(packed(tmp_path, {"x.mp4": data, "secret.mp4": secret}))


def test_a_video_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    upload = Upload(bomb(tmp_path / "bomb.avi", 8192, 8192), "bomb.avi")
    assert refusal(upload) == "bomb.avi: 8192×8192 pixels are over the limit of 33554432"


def bomb(path: Path, width: int, height: int) -> Path:
    """A video whose header claims any size."""
    small = struct.pack("<II", 96, 64)
    data = write_video(path, 2, codec="rawvideo", pixels="nv12").read_bytes()
    assert small in data
    path.write_bytes(data.replace(small, struct.pack("<II", width, height)))
    return path


def test_pictures_over_the_services_limit_are_refused(tmp_path: Path) -> None:
    upload = Upload(write_video(tmp_path / "v.mp4", 2), "v.mp4")
    assert refusal(upload, limits=DecodeLimits(pixels=6000)) == "v: 96×64 pixels are over the limit of 6000"


def test_a_jpeg_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    data = encoded().replace(struct.pack(">HH", 64, 96), struct.pack(">HH", 30_000, 30_000))
    assert "30000×30000 pixels are over the limit" in refusal(packed(tmp_path, {"01/1.jpg": data}))


def test_memory_is_limited(tmp_path: Path) -> None:
    upload = Upload(write_video(tmp_path / "v.mp4", 4, size=(1920, 1080), options={"preset": "ultrafast"}), "v.mp4")
    with pytest.raises(SandboxError, match=r"needs more memory than the 10 MiB|cannot be decoded"):
        decode([upload], limits=DecodeLimits(memory=10 << 20))
    assert len(decode([upload], limits=DecodeLimits(memory=MEMORY // 2))[0]) == 4


def test_footage_may_not_be_longer_than_allowed(tmp_path: Path) -> None:
    uploads = [Upload(write_video(tmp_path / f"{at}.mp4", 20), f"{at}.mp4") for at in range(2)]
    assert len(numbers_of(told(*uploads, folder=tmp_path / "long", limits=DecodeLimits(seconds=3.9)))) == 40
    assert refusal(*uploads, limits=DecodeLimits(seconds=3)) == "1: the footage is longer than the 3 seconds allowed"


def test_frame_numbers_that_begin_high_are_no_long_footage(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "0001", ["1000000.jpg", "1000001.jpg"])
    found = told(Upload(folder, "gate"), folder=tmp_path / "links", limits=DecodeLimits(seconds=3))
    assert numbers_of(found) == [1_000_000, 1_000_001]


def test_zip_bombs_are_refused(tmp_path: Path) -> None:
    upload = packed(tmp_path, {"v.mp4": b"\0" * 8}, kind=zipfile.ZIP_DEFLATED)
    data = bytearray(upload.path.read_bytes())
    at = data.rindex(b"PK\1\2")
    data[at + 24 : at + 28] = struct.pack("<I", 3 << 30)  # the size it says it will have
    upload.path.write_bytes(data)
    assert "would grow to 3.2 GB" in refusal(upload)


def test_what_a_zip_unpacks_is_limited(tmp_path: Path) -> None:
    upload = packed(tmp_path, {"v.mp4": b"\0" * (2 << 20)}, kind=zipfile.ZIP_DEFLATED)
    with pytest.raises(SandboxError, match=r"v\.mp4: cannot be read \(File too large\)"):
        decode([upload], limits=DecodeLimits(member_bytes=1 << 20))


@pytest.mark.parametrize("name", ["../../../evil/1.jpg", "/evil/1.jpg", "..\\..\\evil\\1.jpg", "C:/evil/1.jpg"])
def test_paths_in_zips_lead_nowhere(tmp_path: Path, name: str) -> None:
    assert clips_of(packed(tmp_path, {name: encoded()})) == ["evil"]
    assert not list(tmp_path.parent.rglob("evil"))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "the file is empty"),
        (b"PK\5\6" + bytes(18), "holds no footage"),
        (b"PK\3\4" + bytes(100), "not a zip, or cut short"),
        (b"\0\0\0\x18ftypmp42" + bytes(500), "cannot be opened as a video"),
        (b"\x1a\x45\xdf\xa3" + bytes(500), "cannot be opened as a video"),
        (b"RIFF\0\0\0\0AVI " + bytes(500), "cannot be opened as a video"),
    ],
)
def test_nonsense_is_refused_in_one_line(tmp_path: Path, data: bytes, says: str) -> None:
    assert says in refusal(stored(tmp_path, data))


@pytest.mark.parametrize("share", [0.3, 0.8])
@pytest.mark.parametrize("name", ["v.mp4", "v.mkv", "v.avi", "v.ts"])
def test_cut_videos_are_refused_in_one_line(tmp_path: Path, name: str, share: float) -> None:
    data = write_video(tmp_path / name, 30, options={"movflags": "faststart"} if name == "v.mp4" else {}).read_bytes()
    upload = stored(tmp_path, data[: int(len(data) * share)], name)
    found = told(upload, folder=tmp_path / "links")
    assert len(numbers_of(found)) < 30
    if name != "v.ts":  # a transport stream may end anywhere
        assert found[-1].text("message").startswith(name)


def test_a_missing_upload_is_an_error(tmp_path: Path) -> None:
    assert refusal(Upload(tmp_path / "gone", "x.mp4")) == "the upload cannot be read (No such file or directory)"


def test_a_decoder_that_crashes_takes_nothing_with_it(tmp_path: Path) -> None:
    upload = Upload(write_video(tmp_path / "v.mp4", 30, codec="mpeg4", size=(320, 240)), "v.mp4")
    with decode_in_child([upload]) as decoding:
        frames = iter(decoding)
        next(frames)
        os.kill(pid_of(decoding), signal.SIGSEGV)
        with pytest.raises(SandboxError, match=r"decoder failed on these files \(killed by SIGSEGV\)"):
            list(frames)
        with pytest.raises(SandboxError, match="ended"):
            list(decoding)


def test_a_decoder_that_stands_still_is_given_up(tmp_path: Path) -> None:
    upload = Upload(write_video(tmp_path / "v.mp4", 30, codec="mpeg4", size=(320, 240)), "v.mp4")
    with decode_in_child([upload], limits=DecodeLimits(silence=0.5)) as decoding:
        pid = pid_of(decoding)
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(SandboxError, match=r"stood still for 0\.5 seconds"):
            list(decoding)
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_decoder_that_burns_cpu_is_ended_by_the_kernel(tmp_path: Path) -> None:
    upload = Upload(write_video(tmp_path / "v.mp4", 30, codec="mpeg4", size=(320, 240)), "v.mp4")
    with decode_in_child([upload]) as decoding:
        os.kill(pid_of(decoding), signal.SIGXCPU)
        with pytest.raises(SandboxError, match="took too long"):
            list(decoding)


def pid_of(decoding: Decoding) -> int:
    assert decoding._child is not None
    return decoding._child.pid


def test_decoding_waits_for_its_reader_and_ends_with_it(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", 30, codec="mpeg4", size=(320, 240))
    descriptors, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
    with decode_in_child([Upload(path, "v.mp4")]) as decoding:
        pid = pid_of(decoding)
        assert next(iter(decoding)).number == 0
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert len(os.listdir("/proc/self/fd")) <= descriptors and threading.active_count() <= threads
    assert not Path(f"/proc/{pid}").exists()


def test_temporary_files_go_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "own"))
    (tmp_path / "own").mkdir()
    video = write_video(tmp_path / "v.mp4", 2).read_bytes()
    decode([packed(tmp_path, {"v.mp4": video})])
    refusal(stored(tmp_path, b""))
    assert list((tmp_path / "own").iterdir()) == []
