"""The store keeps what it was given, in order, page by page, across runs and threads."""

from __future__ import annotations

import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest

from model.states import State
from model.tables import Row
from service.records import KeyRecord, Score, StreamOptions, StreamRecord
from service.store import CursorError, KeyFile, Store, StoreError, StoreUnavailable, cursors
from tests.service.stored import T0, event, fill, job, score, seqs


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path, clock=lambda: T0) as opened:
        yield opened


def test_a_score_comes_back_as_it_was(store: Store) -> None:
    given = [
        Score(
            "door", 1, 0, 0.1 + 0.2, T0, T0 + 1 / 3, None, None, None, 1 / 7, State.WARMING, 4, "too slow: 2 a second"
        ),
        Score("door", 2, 2**40, 1e6, T0 + 1, T0 + 1.1, 2 / 3, 1 / 3, 0.1, 1 / 7, State.ANOMALOUS),
    ]
    assert store.commit_scores(given).result()
    assert store.scores("door") == given


def test_no_scores_are_durable_at_once(store: Store) -> None:
    assert store.commit_scores([]).result() is True


def test_scores_of_many_calls_and_streams_stay_in_order(store: Store) -> None:
    futures = [store.commit_scores([score("a", seq), score("b", seq)]) for seq in range(1, 200)]
    assert all(future.result() for future in futures)
    assert seqs(store, "a") == seqs(store, "b") == list(range(1, 200))


@pytest.mark.parametrize(
    ("after_seq", "since", "limit", "expected"),
    [
        (0, None, 3, [1, 2, 3]),
        (18, None, 10, [19, 20]),
        (20, None, 10, []),
        (0, T0 + 1.75, 2, [18, 19]),
        (0, T0 + 1.8, 2, [18, 19]),
        (19, T0 + 1.8, 2, [20]),
        (0, T0 - 100, 2, [1, 2]),
        (0, T0 + 100, 2, []),
    ],
)
def test_scores_are_found_by_number_and_by_capture_time(
    store: Store, after_seq: int, since: float | None, limit: int, expected: list[int]
) -> None:
    fill(store, "door", 1, 20)
    found = store.scores("door", after_seq=after_seq, since=since, limit=limit)
    assert [item.seq for item in found] == expected


def test_scores_with_holes_are_found_by_capture_time(store: Store) -> None:
    store.commit_scores([score("door", seq) for seq in (1, 2, 40, 41, 90)]).result()
    assert [item.seq for item in store.scores("door", since=T0 + 3)] == [40, 41, 90]


def test_bounds_and_last_seq_are_those_of_this_run(store: Store) -> None:
    assert (store.bounds("door"), store.last_seq("door")) == ((0, 0), 0)
    fill(store, "door", 1, 7)
    assert (store.bounds("door"), store.last_seq("door")) == ((1, 7), 7)


def test_a_number_that_comes_twice_fails_only_its_own_commit(store: Store) -> None:
    fill(store, "door", 1, 2)
    twice, good = store.commit_scores([score("door", 2)]), store.commit_scores([score("door", 3)])
    with pytest.raises(sqlite3.IntegrityError):
        twice.result()
    assert good.result()


