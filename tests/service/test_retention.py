"""Retention deletes the oldest scores first, in small chunks, and no more than it must."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from service import retention
from service.records import Score
from service.retention import JobLimits, Retention, disk_is_short
from service.store import Store, StoreUnavailable
from tests.service.stored import T0, fill, job, score, seqs
from tests.waiting import wait_for

DAY = 86_400.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path) as opened:
        yield opened


def keep(
    store: Store, *, max_bytes: int = 10**12, max_age_s: float | None = None, now: float = T0, short: bool = False
) -> int:
    return Retention(
        store.upkeep, max_bytes=max_bytes, max_age_s=max_age_s, short_of_space=lambda: short, clock=lambda: now
    ).run_once()


def scored(stream: str, seq: int, at: float) -> Score:
    return replace(score(stream, seq, at=at), scored=at)


def used(store: Store) -> int:
    return store.upkeep.score_bytes()[0]


def test_within_the_limits_nothing_is_deleted(store: Store) -> None:
    fill(store, "door", 1, 100)
    assert keep(store, max_age_s=DAY, now=T0 + 100) == 0
    assert len(seqs(store, "door")) == 100


def test_scores_older_than_the_limit_are_deleted(store: Store) -> None:
    store.commit_scores([scored("door", seq, T0 + seq) for seq in range(1, 101)]).result()
    assert keep(store, max_age_s=30, now=T0 + 100) == 69
    assert seqs(store, "door") == list(range(70, 101))


def test_the_newest_score_of_a_stream_stays_so_that_its_numbers_go_on(store: Store) -> None:
    fill(store, "door", 1, 50)
    keep(store, max_age_s=DAY, now=T0 + 100 * DAY)
    assert (seqs(store, "door"), store.last_seq("door")) == ([50], 50)


def test_scores_of_earlier_runs_are_deleted_whole(tmp_path: Path) -> None:
    for run in (1, 2):
        with Store.open(tmp_path) as store:
            store.commit_scores([scored("door", seq, T0 + run * DAY) for seq in range(1, 20)]).result()
    with Store.open(tmp_path) as store:
        assert keep(store, max_age_s=DAY / 2, now=T0 + 2 * DAY) == 19
        assert {epoch for epoch, _ in store.history("door")} == {2}


def test_above_the_size_the_oldest_scores_of_all_streams_are_deleted(store: Store) -> None:
    for stream, step in (("fast", 1), ("slow", 10)):
        count = 6000 // step
        store.commit_scores([scored(stream, seq, T0 + seq * step) for seq in range(1, count + 1)]).result()
    limit = used(store) // 2
    assert keep(store, max_bytes=limit, now=T0 + 6000) > 2000
    assert 0.85 * limit < used(store) <= limit
    fast, slow = seqs(store, "fast"), seqs(store, "slow")
    assert (fast[-1], slow[-1]) == (6000, 600)
    assert fast == list(range(fast[0], 6001)) and slow == list(range(slow[0], 601))
    assert abs(fast[0] - 10 * slow[0]) <= 70  # seconds: a round's stretch


def test_deleting_leaves_some_room_so_that_it_does_not_start_again_at_once(store: Store) -> None:
    fill(store, "door", 1, 5000)
    limit = used(store) - 4096
    assert keep(store, max_bytes=limit, now=T0 + 500) > 0
    assert keep(store, max_bytes=limit, now=T0 + 500) == 0


def test_a_limit_that_cannot_be_met_ends(store: Store) -> None:
    fill(store, "door", 1, 500)
    keep(store, max_bytes=1, now=T0 + 50)
    assert seqs(store, "door") == [500]


def test_scores_from_a_time_when_the_clock_was_wrong_are_deleted_in_the_end(store: Store) -> None:
    store.commit_scores([scored("door", seq, T0 + 1000 * DAY) for seq in range(1, 1000)]).result()
    store.commit_scores([scored("gate", seq, T0 + seq) for seq in range(1, 1000)]).result()
    keep(store, max_bytes=1, now=T0 + 1000)
    assert (len(seqs(store, "door")), len(seqs(store, "gate"))) == (1, 1)


def test_the_file_shrinks_to_a_limit_that_was_lowered(store: Store, tmp_path: Path) -> None:
    fill(store, "door", 1, 30_000)
    file = tmp_path / "scores.sqlite3"
    keep(store, max_bytes=500_000, now=T0 + 3000)
    store.close()
    assert file.stat().st_size < 600_000


def test_while_the_disk_is_short_old_scores_make_room_inside_the_file(store: Store, tmp_path: Path) -> None:
    fill(store, "door", 1, 20_000)
    before = sum(store.upkeep.score_bytes())
    for first in range(20_001, 30_000, 1000):
        assert keep(store, short=True, now=T0 + first / 10) >= 0
        fill(store, "door", first, first + 999)
    assert sum(store.upkeep.score_bytes()) <= before
    assert used(store) > 0.7 * before


def test_a_short_disk_does_not_cost_a_small_history(store: Store) -> None:
    fill(store, "door", 1, 5000)
    for _ in range(20):
        keep(store, short=True, now=T0 + 500)
    assert len(seqs(store, "door")) > 4000


def test_what_purged_streams_and_deleted_jobs_left_is_removed(store: Store) -> None:
    fill(store, "door", 1, 5000)
    store.jobs.put(job("one"))
    before = used(store)
    store.delete_stream("door", purge=True)
    store.jobs.delete("one")
    assert keep(store) == 0
    assert used(store) < before / 10
    assert store.upkeep.sweep(1) == 0


@pytest.mark.parametrize(
    ("limits", "kept"),
    [
        pytest.param(JobLimits(), ["1", "2", "3", "4", "open"], id="all"),
        pytest.param(JobLimits(count=2), ["3", "4", "open"], id="by number"),
        pytest.param(JobLimits(bytes=250 * 80), ["3", "4", "open"], id="by size"),
        pytest.param(JobLimits(age_s=25.0), ["3", "4", "open"], id="by age"),
        pytest.param(JobLimits(count=0), ["open"], id="none"),
    ],
)
def test_ended_jobs_go_oldest_first(store: Store, limits: JobLimits, kept: list[str]) -> None:
    for n in range(1, 5):
        store.jobs.put(replace(job(str(n)), state="done", finished=T0 + 10 * n, frames=100))
    store.jobs.put(job("open"))
    Retention(store.upkeep, max_bytes=10**12, jobs=limits, clock=lambda: T0 + 50).run_once()
    assert sorted(one.id for one in store.jobs.page()[0]) == kept


class Slow:
    """An upkeep with much to delete; notes the sizes of the chunks."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.limits: list[int] = []

    def score_bytes(self) -> tuple[int, int]:
        return self.store.upkeep.score_bytes()

    def oldest_score(self) -> float | None:
        return self.store.upkeep.oldest_score()

    def sweep(self, limit: int) -> int:
        return self.store.upkeep.sweep(limit)

    def prune_jobs(self, *, before: float, most: int, most_frames: int, limit: int) -> int:
        return self.store.upkeep.prune_jobs(before=before, most=most, most_frames=most_frames, limit=limit)

    def shrink(self, pages: int) -> int:
        return self.store.upkeep.shrink(pages)

    def delete_scores(self, before: float, limit: int) -> int:
        self.limits.append(limit)
        return self.store.upkeep.delete_scores(before, limit)


