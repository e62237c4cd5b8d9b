"""Clips are what browsers play, and show each picture at its own time."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from service.recorder import spool
from service.recorder.child import encode
from service.recorder.mp4 import ClipError, write_mp4
from service.recorder.ring import Still
from tests.service.recorder.drawn import T0, picture, shows, stills


def test_each_picture_is_shown_at_its_own_time(tmp_path: Path) -> None:
    times = [0.0, 0.1, 0.25, 0.3, 1.7, 1.75, 3.0]
    written = write_mp4((Still(T0 + at, picture(n)) for n, at in enumerate(times)), tmp_path / "a.mp4")
    assert (written.pictures, written.began, written.ended) == (7, T0, T0 + 3.0)
    shows(tmp_path / "a.mp4", [(at, n) for n, at in enumerate(times)])


def test_a_clip_is_as_browsers_want_it(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_mp4(stills(5), path)
    data = path.read_bytes()
    assert 0 < data.find(b"moov") < data.find(b"mdat")
    with av.open(str(path)) as container:
        (video,) = container.streams.video
        assert (video.codec_context.name, video.codec_context.pix_fmt) == ("h264", "yuv420p")


@pytest.mark.parametrize(
    ("size", "expected"),
    [((64, 48), (64, 48)), ((63, 47), (64, 48)), ((1920, 1080), (1280, 720)), ((900, 1), (900, 2))],
)
def test_a_clip_has_even_sides_and_720_lines_at_most(
    tmp_path: Path, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    written = write_mp4([Still(T0, picture(1, width=size[0], height=size[1]))], tmp_path / "a.mp4")
    assert (written.width, written.height) == expected


def test_pictures_that_change_their_size_are_fitted(tmp_path: Path) -> None:
    write_mp4([Still(T0, picture(1)), Still(T0 + 1, picture(2, width=320, height=240))], tmp_path / "a.mp4")
    shows(tmp_path / "a.mp4", [(0, 1), (1, 2)])


def test_png_and_grey_pictures_are_taken_too(tmp_path: Path) -> None:
    png = cv2.imencode(".png", np.full((48, 64), 23, np.uint8))[1].tobytes()
    write_mp4([Still(T0, png), Still(T0 + 1, picture(2))], tmp_path / "a.mp4")
    shows(tmp_path / "a.mp4", [(0, 1), (1, 2)])


def test_what_cannot_be_decoded_is_left_out_and_counted(tmp_path: Path) -> None:
    some = stills(4)
    some[0] = Still(T0, b"no picture")
    some[2] = Still(some[2].captured, some[2].data[:100])
    written = write_mp4(some, tmp_path / "a.mp4")
    assert (written.pictures, written.bad, written.began) == (2, 2, some[1].captured)
    shows(tmp_path / "a.mp4", [(0, 1), (0.2, 3)])


def test_a_picture_that_is_not_later_is_left_out(tmp_path: Path) -> None:
    write_mp4([Still(T0, picture(0)), Still(T0, picture(1)), Still(T0 + 0.5, picture(2))], tmp_path / "a.mp4")
    shows(tmp_path / "a.mp4", [(0, 0), (0.5, 2)])


@pytest.mark.parametrize("some", [[], [Still(T0, b"no picture")]])
def test_a_clip_of_nothing_is_none(tmp_path: Path, some: list[Still]) -> None:
    with pytest.raises(ClipError):
        write_mp4(some, tmp_path / "a.mp4")


def test_a_spool_that_is_cut_off_gives_what_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "pictures.part"
    assert spool.append(path, stills(2)) == path.stat().st_size
    spool.append(path, stills(1, first=T0 + 10))
    whole = path.stat().st_size
    assert [still.captured for still in spool.read(path)] == pytest.approx([T0, T0 + 0.1, T0 + 10])
    for size in (whole - 1, whole - len(stills(1)[0].data) - 3):
        path.write_bytes(path.read_bytes()[:size])
        assert len(list(spool.read(path))) == 2


def test_an_order_ends_where_it_says(tmp_path: Path) -> None:
    spool.append(tmp_path / "a", stills(20))
    answer = encode(tmp_path / "a", tmp_path / "a.mp4", T0 + 0.55)
    assert (answer.kind, answer.head["pictures"]) == ("written", 6)


@pytest.mark.parametrize(
    ("spooled", "clip", "said"),
    [
        ("none", "a.mp4", "it could not be written (No such file or directory)"),
        ("a", "nowhere/a.mp4", "it could not be written (No such file or directory)"),
        ("empty", "a.mp4", "no picture came in its time"),
    ],
)
def test_what_goes_wrong_is_said(tmp_path: Path, spooled: str, clip: str, said: str) -> None:
    spool.append(tmp_path / "a", stills(2))
    (tmp_path / "empty").touch()
    answer = encode(tmp_path / spooled, tmp_path / clip, None)
    assert (answer.kind, answer.head["reason"]) == ("failed", said)
