"""A queue is bounded by its policy: the newest few frames, or all of them with the source held back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.queues import FrameQueue, QueueLimits
from service.records import IncomingFrame, Policy

LIMITS = QueueLimits(latest=2, every=3, bytes=100)


def frame(number: int, size: int = 10) -> IncomingFrame:
    return IncomingFrame(number, number / 10, 0.0, bytes(size))


def numbers(queue: FrameQueue) -> list[int]:
    found = []
    while (waited := queue.take()) is not None:
        found.append(waited[0].number)
    return found


@pytest.mark.parametrize(
    ("policy", "sizes", "taken", "left", "overtaken"),
    [
        pytest.param("latest", [10, 10], [True] * 2, [0, 1], 0, id="latest with room"),
        pytest.param("latest", [10] * 5, [True] * 5, [3, 4], 3, id="latest drops the oldest"),
        pytest.param("latest", [60, 60], [True] * 2, [1], 1, id="latest drops by size"),
        pytest.param("latest", [10, 500], [True] * 2, [1], 1, id="latest takes a huge frame alone"),
        pytest.param("every", [10] * 5, [True] * 3 + [False] * 2, [0, 1, 2], 0, id="every refuses"),
        pytest.param("every", [60, 60, 10], [True, False, True], [0, 2], 0, id="every refuses by size"),
        pytest.param("every", [500, 1], [True, False], [0], 0, id="every takes a huge frame alone"),
    ],
)
def test_put(policy: Policy, sizes: list[int], taken: list[bool], left: list[int], overtaken: int) -> None:
    queue = FrameQueue(policy, LIMITS)
    assert [queue.put(frame(n, size), 0.0) for n, size in enumerate(sizes)] == taken
    assert (queue.offered, queue.overtaken) == (sum(taken), overtaken)
    assert numbers(queue) == left


def test_take_tells_when_the_frame_came() -> None:
    queue = FrameQueue("every", LIMITS)
    queue.put(frame(7), 12.5)
    waited = queue.take()
    assert waited is not None
    assert (waited[0].number, waited[1]) == (7, 12.5)


def test_credit_counts_down_to_none() -> None:
    queue = FrameQueue("every", LIMITS)
    assert [queue.credit, queue.put(frame(0), 0.0), queue.credit] == [3, True, 2]
    queue.put(frame(1, 95), 0.0)
    queue.take()
    queue.put(frame(2, 50), 0.0)
    assert queue.credit == 2
    queue.put(frame(3, 50), 0.0)
    assert queue.credit == 0


def test_latest_is_never_held_back() -> None:
    queue = FrameQueue("latest", LIMITS)
    for n in range(9):
        queue.put(frame(n), 0.0)
    assert queue.credit == LIMITS.latest


def test_policy_can_change_while_frames_wait() -> None:
    queue = FrameQueue("every", LIMITS)
    for n in range(3):
        queue.put(frame(n), 0.0)
    queue.policy = "latest"
    assert (len(queue), queue.overtaken) == (2, 1)
    queue.policy = "every"
    assert queue.put(frame(3), 0.0)
    assert not queue.put(frame(4), 0.0)
    assert numbers(queue) == [1, 2, 3]


def test_closed_queue_is_empty_and_takes_nothing() -> None:
    queue = FrameQueue("latest", LIMITS)
    queue.put(frame(0), 0.0)
    queue.close()
    assert not queue.put(frame(1), 0.0)
    assert (len(queue), queue.take(), queue.credit) == (0, None, 0)


def test_decoded_pictures_count_by_their_bytes() -> None:
    picture = IncomingFrame(0, 0.0, 0.0, np.zeros((9, 10), np.uint8))
    assert picture.size == 90
    queue = FrameQueue("every", LIMITS)
    queue.put(picture, 0.0)
    assert not queue.put(frame(1, 11), 0.0)


@given(st.lists(st.integers(0, 40) | st.none(), max_size=60), st.sampled_from(["latest", "every"]))
def test_bounds_hold_and_nothing_is_lost_without_a_count(steps: list[int | None], policy: Policy) -> None:
    queue = FrameQueue(policy, LIMITS)
    taken = 0
    for number, size in enumerate(steps):
        if size is None:
            taken += queue.take() is not None
        else:
            queue.put(frame(number, size), 0.0)
        assert len(queue) <= (LIMITS.latest if policy == "latest" else LIMITS.every)
    assert queue.offered == taken + queue.overtaken + len(queue)
