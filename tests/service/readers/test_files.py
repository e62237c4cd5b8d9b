"""Files are read as the command line reads them, once or again and again."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from model.footage import open_footage
from service.readers.failures import ErrorClass
from service.readers.files import FileSource
from service.readers.pictures import Bad, Picture
from tests.model.drawn import encoded, write_frames, write_video
from tests.service.readers.servers import read_out


def facts(found: list[Picture | Bad]) -> list[tuple[int | None, float | None]]:
    return [(one.number, one.pts) for one in found if isinstance(one, Picture)]


@pytest.mark.parametrize("colour", [False, True], ids=["luma", "colour"])
def test_a_video_is_read_as_the_command_line_reads_it(tmp_path: Path, colour: bool) -> None:
    path = write_video(tmp_path / "v.mp4", 20)
    found = list(FileSource(path, colour=colour).pictures())
    with open_footage([path]) as footage:
        expected = list(footage.clips[0].frames(colour=colour))
    assert facts(found) == [(frame.number, frame.pts) for frame in expected]
    for one, frame in zip(found, expected, strict=True):
        assert isinstance(one, Picture) and np.array_equal(np.asarray(one.data), frame.image)


def test_frames_of_a_folder_keep_their_numbers_and_bad_ones_are_told(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "gate", ["007.jpg", "009.jpg"])
    (folder / "008.jpg").write_bytes(encoded()[:100])
    found = list(FileSource(folder).pictures())
    assert facts(found) == [(7, 0.7), (9, 0.9)]
    assert found[1] == Bad("gate/008.jpg: cut short: its end is missing")


@pytest.mark.parametrize("first", [0, 7])
def test_a_loop_counts_on_and_begins_its_time_anew(tmp_path: Path, first: int) -> None:
    source = FileSource(write_video(tmp_path / "v.mp4", 3), loop=True, first=first)
    found = facts(list(islice(source.pictures(), 7)))
    assert [number for number, _ in found] == list(range(first, first + 7))
    assert [pts for _, pts in found] == pytest.approx([0, 0.1, 0.2, 0, 0.1, 0.2, 0])


def test_a_seamless_loop_has_no_jump_in_its_time(tmp_path: Path) -> None:
    source = FileSource(write_video(tmp_path / "v.mp4", 3), loop=True, seamless=True)
    found = facts(list(islice(source.pictures(), 8)))
    assert [number for number, _ in found] == list(range(8))
    assert [pts for _, pts in found] == pytest.approx([0.1 * n for n in range(8)])


def test_clips_of_a_folder_follow_each_other(tmp_path: Path) -> None:
    for at in range(2):
        write_video(tmp_path / f"{at}.mp4", 3)
    found = facts(list(FileSource(tmp_path).pictures()))
    assert [number for number, _ in found] == list(range(6))
    assert found[3][1] == 0


def test_a_file_that_was_read_in_part_goes_on_there(tmp_path: Path) -> None:
    source = FileSource(write_video(tmp_path / "v.mp4", 10), first=7)
    assert [number for number, _ in facts(list(source.pictures()))] == [7, 8, 9]


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("gone.mp4", None, "cannot be read (No such file or directory)"),
        ("x.txt", b"x", "of unknown type"),
        ("x.mp4", b"", "cannot be opened as a video"),
        ("x.mp4", b"ffconcat version 1.0\nfile other.mp4\n", "cannot be opened as a video"),
        ("x.zip", b"PK", "not a zip"),
    ],
)
@pytest.mark.parametrize("loop", [False, True])
def test_what_cannot_be_read_fails_for_good(
    tmp_path: Path, name: str, data: bytes | None, says: str, loop: bool
) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    _, error = read_out(FileSource(tmp_path / name, loop=loop))
    assert error.error_class is ErrorClass.FILE and error.permanent
    assert says in str(error) and str(tmp_path) not in str(error)


def test_reading_can_be_interrupted(tmp_path: Path) -> None:
    source = FileSource(write_video(tmp_path / "v.mp4", 10), loop=True)
    pictures = source.pictures()
    next(pictures)
    source.interrupt()
    assert next(pictures, None) is None
