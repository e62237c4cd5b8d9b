"""Events come back as they were, page by page, with their labels; a restart closes those that are open."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from service.store import CursorError, Store, cursors
from tests.service.stored import T0, event, score


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
