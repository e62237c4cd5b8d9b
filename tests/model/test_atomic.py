"""Files appear whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from model.atomic import atomic_path, open_atomic


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_file_appears_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    with atomic_path(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole" and names(tmp_path) == ["scores.csv"]


def test_file_of_before_is_there_until_the_end(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("before")
    with atomic_path(path) as temporary:
        temporary.write_text("after")
        assert path.read_text() == "before"
    assert path.read_text() == "after"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_failure_leaves_the_file_of_before_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("before")

    def fail() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == "before" and names(tmp_path) == ["scores.csv"]


def test_failure_before_anything_was_written_says_what_went_wrong(tmp_path: Path) -> None:
    def fail() -> None:
        with atomic_path(tmp_path / "scores.csv"):
            raise ValueError("the reason")

    with pytest.raises(ValueError, match="the reason"):
        fail()


def test_temporary_name_keeps_the_ending_and_is_hidden(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "plot.png") as temporary:
        assert temporary.suffix == ".png" and temporary.name.startswith(".") and temporary.parent == tmp_path
        temporary.touch()


def test_two_writers_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    with atomic_path(path) as one, atomic_path(path) as other:
        assert one != other
        one.write_text("one")
        other.write_text("other")
    assert path.read_text() == "one" and names(tmp_path) == ["scores.csv"]


def test_name_as_long_as_names_can_be_is_written(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 200 + "." + "y" * 54)
    with atomic_path(path) as temporary:
        temporary.touch()
    assert names(tmp_path) == [path.name]


def test_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.csv"
    link.symlink_to(tmp_path / "real" / "scores.csv")
    with open_atomic(link) as out:
        out.write("text")
    assert link.is_symlink() and (tmp_path / "real" / "scores.csv").read_text() == "text"


def test_device_is_written_to_and_not_replaced() -> None:
    with atomic_path(Path("/dev/null")) as path:
        assert path == Path("/dev/null")
    with open_atomic(Path("/dev/null")) as out:
        out.write("gone")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


@pytest.mark.parametrize("path", ["missing/scores.csv", "file/scores.csv"])
def test_folder_that_is_none_is_an_oserror(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"scores|framewatch"), open_atomic(tmp_path / path):
        pass
    assert names(tmp_path) == ["file"]


def test_folder_in_the_place_of_the_file_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError), open_atomic(tmp_path):
        pass


def test_text_is_written_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "text"
    with open_atomic(path) as out:
        out.write("größe\n\r\n\udcff")
    assert path.read_bytes() == "größe\n\r\n".encode() + b"\xff"


def test_file_is_readable_as_any_new_file(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    with open_atomic(tmp_path / "atomic") as out:
        out.write("text")
    assert (tmp_path / "atomic").stat().st_mode == plain.stat().st_mode