def test_epoch_rises_at_each_start_and_older_runs_stay_readable(tmp_path: Path) -> None:
    for run in (1, 2, 3):
        with Store.open(tmp_path) as store:
            assert store.epoch == run
            store.commit_scores([score("door", seq, at=T0 + 100 * run + seq) for seq in (1, 2)]).result()
            assert [item.captured for item in store.scores("door", epoch=1)] == [T0 + 101, T0 + 102]
            assert store.bounds("door") == (1, 2)
    with Store.open(tmp_path) as store:
        assert [(epoch, item.seq) for epoch, item in store.history("door")] == [
            (1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (3, 2),
        ]  # fmt: skip
        assert [(epoch, item.seq) for epoch, item in store.history("door", after=(2, 1), limit=2)] == [(2, 2), (3, 1)]
        assert [(epoch, item.seq) for epoch, item in store.history("door", since=T0 + 202, limit=1)] == [(2, 2)]
        assert store.scores("door") == []


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


def test_an_event_gets_a_rising_id_and_comes_back_as_it_was(store: Store) -> None:
    heat = ((0.5, 0.25, 1.0), (0.0, 2.0, 3.0))
    first, second = store.open_event(event()), store.open_event(replace(event(), heat=heat, muted=True))
    store.commit_scores([score("door", 1)]).result()
    assert second.id > first.id > 0
    assert (store.event(first.id), store.event(second.id)) == (first, second)


def test_an_event_is_on_disk_when_a_later_commit_is(store: Store) -> None:
    opened = store.open_event(event())
    assert store.commit_scores([score("door", 5)]).result()
    assert store.event(opened.id) == opened


def test_an_update_of_an_event_leaves_its_label(store: Store) -> None:
    opened = store.open_event(event())
    labelled = store.label_event(opened.id, "false")
    assert labelled == replace(opened, label="false")
    closed = replace(opened, ended=T0 + 9, last_seq=9, peak=0.9)
    assert store.update_event(closed).result()
    assert store.event(opened.id) == replace(closed, label="false")


def test_a_label_can_be_taken_back(store: Store) -> None:
    opened = store.open_event(event())
    store.label_event(opened.id, "true")
    assert store.label_event(opened.id, None) == opened


def test_labelling_an_event_that_is_not_there_says_so(store: Store) -> None:
    assert store.label_event(77, "true") is None


def test_ids_of_deleted_events_do_not_come_back(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        last = [store.open_event(event()).id for _ in range(3)][-1]
        store.delete_stream("door", purge=True)
    with Store.open(tmp_path) as store:
        assert store.open_event(event()).id > last


def test_pages_of_events_are_newest_first_and_stable_while_events_come(store: Store) -> None:
    ids = [store.open_event(event()).id for _ in range(7)]
    store.commit_scores([score("door", 1)]).result()
    first, cursor = store.events(limit=3)
    store.update_event(store.open_event(event())).result()
    second, cursor = store.events(cursor=cursor, limit=3)
    third, end = store.events(cursor=cursor, limit=3)
    assert [found.id for found in first + second + third] == ids[::-1]
    assert end is None


def test_a_last_page_that_is_full_has_no_next(store: Store) -> None:
    for _ in range(4):
        last = store.open_event(event())
    store.update_event(last).result()
    assert store.events(limit=4)[1] is None


@pytest.mark.parametrize(
    ("stream", "label", "expected"),
    [(None, None, [3, 2, 1]), ("gate", None, [2]), (None, "true", [1]), (None, "none", [3, 2]), ("door", "false", [])],
)
def test_events_are_filtered_by_stream_and_label(
    store: Store, stream: str | None, label: str | None, expected: list[int]
) -> None:
    for name in ("door", "gate", "door"):
        store.open_event(event(name))
    store.label_event(1, "true")
    assert [found.id for found in store.events(stream, label=label)[0]] == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "cursor",
    [
        *("", "x", "ZXZlbnQ6", "ZXZlbnQ6MQ==", "am9iOjE", "ZXZlbnQ6wrI", "ö", "1", "9" * 999),
        *(cursors.encode("event", 2**63), cursors.encode("event", 10**20 - 1)),
    ],
)
def test_a_cursor_of_someone_elses_making_is_refused(store: Store, cursor: str) -> None:
    with pytest.raises(CursorError, match="expected the `next` of an earlier page of events"):
        store.events(cursor=cursor)


def test_events_left_open_by_an_earlier_run_are_closed_with_restart(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        opened = store.open_event(event(first_seq=5))
        done = replace(store.open_event(event("gate")), ended=T0 + 1, last_seq=10)
        store.update_event(done)
        smoothed = [0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 0.7, 0.8]
        store.commit_scores([score("door", seq, smoothed=value) for seq, value in enumerate(smoothed, 1)]).result()
    with Store.open(tmp_path) as store:
        assert store.event(opened.id) == replace(
            opened, ended=T0 + 0.8, last_seq=8, reason="restart", peak=0.8, peak_seq=6, peaked=T0 + 0.6, peak_frame=18
        )
        assert store.event(done.id) == done


def test_an_open_event_whose_scores_are_gone_is_closed_at_its_peak(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        opened = store.open_event(event())
    with Store.open(tmp_path) as store:
        assert store.event(opened.id) == replace(opened, ended=opened.peaked, last_seq=5, reason="restart")


def test_a_job_comes_back_as_it_was_and_keeps_its_place(store: Store) -> None:
    for id in ("one", "two"):
        store.jobs.put(job(id))
    done = replace(job("one"), state="done", started=T0, finished=T0 + 5, progress=1.0, frames=42, error="x")
    store.jobs.put(done)
    assert (store.jobs.one("one"), store.jobs.one("three")) == (done, None)
    assert [found.id for found in store.jobs.page()[0]] == ["two", "one"]


def test_pages_of_jobs_are_newest_first_and_filtered_by_state(store: Store) -> None:
    for number in range(6):
        store.jobs.put(job(f"j{number}", "running" if number % 2 else "done"))
    first, cursor = store.jobs.page(limit=2, states=["running", "queued"])
    second, end = store.jobs.page(cursor, limit=2, states=["running", "queued"])
    assert [found.id for found in first + second] == ["j5", "j3", "j1"]
    assert end is None


def rows(count: int, clip: str = "clip") -> list[Row]:
    return [Row(clip, n, n / 10, 0.5, 1 / 3, None, State.WARMING, "start" if n == 0 else "") for n in range(count)]


def test_a_jobs_table_comes_back_as_it_was(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.store.jobs._PAGE", 3)
    given = rows(4, "a") + rows(2, "b\udcff.mp4") + rows(3, "a")
    store.jobs.put(job("one"))
    store.jobs.put_rows("one", given[:5])
    store.jobs.put_rows("one", given[5:])
    assert list(store.jobs.rows("one")) == given


def test_a_job_that_is_not_there_takes_no_rows_and_has_none(store: Store) -> None:
    with pytest.raises(KeyError, match="nothing"):
        store.jobs.put_rows("nothing", rows(1))
    assert list(store.jobs.rows("nothing")) == []


def test_a_job_can_begin_anew(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.store.jobs._PAGE", 3)
    store.jobs.put(job("one"))
    store.jobs.put_rows("one", rows(10))
    store.jobs.clear_rows("one")
    store.jobs.put_rows("one", rows(2))
    assert list(store.jobs.rows("one")) == rows(2)


def test_a_deleted_job_is_gone_with_its_rows(store: Store, tmp_path: Path) -> None:
    for id in ("one", "two"):
        store.jobs.put(job(id))
        store.jobs.put_rows(id, rows(10))
    assert (store.jobs.delete("one"), store.jobs.delete("one")) == (True, False)
    assert list(store.jobs.rows("one")) == []
    while store.upkeep.sweep(4):
        pass
    with sqlite3.connect(tmp_path / "framewatch.sqlite3") as connection:
        assert connection.execute("SELECT count(*) FROM job_rows").fetchone() == (10,)
    connection.close()
    assert list(store.jobs.rows("two")) == rows(10)


KEY = KeyRecord("k1", "laptop", "ab" * 32, ("read", "ingest"), T0)


def test_a_key_comes_back_as_it_was(store: Store) -> None:
    store.keys.put(KEY)
    assert store.keys.all() == [KEY]


def test_the_command_line_changes_keys_beside_a_running_service(store: Store, tmp_path: Path) -> None:
    with KeyFile(tmp_path) as keys:
        keys.put(KEY)
        assert store.keys.all() == keys.all() == [KEY]
        assert (keys.revoke("k1", T0 + 1), keys.revoke("k1", T0 + 2)) == (True, False)
    assert store.keys.all() == [replace(KEY, revoked=T0 + 1)]


def test_keys_can_be_made_before_the_first_start(tmp_path: Path) -> None:
    with KeyFile(tmp_path / "new") as keys:
        keys.put(KEY)
    with Store.open(tmp_path / "new") as store:
        assert (store.keys.all(), store.epoch) == ([KEY], 1)


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


def test_a_reader_in_the_middle_of_a_long_table_does_not_hold_up_the_writer(store: Store) -> None:
    store.jobs.put(job("one"))
    store.jobs.put_rows("one", rows(50))
    reading = store.jobs.rows("one")
    next(reading)
    fill(store, "door", 1, 10)
    assert len(list(reading)) == 49


def test_20_000_scores_commit_within_seconds_and_are_compact(store: Store) -> None:
    began = time.process_time()  # of all threads: what it costs, however busy the machine is
    futures = [store.commit_scores([score(f"camera{number}", seq) for number in range(20)]) for seq in range(1, 1001)]
    assert all(future.result() for future in futures)
    assert time.process_time() - began < 5
    assert store.upkeep.score_bytes()[0] / 20_000 < 120
