"""Scores come back as they were given, in order, of this run and of those before."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest

from model.states import State
from service.records import Score
from service.store import Store
from tests.service.stored import T0, fill, score, seqs


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


def test_20_000_scores_commit_within_seconds_and_are_compact(store: Store) -> None:
    began = time.process_time()  # of all threads: what it costs, however busy the machine is
    futures = [store.commit_scores([score(f"camera{number}", seq) for number in range(20)]) for seq in range(1, 1001)]
    assert all(future.result() for future in futures)
    assert time.process_time() - began < 5
    assert store.upkeep.score_bytes()[0] / 20_000 < 120
