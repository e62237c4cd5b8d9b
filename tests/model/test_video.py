"""A video's frames come whole, in order and with their time stamps, whatever its format."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import av
import cv2
import numpy as np
import pytest

from model import video
from model.video import VideoClip
from tests.model.drawn import clip_of, picture, write_video


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("v.mp4", "libx264", "yuv420p"),
        ("v.mov", "mpeg4", "yuv420p"),
        ("v.m4v", "mpeg4", "yuv420p"),
        ("v.3gp", "mpeg4", "yuv420p"),
        ("v.3g2", "libx264", "yuv420p"),
        ("v.avi", "libx264", "yuv420p"),
        ("v.avi", "mjpeg", "yuvj420p"),
        ("v.mkv", "libx264", "yuv444p"),
        ("v.webm", "libvpx", "yuv420p"),
        ("v.ts", "libx264", "yuv420p"),
        ("v.mts", "libx264", "yuv420p"),
        ("v.m2ts", "libx264", "yuv420p"),
        ("v.wmv", "wmv2", "yuv420p"),
        ("v.asf", "wmv2", "yuv420p"),
    ],
)
def test_frames_come_with_their_time_stamps(tmp_path: Path, name: str, codec: str, pixels: str) -> None:
    clip = clip_of(write_video(tmp_path / name, 30, codec=codec, pixels=pixels))
    frames = list(clip.frames())
    assert [frame.number for frame in frames] == list(range(30))
    assert [frame.pts for frame in frames] == pytest.approx([at / 10 for at in range(30)], abs=2e-3)
    assert clip.frame_count in (30, None)
    assert clip.interval == pytest.approx(0.1, rel=0.01)
    assert clip.check() == []
    drawn = [cv2.cvtColor(picture(at), cv2.COLOR_BGR2GRAY).astype(int) for at in range(30)]
    for frame in frames:
        assert np.argmin([np.abs(frame.image - one).mean() for one in drawn]) == frame.number
    assert [frame.pts for frame in clip.frames()] == [frame.pts for frame in frames]


@pytest.mark.parametrize("name", ["v.mpg", "v.mpeg", "v.vob"])
def test_mpeg(tmp_path: Path, name: str) -> None:
    frames = list(clip_of(write_video(tmp_path / name, 30, codec="mpeg2video", rate=25)).frames())
    assert frames[-1].pts == pytest.approx(29 / 25, abs=1e-3)


@pytest.mark.parametrize("size", [(96, 64), (150, 122)], ids=["aligned", "padded"])
@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("v.mp4", "libx264", "yuv420p"),
        ("v.mkv", "libx264", "yuv422p"),
        ("v.mkv", "libx264", "yuv444p"),
        ("v.mkv", "libx264", "yuv420p10le"),
        ("v.avi", "mjpeg", "yuvj420p"),
        ("v.mkv", "ffv1", "gray"),
        ("v.mkv", "ffv1", "gray16le"),
        ("v.avi", "rawvideo", "nv12"),
        ("v.avi", "rawvideo", "bgr24"),
    ],
)
def test_luma_is_full_range(tmp_path: Path, name: str, codec: str, pixels: str, size: tuple[int, int]) -> None:
    path = write_video(tmp_path / name, 3, codec=codec, pixels=pixels, size=size)
    with av.open(path) as container:
        expected = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    frames = [frame.image for frame in clip_of(path).frames()]
    assert len(frames) == 3
    for image, reference in zip(frames, expected, strict=True):
        assert image.shape == (size[1], size[0]) and image.dtype == np.uint8
        assert np.abs(image.astype(int) - reference).max() <= 1
    drawn = cv2.cvtColor(picture(0, *size), cv2.COLOR_BGR2GRAY).astype(int)
    slope = np.polyfit(drawn.ravel(), frames[0].ravel(), 1)[0]
    assert 0.93 < slope < 1.07  # limited range taken as full gives 0.86, the reverse 1.16


def test_full_range_luma_of_an_untagged_format(tmp_path: Path) -> None:
    path = tmp_path / "v.mkv"
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.color_range = 2
        frame = av.VideoFrame(96, 64, "yuv420p")
        ramp = np.tile(np.linspace(0, 255, 96).astype(np.uint8), (64, 1))
        padded = np.zeros((64, frame.planes[0].line_size), np.uint8)
        padded[:, :96] = ramp
        frame.planes[0].update(padded.tobytes())
        for plane in frame.planes[1:]:
            plane.update(bytes([128]) * plane.buffer_size)
        frame.color_range = 2
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    (decoded,) = clip_of(path).frames()
    assert np.array_equal(decoded.image, ramp)


def test_colour(tmp_path: Path) -> None:
    frame = next(clip_of(write_video(tmp_path / "v.mkv", 2, codec="ffv1", pixels="bgr0")).frames(colour=True))
    assert np.array_equal(frame.image, picture())


@pytest.mark.parametrize("start", [0, 1000])
def test_time_starts_at_the_first_frame(tmp_path: Path, start: int) -> None:
    frames = list(clip_of(write_video(tmp_path / "v.mkv", 5, start=start)).frames())
    assert [frame.pts for frame in frames] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])


def raw_mpeg(path: Path) -> Path:
    """An elementary stream: pictures without a container, so without time stamps."""
    return write_video(path.with_suffix(".m2v"), 20, codec="mpeg2video", rate=25).rename(path)


def test_no_time_stamps_fall_back_to_the_rate(tmp_path: Path) -> None:
    frames = list(clip_of(raw_mpeg(tmp_path / "v.mpg")).frames())
    assert [frame.pts for frame in frames] == pytest.approx([at / 25 for at in range(20)])


def test_edit_lists_are_not_taken_for_damage(tmp_path: Path) -> None:
    clip = clip_of(write_video(tmp_path / "v.mp4", 60, start=-25, options={"use_editlist": "1"}))
    assert clip.frame_count == 60
    assert len(list(clip.frames())) == 35


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("v.mp4", "libx264", {"g": "40", "bf": "3"}),
        ("v.mp4", "libx264", {"g": "40", "bf": "3", "x264-params": "open-gop=1"}),
        ("v.mkv", "libx264", {"g": "40"}),
        ("v.mp4", "mpeg4", {"g": "12"}),
        ("v.avi", "libx264", {"g": "40"}),
        ("v.ts", "libx264", {"g": "40"}),
    ],
)
@pytest.mark.parametrize("since", [0.0, 3.0, 10.0, 17.95, 25.0])
def test_reading_from_the_middle_gives_the_same_frames(
    tmp_path: Path, name: str, codec: str, options: dict[str, str], since: float
) -> None:
    clip = clip_of(write_video(tmp_path / name, 230, codec=codec, codec_options=options))
    whole = [frame for frame in clip.frames() if frame.pts >= since]
    found = list(clip.frames_from(since))
    assert [(frame.number, frame.pts) for frame in found] == [(frame.number, frame.pts) for frame in whole]
    assert all(np.array_equal(one.image, other.image) for one, other in zip(found, whole, strict=True))


def test_reading_from_the_middle_decodes_little_of_what_lies_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = clip_of(write_video(tmp_path / "v.mp4", 230, codec_options={"g": "20"}))
    decoded = []
    pictures = video._pictures

    def counted(*given: Any) -> Iterator[Any]:
        for one in pictures(*given):
            decoded.append(one)
            yield one

    monkeypatch.setattr(video, "_pictures", counted)
    assert len(list(clip.frames_from(20.0))) == 30
    assert len(decoded) <= 55


def test_abandoned_and_parallel_iterators(tmp_path: Path) -> None:
    opened: list[BinaryIO] = []
    path = write_video(tmp_path / "v.mp4")

    def open_file() -> BinaryIO:
        opened.append(path.open("rb"))
        return opened[-1]

    clip = VideoClip("v", str(path), open_file)
    first, second = clip.frames(), clip.frames()
    assert next(first).number == next(second).number == 0
    assert next(first).number == 1
    del first, second
    assert [file.closed for file in opened] == [True, True]


def test_pictures_outlive_the_decoder(tmp_path: Path) -> None:
    clip = clip_of(write_video(tmp_path / "v.avi", 30, codec="mjpeg", pixels="yuvj420p"))
    kept = [frame.image for frame in clip.frames()]
    copies = [frame.image.copy() for frame in clip.frames()]
    assert all(np.array_equal(a, b) for a, b in zip(kept, copies, strict=True))


def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    clip = clip_of(write_video(tmp_path / "v.mp4", 150, codec="mpeg4"))
    tracemalloc.start()
    try:
        peaks = []
        for frame in clip.frames():
            if frame.number in (20, 140):
                peaks.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 30_000  # 120 pictures would be 700 kB


def test_size_may_change_on_the_way(tmp_path: Path) -> None:
    parts = [write_video(tmp_path / f"{w}.ts", 5, size=(w, 64)).read_bytes() for w in (96, 128)]
    clip = VideoClip("v", "v.ts", lambda: io.BytesIO(b"".join(parts)))
    shapes = [frame.image.shape for frame in clip.frames(skip_bad=True)]
    assert (64, 96) in shapes and (64, 128) in shapes


@pytest.mark.footage
@pytest.mark.parametrize(
    ("file", "count"),
    [("avenue/11.mp4", 781), ("avenue/12.avi", 145), ("avenue/16.avi", 244), ("clips/vtest.avi", 795)],
)
def test_real_videos(footage: Path, file: str, count: int) -> None:
    clip = clip_of(footage / file)
    assert clip.frame_count == count
    assert clip.interval == pytest.approx(0.1 if "vtest" in file else 0.04)
    numbers, times = zip(*((frame.number, frame.pts) for frame in clip.frames()), strict=True)
    assert numbers == tuple(range(count))
    assert np.all(np.diff(times) > 0)


@pytest.mark.footage
def test_real_luma_equals_the_conversion_of_ffmpeg(footage: Path) -> None:
    frame = next(clip_of(footage / "avenue/10.mp4").frames())
    with av.open(footage / "avenue/10.mp4") as container:
        reference = next(container.decode(video=0)).to_ndarray(format="gray")
    assert np.abs(frame.image.astype(int) - reference).max() <= 1
