"""Killed process, full disk, locked file: the store says so, and goes on as soon as it can."""

from __future__ import annotations

import logging
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.records import StreamRecord
from service.store import Store, StoreUnavailable, files
from tests.service.committing import STREAMS
from tests.service.store.disks import MAIN, SCORES, Disk, locked
from tests.service.stored import event, fill, score, seqs
from tests.waiting import wait_for

ROOT = Path(__file__).resolve().parents[3]


@contextmanager
def child(*arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "tests.service.committing", *map(str, arguments)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def test_after_sigkill_every_acknowledged_score_is_there(tmp_path: Path) -> None:
    source = random.Random(7)
    acknowledged: list[tuple[int, int]] = []
    for _ in range(4):
        with child("endless", tmp_path) as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            time.sleep(source.uniform(0, 0.3))
            os.kill(process.pid, signal.SIGKILL)
            lines = [first, *process.stdout.read().splitlines(keepends=True)]
        acknowledged += [
            (int(epoch), int(seq)) for epoch, seq in (line.split() for line in lines if line[-1:] == b"\n")
        ]
    with Store.open(tmp_path) as store:
        assert {epoch for epoch, _ in acknowledged} == {1, 2, 3, 4}
        assert store.epoch == 5
        for stream in STREAMS:
            stored = {(epoch, item.seq) for epoch, item in store.history(stream, limit=10**6)}
            assert stored >= set(acknowledged)


def test_a_full_disk_degrades_the_store_and_room_recovers_it(tmp_path: Path) -> None:
    with child("limited", tmp_path, 300_000) as process:
        assert process.stdout is not None
        full, recovered = process.stdout.read().decode().splitlines()
        assert process.wait() == 0
    assert full.startswith(f"True False cannot write to {tmp_path} (disk I/O error): is there room on the disk")
    assert recovered == "True 0"
    with Store.open(tmp_path) as store:
        assert [item.seq for _, item in store.history("a", limit=10**6)] == list(range(1, 10_002))


def test_a_start_on_a_full_disk_says_so(tmp_path: Path) -> None:
    program = (
        "import resource, sys; from pathlib import Path; from service.store import Store, StoreError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
        "try: Store.open(Path(sys.argv[1]))\n"
        "except StoreError as error: print(error)"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said == f"{tmp_path / MAIN}: disk I/O error: is its folder writable, and is there room on the disk?\n"


def test_while_the_disk_is_full_scores_and_events_wait_and_other_writes_fail(tmp_path: Path) -> None:
    disk = Disk()
    with Store.open(tmp_path, connect=disk.connect, retry_s=0.02) as store:
        fill(store, "door", 1, 3)
        disk.fill()
        assert store.commit_scores([score("door", 4)]).result() is False
        opened = store.open_event(event())
        assert store.commit_scores([score("door", 5)]).result() is False
        with pytest.raises(StoreUnavailable, match=r"full .* make room"):
            store.put_stream(StreamRecord("door", "", None))
        assert f"the disk of {tmp_path} is full" in store.degraded
        assert (seqs(store, "door"), store.event(opened.id), store.waiting) == ([1, 2, 3], None, 3)
        disk.error = None
        wait_for(lambda: not store.degraded)
        fill(store, "door", 6, 6)
        assert (seqs(store, "door"), store.event(opened.id), store.waiting) == ([1, 2, 3, 4, 5, 6], opened, 0)
        assert store.lost == 0


def test_a_file_that_may_grow_no_more_degrades_the_store(tmp_path: Path) -> None:
    most_pages = [60]

    def connect(folder: Path) -> sqlite3.Connection:
        connection = files.connect(folder)
        connection.execute(f"PRAGMA history.max_page_count={most_pages[0]}")
        return connection

    with Store.open(tmp_path, connect=connect, retry_s=0.02) as store:
        outcomes = [
            store.commit_scores([score("door", seq) for seq in range(first, first + 20)]).result()
            for first in range(1, 4001, 20)
        ]
        assert outcomes == sorted(outcomes, reverse=True) and set(outcomes) == {True, False}
        assert "full" in store.degraded
        most_pages[0] = 10_000
        wait_for(lambda: not store.degraded)
        assert seqs(store, "door") == list(range(1, 4001))


def test_retention_makes_room_in_a_file_that_may_grow_no_more(tmp_path: Path) -> None:
    def connect(folder: Path) -> sqlite3.Connection:
        connection = files.connect(folder)
        connection.execute("PRAGMA history.max_page_count=60")
        return connection

    with Store.open(tmp_path, connect=connect) as store:
        for first in range(1, 20_000, 500):
            fill(store, "door", first, first + 499)
            store.upkeep.delete_scores(score("door", first).scored, 2000)
        assert not store.degraded


def test_what_waits_is_bounded_and_what_is_lost_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.store.store.MOST_WAITING", 30)
    disk = Disk()
    with Store.open(tmp_path, connect=disk.connect, retry_s=0.02) as store:
        disk.fill()
        for seq in range(1, 101):
            assert store.commit_scores([score("door", seq)]).result() is False
        wait_for(lambda: (store.waiting, store.lost) == (30, 70))  # counted after the answer
        disk.error = None
        wait_for(lambda: not store.degraded)
        assert seqs(store, "door") == list(range(71, 101))


def test_going_down_while_the_disk_is_full_says_what_is_lost(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    disk = Disk()
    store = Store.open(tmp_path, connect=disk.connect)
    disk.fill()
    store.commit_scores([score("door", 1)]).result()
    with caplog.at_level(logging.ERROR):
        store.close()
    assert "1 scores and events are lost: the disk of" in caplog.text


def test_trouble_and_recovery_are_logged_once_each(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    disk = Disk()
    with caplog.at_level(logging.WARNING), Store.open(tmp_path, connect=disk.connect, retry_s=0.01) as store:
        disk.fill()
        store.commit_scores([score("door", 1)]).result()
        time.sleep(0.1)
        disk.error = None
        wait_for(lambda: not store.degraded)
    assert [record.message.split(":")[0] for record in caplog.records] == [
        "the store cannot write",
        "the store writes again; 0 rows were lost since the start",
    ]


def test_a_disk_that_does_not_answer_is_degraded_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.store.writer._STUCK_S", 0.05)
    disk = Disk()
    with Store.open(tmp_path, connect=disk.connect) as store:
        disk.answers.clear()
        future = store.commit_scores([score("door", 1)])
        wait_for(lambda: "has not answered" in store.degraded)
        disk.answers.set()
        assert future.result() and not store.degraded


def test_the_queue_is_bounded_while_the_disk_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.store.store.MOST_WAITING", 10)
    disk = Disk()
    with Store.open(tmp_path, connect=disk.connect) as store:
        disk.answers.clear()
        disk.asked.clear()
        futures = [store.commit_scores([score("door", 1)])]
        assert disk.asked.wait(120)  # nothing more is taken out of the queue from here on
        futures += [store.commit_scores([score("door", seq)]) for seq in range(2, 101)]
        assert futures[-1].result(timeout=120) is False
        disk.answers.set()
        durable = [future.result() for future in futures]
        assert len(seqs(store, "door")) == durable.count(True)
        assert store.lost == durable.count(False) > 0


def test_a_short_lock_by_another_process_is_waited_for(tmp_path: Path) -> None:
    with Store.open(tmp_path, busy_s=60) as store:
        with locked(tmp_path / SCORES):
            future = store.commit_scores([score("door", 1)])
            time.sleep(0.2)
            assert not future.done()
        assert future.result() and not store.degraded


@pytest.mark.parametrize("name", [MAIN, SCORES])
def test_a_long_lock_degrades_the_store_until_it_ends(tmp_path: Path, name: str) -> None:
    with Store.open(tmp_path, busy_s=0.1, retry_s=0.02) as store:
        with locked(tmp_path / name):
            assert store.commit_scores([score("door", 1)]).result() is False
            assert "another process locks the files" in store.degraded
        wait_for(lambda: not store.degraded)
        assert seqs(store, "door") == [1]


def test_reading_goes_on_while_another_process_writes(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        fill(store, "door", 1, 3)
        with locked(tmp_path / SCORES):
            assert seqs(store, "door") == [1, 2, 3]


def test_damage_that_shows_while_running_degrades_the_store(tmp_path: Path) -> None:
    disk = Disk()
    with Store.open(tmp_path, connect=disk.connect, retry_s=0.02) as store:
        disk.error = sqlite3.DatabaseError("database disk image is malformed")
        disk.error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        assert store.commit_scores([score("door", 1)]).result() is False
        assert "is damaged" in store.degraded and "the next start says which" in store.degraded
        disk.error = None