def test_scores_are_committed_between_the_chunks(store: Store) -> None:
    fill(store, "door", 1, 30_000)
    slow = Slow(store)
    worker = threading.Thread(target=Retention(slow, max_bytes=10**12, max_age_s=1, clock=lambda: T0 + DAY).run_once)
    worker.start()
    meanwhile = 0
    while worker.is_alive():
        meanwhile += 1
        assert store.commit_scores([score("gate", meanwhile, at=T0 + 2 * DAY)]).result()
    assert meanwhile > 5
    assert len(slow.limits) >= 15 and max(slow.limits) <= retention.CHUNK
    assert seqs(store, "gate") == list(range(1, meanwhile + 1))


def test_the_thread_looks_at_once_and_ends_when_told(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    fill(store, "door", 1, 100)
    keeper = Retention(store.upkeep, max_bytes=10**12, max_age_s=1, every_s=3600, clock=lambda: T0 + DAY)
    with caplog.at_level(logging.INFO):
        keeper.start()
        wait_for(lambda: "retention deleted 99 scores" in caplog.text, lambda: caplog.text)
    keeper.close()
    assert not any(thread.name == "retention" for thread in threading.enumerate())


class Broken(Slow):
    """An upkeep that fails at first."""

    def __init__(self, store: Store, error: Exception) -> None:
        super().__init__(store)
        self.error: Exception | None = error

    def sweep(self, limit: int) -> int:
        error, self.error = self.error, None
        if error is not None:
            raise error
        return super().sweep(limit)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (StoreUnavailable("the disk is full"), "retention waits: the disk is full"),
        (OSError(5, "I/O"), "it tries again"),
    ],
)
def test_trouble_does_not_end_the_thread(
    store: Store, caplog: pytest.LogCaptureFixture, error: Exception, said: str
) -> None:
    fill(store, "door", 1, 100)
    broken = Broken(store, error)
    keeper = Retention(broken, max_bytes=10**12, max_age_s=1, every_s=0.01, clock=lambda: T0 + DAY)
    with caplog.at_level(logging.INFO):
        keeper.start()
        wait_for(lambda: "retention deleted 99 scores" in caplog.text, lambda: caplog.text)
    keeper.close()
    assert said in caplog.text


@pytest.mark.parametrize(("least", "short"), [(0, False), (10**18, True)])
def test_a_disk_is_short_below_its_free_space(tmp_path: Path, least: int, short: bool) -> None:
    assert disk_is_short(tmp_path, least)() is short
