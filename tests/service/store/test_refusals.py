"""A folder that is damaged, newer, locked or not to be written is refused at the start, with what to do."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from service.records import StreamRecord
from service.store import KeyFile, Store, StoreError
from tests.service.store.disks import MAIN, SCORES, locked
from tests.service.stored import fill


def ruin(path: Path, kind: str) -> None:
    for rest in ("-wal", "-shm"):
        path.with_name(path.name + rest).unlink(missing_ok=True)
    content = bytearray(path.read_bytes())
    if kind == "no database":
        content[:100] = b"\xff" * 100
    elif kind == "cut off":
        del content[len(content) // 2 :]
    else:
        content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)


@pytest.mark.parametrize("kind", ["no database", "cut off", "overwritten"])
@pytest.mark.parametrize(
    ("name", "inside"), [(MAIN, r"\(streams, events, jobs and keys\)"), (SCORES, r"\(all scores\)")]
)
def test_a_damaged_file_is_refused_with_what_to_do(tmp_path: Path, name: str, inside: str, kind: str) -> None:
    with Store.open(tmp_path) as store:
        fill(store, "door", 1, 2000)
    ruin(tmp_path / name, kind)
    with pytest.raises(StoreError, match=rf"{name} is damaged .*put back a backup, or move {name}, .* away .*{inside}"):
        Store.open(tmp_path)


def test_the_advice_for_damaged_scores_works(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        store.put_stream(StreamRecord("door", "", None))
        fill(store, "door", 1, 10)
    ruin(tmp_path / SCORES, "cut off")
    (tmp_path / SCORES).unlink()
    with Store.open(tmp_path) as store:
        assert ([found.id for found in store.streams()], store.history("door")) == (["door"], [])


@pytest.mark.parametrize("name", [MAIN, SCORES])
def test_a_file_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path, name: str) -> None:
    Store.open(tmp_path).close()
    connection = sqlite3.connect(tmp_path / name)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = (tmp_path / name).read_bytes()
    with pytest.raises(StoreError, match=rf"{name} is of format 99, .* update framewatch, or use another data folder"):
        Store.open(tmp_path)
    assert (tmp_path / name).read_bytes() == before


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(StoreError, match="data"):
        Store.open(tmp_path / "data")
    with pytest.raises(StoreError, match="data"):
        KeyFile(tmp_path / "data")


def test_a_file_that_is_locked_at_the_start_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Store.open(tmp_path).close()
    monkeypatch.setattr("service.store.files.BUSY_S", 0.1)
    with locked(tmp_path / SCORES), pytest.raises(StoreError, match="locked by another process"):
        Store.open(tmp_path)


def test_a_refused_start_leaves_the_folder_free(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        fill(store, "door", 1, 10)
    shutil.copy(tmp_path / SCORES, tmp_path / "backup")
    ruin(tmp_path / SCORES, "no database")
    with pytest.raises(StoreError):
        Store.open(tmp_path)
    shutil.copy(tmp_path / "backup", tmp_path / SCORES)
    with Store.open(tmp_path) as store:
        assert len(store.history("door")) == 10
