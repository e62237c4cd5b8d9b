"""A file is what it holds, not what it is called."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.videos.containers import SNIFFED, Container, ContainerError, sniff, sniff_file
from tests.model.drawn import encoded, write_video


@pytest.mark.parametrize(
    ("name", "codec", "pixels", "expected"),
    [
        ("v.mp4", "libx264", "yuv420p", Container.MP4),
        ("v.mov", "mpeg4", "yuv420p", Container.MP4),
        ("v.m4v", "mpeg4", "yuv420p", Container.MP4),
        ("v.avi", "mjpeg", "yuvj420p", Container.AVI),
        ("v.mkv", "libx264", "yuv420p", Container.MATROSKA),
        ("v.webm", "libvpx", "yuv420p", Container.MATROSKA),
        ("v.ts", "libx264", "yuv420p", Container.TS),
        ("v.mpg", "mpeg2video", "yuv420p", Container.MPEG),
        ("v.wmv", "wmv2", "yuv420p", Container.ASF),
    ],
)
def test_every_kind_of_video_is_known_without_its_name(
    tmp_path: Path, name: str, codec: str, pixels: str, expected: Container
) -> None:
    path = write_video(tmp_path / name, 5, codec=codec, pixels=pixels, rate=25).rename(tmp_path / "upload")
    assert sniff_file(path) is expected


@pytest.mark.parametrize("members", [[], ["01/0001.jpg"]], ids=["empty", "frames"])
def test_zips_are_known(tmp_path: Path, members: list[str]) -> None:
    path = tmp_path / "upload"
    with zipfile.ZipFile(path, "w") as archive:
        for member in members:
            archive.writestr(member, encoded())
    assert sniff_file(path) is Container.ZIP


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"ffconcat version 1.0\nfile other.mp4\n", "text"),
        (b"#EXTM3U\n#EXTINF:9,\nhttp://evil/x.ts\n", "text"),
        (b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\nm=video 0 RTP/AVP 96\r\n", "text"),
        (b'<?xml version="1.0"?><MPD></MPD>', "text"),
        (b"G" * 100, "text"),
        (b"#EXTM3U\n".ljust(188) + b"G".ljust(188) + b"G", "text"),
        (encoded(".jpg"), "picture"),
        (encoded(".png"), "picture"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "picture"),
        (b"RIFF\0\0\0\0WAVEfmt ", "not a video"),
        (bytes(range(256)), "not a video"),
        (bytes(5000), "not a video"),
        (b"\x7fELF\2\1\1\0", "not a video"),
        (b"Rar!\x1a\x07\0", "not a video"),
    ],
)
def test_anything_else_is_refused_with_what_it_looks_like(data: bytes, says: str) -> None:
    with pytest.raises(ContainerError, match=says) as error:
        sniff(data[:SNIFFED])
    assert "send a" in str(error.value) and "\n" not in str(error.value)


@given(st.binary(max_size=600))
def test_any_bytes_are_a_container_or_an_error(data: bytes) -> None:
    try:
        sniff(data)
    except ContainerError:
        return
