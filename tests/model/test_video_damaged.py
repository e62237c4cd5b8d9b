"""A video that is cut, damaged or none is noticed and named, and never takes more than it should."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from struct import pack
from types import SimpleNamespace
from typing import Any, cast

import av
import numpy as np
import pytest

from model import video
from model.clips import FootageError
from model.footage import open_footage
from model.video_damage import SkippedBytes
from tests.model.drawn import clip_of, encoded, picture, write_video

FASTSTART = {"movflags": "faststart"}
FRAGMENTED = {"movflags": "frag_keyframe+empty_moov"}


def cut(path: Path, share: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


@pytest.mark.parametrize(
    ("name", "options", "all_there"),
    [
        ("v.mp4", {}, 0.95),  # the index is at the end, and its own end holds what the program was called
        ("v.mp4", FASTSTART, 1.0),
        ("v.mp4", FRAGMENTED, 0.98),  # an index of the fragments is at the end
        ("v.avi", {}, 0.9),  # the index is at the end
        ("v.mkv", {}, 1.0),
        ("v.wmv", {}, 1.0),
    ],
    ids=["MP4", "MP4, index first", "MP4 in fragments", "AVI", "Matroska", "ASF"],
)
def test_a_video_is_noticed_wherever_it_is_cut(
    tmp_path: Path, name: str, options: dict[str, str], all_there: float
) -> None:
    path = write_video(tmp_path / name, 60, options=options)
    data = path.read_bytes()
    clip = clip_of(path)
    assert len(list(clip.frames())) == 60 and clip.check() == []
    for end in range(0, len(data), len(data) // 60):
        path.write_bytes(data[:end])
        bad: list[str] = []
        found = len(list(clip.frames(skip_bad=True, on_bad=bad.append)))
        assert bad == clip.check() and all(line.startswith(f"{path}: ") for line in bad)
        if found == 60 and end >= len(data) * all_there:
            continue
        assert bad, f"{end} of {len(data)} bytes: {found} frames, and no word"
        with pytest.raises(FootageError) as error:
            list(clip.frames())
        assert bad[0] in str(error.value) and "--skip-bad" in str(error.value)


def test_a_recording_that_nobody_closed_is_taken_as_it_is(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mkv", 60)
    data = path.read_bytes()
    at = data.index(b"\x18\x53\x80\x67") + 4  # the segment's size: unknown, as while it is written
    duration = data.index(b"\x44\x89\x88") + 3  # in the header too, where it is not known yet either
    whole = data[:at] + b"\x01" + b"\xff" * 7 + data[at + 8 : duration] + bytes(8) + data[duration + 8 :]
    path.write_bytes(whole[: len(whole) * 3 // 4])
    assert clip_of(path).check() == []
    assert 0 < len(list(clip_of(path).frames())) < 60


def test_cut_avi_counts_the_frames(tmp_path: Path) -> None:
    path = cut(write_video(tmp_path / "v.avi", 60, codec="mjpeg", pixels="yuvj420p"), 0.9)
    (line,) = clip_of(path).check()
    assert line.startswith(f"{path}: cut short: 5") and line.endswith("of 60 frames are there")


def test_damaged_frames_keep_their_numbers(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.avi", 60, codec="mjpeg", pixels="yuvj420p")
    data = bytearray(path.read_bytes())
    at = data.index(b"\xff\xd8\xff", len(data) // 2)  # a picture in the middle is lost
    end = data.index(b"\xff\xd8\xff", at + 3) - 8
    data[at:end] = bytes(end - at)
    path.write_bytes(data)
    clip = clip_of(path)
    with pytest.raises(FootageError, match=r"v\.avi: frame \d+: cannot be decoded"):
        list(clip.frames())
    bad: list[str] = []
    frames = list(clip.frames(skip_bad=True, on_bad=bad.append))
    assert len(bad) == 1 and len(frames) == 59
    assert [round(frame.pts * 10) for frame in frames] == [frame.number for frame in frames]


@pytest.mark.parametrize(
    ("name", "codec"), [("v.webm", "libvpx"), ("v.mkv", "ffv1"), ("v.wmv", "wmv2"), ("v.avi", "mpeg4")]
)
def test_a_file_of_full_length_that_is_empty_from_its_middle_on_is_noticed(
    tmp_path: Path, name: str, codec: str
) -> None:
    path = write_video(tmp_path / name, 60, codec=codec)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + bytes(len(data) - len(data) // 2))  # a copy that found room, and stopped
    line = clip_of(path).check()[-1]
    assert re.search(r": damaged or cut short: its pictures end at \d\.\d\d s of 6\.00 s$", line)


@pytest.mark.parametrize("late", [0, 3])
@pytest.mark.parametrize("name", ["v.mkv", "v.mp4", "v.avi"])
def test_sound_that_goes_on_behind_the_pictures_is_no_damage(tmp_path: Path, name: str, late: int) -> None:
    path = tmp_path / name
    with av.open(path, "w") as container:
        video = container.add_stream("mpeg4", rate=10)
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        sound = container.add_stream("mp3", rate=48000, layout="mono")
        for at in range(30):
            frame = av.VideoFrame.from_ndarray(picture(at, 96, 64), format="bgr24")
            frame.pts, frame.time_base = at + 10 * late, Fraction(1, 10)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for at in range(0, 48000 * 9, 1152):
            heard = av.AudioFrame.from_ndarray(np.zeros((1, 1152), np.int16), format="s16p", layout="mono")
            heard.sample_rate, heard.pts, heard.time_base = 48000, at, Fraction(1, 48000)
            container.mux(sound.encode(heard))
        container.mux(sound.encode(None))
    assert clip_of(path).check() == []


@pytest.mark.parametrize("name", ["v.mkv", "v.mp4", "v.avi", "v.wmv"])
def test_frames_that_a_camera_has_dropped_are_no_damage(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with av.open(path, "w") as container:
        stream = container.add_stream("wmv2" if name == "v.wmv" else "mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for at in [*range(20), *range(60, 80), 130]:
            frame = av.VideoFrame.from_ndarray(picture(at, 96, 64), format="bgr24")
            frame.pts, frame.time_base = at, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert clip_of(path).check() == []
    assert [frame.number for frame in clip_of(path).frames()] == list(range(41))


@pytest.mark.parametrize(("name", "codec"), [("v.mkv", "ffv1"), ("v.mp4", "libx264"), ("v.mpg", "mpeg2video")])
def test_frames_behind_a_damaged_place_keep_their_numbers(tmp_path: Path, name: str, codec: str) -> None:
    path = write_video(tmp_path / name, 60, codec=codec, rate=25, options=FASTSTART if name == "v.mp4" else {})
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 200] = np.random.default_rng(0).bytes(200)
    path.write_bytes(data)
    bad: list[str] = []
    frames = list(clip_of(path).frames(skip_bad=True, on_bad=bad.append))
    lost = {int(found[1]) for line in bad if (found := re.search(r": frame (\d+)", line))}
    assert lost and lost.isdisjoint(frame.number for frame in frames)
    assert all(frame.number == round(frame.pts * 25) for frame in frames)


def test_packets_of_sound_that_share_a_block_are_no_skipped_bytes() -> None:
    skipped = SkippedBytes()
    block = [(100, 300)] * 4 + [(1310, 5000), (6320, 300), (6320, 300), (6930, 20)]
    assert not any(skipped.before(cast(Any, SimpleNamespace(pos=pos, size=size))) for pos, size in block)
    assert skipped.before(cast(Any, SimpleNamespace(pos=9000, size=20)))


def test_damaged_h264_is_noticed(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", 60, options=FASTSTART)
    data = bytearray(path.read_bytes())
    for at in range(len(data) // 4, len(data) - 60, 300):  # by chance, some of it passes for pictures
        data[at : at + 60] = np.random.default_rng(0).integers(0, 256, 60, dtype=np.uint8).tobytes()
    path.write_bytes(data)
    bad = clip_of(path).check()
    assert bad
    assert all(clip_of(path).check() == bad for _ in range(3))


@pytest.mark.parametrize(
    "text",
    ["ffconcat version 1.0\nfile other.mp4\n", "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nother.mp4\n"],
    ids=["ffconcat", "HLS"],
)
def test_playlists_never_open_other_files(tmp_path: Path, text: str) -> None:
    write_video(tmp_path / "other.mp4")
    path = tmp_path / "x.mp4"
    path.write_text(text)
    with open_footage([path]) as footage, pytest.raises(FootageError, match="cannot be opened as a video"):
        list(footage.clips[0].frames())
    assert footage.clips[0].frame_count is None and footage.clips[0].interval is None


@pytest.mark.parametrize(("data", "says"), [(b"", "cannot be opened"), (bytes(5000), "cannot be opened")])
def test_not_videos(tmp_path: Path, data: bytes, says: str) -> None:
    path = tmp_path / "x.mp4"
    path.write_bytes(data)
    (line,) = clip_of(path).check()
    assert says in line
    assert list(clip_of(path).frames(skip_bad=True)) == []


def test_missing_file(tmp_path: Path) -> None:
    (line,) = clip_of(tmp_path / "gone.mp4").check()
    assert line == f"{tmp_path / 'gone.mp4'}: cannot be read (No such file or directory)"


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "x.mkv"
    with av.open(path, "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    assert clip_of(path).check() == [f"{path}: holds no video"]


@pytest.mark.parametrize(
    ("codec", "pixels", "small", "huge", "says"),
    [
        pytest.param("rawvideo", "nv12", pack("<II", 96, 64), pack("<II", 8192, 8192), "limit", id="container"),
        pytest.param("mjpeg", "yuvj420p", pack(">HH", 64, 96), pack(">HH", 40_000, 40_000), "decoded", id="pictures"),
    ],
)
def test_huge_pictures_are_refused_before_decoding(
    tmp_path: Path, codec: str, pixels: str, small: bytes, huge: bytes, says: str
) -> None:
    path = write_video(tmp_path / "v.avi", 3, codec=codec, pixels=pixels)
    data = path.read_bytes()
    assert small in data
    path.write_bytes(data.replace(small, huge))
    assert re.search(says, clip_of(path).check()[0])


def test_rare_codecs_are_not_decoded(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.avi", 3, codec="magicyuv", pixels="gbrp")
    assert clip_of(path).check() == [f"{path}: its codec magicyuv is not read; convert it to H.264"]
    assert all(av.Codec(name, "r").name for name in video._CODECS.split(","))


def test_a_picture_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    path.write_bytes(encoded())
    assert clip_of(path).check()
