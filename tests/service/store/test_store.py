"""The store keeps streams, and what it was given is written, across threads and to the end."""

from __future__ import annotations

import stat
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest

from service.records import StreamOptions, StreamRecord
from service.store import Store, StoreError, StoreUnavailable
from tests.service.stored import T0, event, fill, score, seqs


@pytest.mark.parametrize("lost", ["framewatch.sqlite3", "scores.sqlite3"])
def test_epoch_never_falls_when_one_of_the_files_was_moved_away(tmp_path: Path, lost: str) -> None:
    for _ in range(3):
        Store.open(tmp_path).close()
    for path in tmp_path.glob(lost + "*"):
        path.unlink()
    with Store.open(tmp_path) as store:
        assert store.epoch == 4


def test_files_are_readable_for_their_owner_only(tmp_path: Path) -> None:
    with Store.open(tmp_path / "data") as store:
        store.put_stream(StreamRecord("door", "Door", "rtsp://user:secret@camera/1"))
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data").iterdir()}
    assert {"framewatch.sqlite3", "framewatch.sqlite3-wal", "scores.sqlite3", "scores.sqlite3-wal"} <= set(modes)
    assert set(modes.values()) == {0o600}


def test_a_stream_comes_back_as_it_was(store: Store) -> None:
    options = StreamOptions(
        model="door", threshold=1 / 3, policy="every", mask=(((0.0, 0.0), (1.0, 0.0), (0.5, 1.0)),), cooldown=30
    )
    record = StreamRecord("door", "Front door", "rtsp://user:secret@camera/1", options, loop=True, created=T0)
    store.put_stream(record)
    assert store.streams() == [record]


def test_putting_a_stream_again_changes_it(store: Store) -> None:
    record = StreamRecord("door", "Door", None, created=T0)
    store.put_stream(record)
    store.put_stream(replace(record, name="Gate"))
    assert [found.name for found in store.streams()] == ["Gate"]


def test_deleting_a_stream_keeps_its_scores_and_events(store: Store) -> None:
    store.put_stream(StreamRecord("door", "Door", None))
    fill(store, "door", 1, 3)
    store.open_event(event())
    assert (store.delete_stream("door"), store.delete_stream("door")) == (True, False)
    assert (store.streams(), seqs(store, "door"), len(store.events()[0])) == ([], [1, 2, 3], 1)


def test_purging_a_stream_removes_its_scores_and_events_and_no_others(store: Store) -> None:
    for stream in ("door", "gate"):
        fill(store, stream, 1, 3)
        store.open_event(event(stream))
    store.delete_stream("door", purge=True)
    assert (seqs(store, "door"), seqs(store, "gate")) == ([], [1, 2, 3])
    assert [found.stream for found in store.events()[0]] == ["gate"]


def test_a_purged_stream_may_come_back_and_count_anew(store: Store) -> None:
    fill(store, "door", 1, 3)
    store.delete_stream("door", purge=True)
    fill(store, "door", 1, 2)
    while store.upkeep.sweep(1):
        pass
    assert seqs(store, "door") == [1, 2]


def test_any_thread_may_write_and_read(store: Store) -> None:
    seen: dict[int, list[int]] = {}

    def work(number: int) -> None:
        for seq in range(1, 40):
            store.commit_scores([score(f"s{number}", seq)]).result()
            seen[number] = seqs(store, f"s{number}")
        store.put_stream(StreamRecord(f"s{number}", "", None))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {number: list(range(1, 40)) for number in range(8)}
    assert len(store.streams()) == 8


def test_close_writes_what_is_queued(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    futures = [store.commit_scores([score("door", seq)]) for seq in range(1, 500)]
    store.close()
    assert all(future.result(timeout=0) for future in futures)


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.put_stream(StreamRecord("door", "", None)),
        lambda store: store.streams(),
        lambda store: store.scores("door"),
    ],
)
def test_a_closed_store_says_so(tmp_path: Path, call: Callable[[Store], object]) -> None:
    store = Store.open(tmp_path)
    store.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        call(store)


def test_scores_for_a_closed_store_are_not_durable(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    store.close()
    assert store.commit_scores([score("door", 1)]).result(timeout=0) is False


def test_a_future_cannot_be_cancelled_into_a_dead_writer(store: Store) -> None:
    futures: list[Future[bool]] = []
    for seq in range(1, 50):
        futures.append(store.commit_scores([score("door", seq)]))
        assert not futures[-1].cancel()
    assert all(future.result() for future in futures)


def test_a_second_service_on_the_same_folder_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"in use by another framewatch \(process \d+\): stop it, or use another"):
        Store.open(tmp_path)
