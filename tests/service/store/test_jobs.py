"""Jobs and their tables come back as they were, page by page."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from model.states import State
from model.tables import Row
from service.store import Store
from tests.service.stored import T0, fill, job


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


def test_a_reader_in_the_middle_of_a_long_table_does_not_hold_up_the_writer(store: Store) -> None:
    store.jobs.put(job("one"))
    store.jobs.put_rows("one", rows(50))
    reading = store.jobs.rows("one")
    next(reading)
    fill(store, "door", 1, 10)
    assert len(list(reading)) == 49
