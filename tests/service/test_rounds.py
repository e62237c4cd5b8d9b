"""A thread that goes its rounds is woken at once, sees what came meanwhile, and goes once more at the end."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator

import pytest

from service.rounds import Rounds

LONG = 300.0


class Work:
    """Takes what lies there; each round takes one breath, in which more may come."""

    def __init__(self) -> None:
        self.waiting: deque[int] = deque()
        self.taken: list[int] = []
        self.rounds = threading.Semaphore(0)
        self.wait = LONG

    def __call__(self) -> float:
        while self.waiting:
            self.taken.append(self.waiting.popleft())
        self.rounds.release()
        return self.wait

    def after(self, rounds: int) -> list[int]:
        for _ in range(rounds):
            assert self.rounds.acquire(timeout=60)
        return self.taken


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def going(work: Work) -> Iterator[Rounds]:
    rounds = Rounds("test", work)
    yield rounds
    rounds.stop()


def test_the_first_round_begins_at_once(work: Work, going: Rounds) -> None:
    work.waiting.append(1)
    going.start()
    assert work.after(1) == [1]


def test_a_round_follows_whatever_wakes_it(work: Work, going: Rounds) -> None:
    going.start()
    work.after(1)
    for n in range(3):
        work.waiting.append(n)
        going.wake()
        assert work.after(1) == list(range(n + 1))


def test_it_goes_by_itself_after_the_wait_that_a_round_gives(work: Work, going: Rounds) -> None:
    work.wait = 0.01
    going.start()
    work.after(3)


def test_what_came_last_gets_a_last_round(work: Work, going: Rounds) -> None:
    going.start()
    work.after(1)
    work.waiting.append(1)
    going.stop()
    assert work.taken == [1]
    assert not [thread for thread in threading.enumerate() if thread.name == "test"]


def test_one_that_never_began_can_be_stopped(work: Work) -> None:
    Rounds("test", work).stop()
    assert not work.rounds.acquire(blocking=False)
