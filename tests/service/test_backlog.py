"""What waits in all queues together is bounded, and no stream is silenced by the others."""

from __future__ import annotations

import pytest

from service.backlog import Backlog
from service.queues import FrameQueue
from service.records import IncomingFrame, Policy


def frame(number: int, size: int) -> IncomingFrame:
    return IncomingFrame(number, number / 10, 0.0, bytes(size))


@pytest.mark.parametrize(
    ("policy", "taken", "waiting"),
    [
        pytest.param("latest", [True] * 4, [3], id="latest drops its own oldest"),
        pytest.param("every", [True, False, False, False], [0], id="every refuses"),
    ],
)
def test_a_queue_gives_way_when_too_much_waits(policy: Policy, taken: list[bool], waiting: list[int]) -> None:
    backlog = Backlog(100)
    other = FrameQueue("every", backlog=backlog)
    assert other.put(frame(0, 90), 0.0)
    queue = FrameQueue(policy, backlog=backlog)
    assert [queue.put(frame(number, 20), 0.0) for number in range(4)] == taken
    assert backlog.waiting == 110
    found = []
    while (one := queue.take()) is not None:
        found.append(one[0].number)
    assert found == waiting
    assert backlog.waiting == 90
    other.close()
    assert backlog.waiting == 0


def test_credit_ends_when_too_much_waits() -> None:
    backlog = Backlog(100)
    queue = FrameQueue("every", backlog=backlog)
    assert queue.credit > 1
    queue.put(frame(0, 100), 0.0)
    assert queue.credit == 0
    queue.take()
    assert queue.credit > 1
