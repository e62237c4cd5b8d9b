"""An iterator that works ahead gives what it would give, stays near its reader, and ends with it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from model.ahead import ahead


def counted(made: list[int], ended: threading.Event, count: int = 100, fails_at: int | None = None) -> Iterator[int]:
    try:
        for number in range(count):
            if number == fails_at:
                raise OSError("the disk fails")
            made.append(number)
            yield number
    finally:
        ended.set()


def test_items_come_in_order() -> None:
    assert list(ahead(iter(range(100)), 3)) == list(range(100))


def test_a_failure_comes_after_the_items_before_it() -> None:
    got: list[int] = []
    with pytest.raises(OSError, match="the disk fails"):
        got.extend(ahead(counted([], threading.Event(), fails_at=7), 3))
    assert got == list(range(7))


def test_it_stays_near_its_reader_and_ends_with_it() -> None:
    made, ended = list[int](), threading.Event()
    items = ahead(counted(made, ended), 3)
    assert [next(items) for _ in range(10)] == list(range(10))
    items.close()
    assert ended.is_set(), "the iterator is closed"
    assert 10 <= len(made) <= 10 + 3 + 1


def test_nothing_begins_before_the_first_item_is_asked_for() -> None:
    made, ended = list[int](), threading.Event()
    ahead(counted(made, ended), 3).close()
    assert not made and not ended.is_set()
