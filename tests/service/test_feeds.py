"""A feed keeps so many messages, for so long."""

from __future__ import annotations

import math

import pytest

from service.feeds import Feed
from service.messages import Message


@pytest.mark.parametrize(
    ("places", "seconds", "kept"),
    [
        (10, math.inf, [1, 2, 3, 4]),
        (2, math.inf, [3, 4]),
        (10, 25.0, [2, 3, 4]),
        (10, 0.0, [4]),
        (0, math.inf, []),
    ],
)
def test_what_is_kept(places: int, seconds: float, kept: list[int]) -> None:
    feed = Feed("gate", places, seconds=seconds)
    for seq in range(1, 5):
        feed.add(Message("gate", b"{}", seq, kept=True), 10.0 * seq)
    assert [entry.position for entry in feed.after(0)] == kept
    assert feed.newest == 4
    assert feed.covers(4 - len(kept))
    assert not feed.covers(3 - len(kept))
