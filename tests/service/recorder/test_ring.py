"""The ring holds the last seconds of a stream, within its bytes, and what a recording has yet to take."""

from __future__ import annotations

from itertools import count, pairwise

import pytest

from service.recorder.ring import PER_STREAM, Ring, Rings
from tests.service.recorder.drawn import T0


def ring(seconds: float = 2.0, limit: int = 10_000) -> Ring:
    """A ring to which every picture comes ten seconds after the one before."""
    clock = count(0.0, 10.0)
    return Ring(seconds, limit, monotonic=lambda: next(clock))


def times(one: Ring, after: int = 0) -> list[float]:
    return [round(still.captured - T0, 3) for still in one.take(after)[1]]


def test_a_ring_holds_the_last_seconds() -> None:
    one = ring()
    for number in range(100):
        one.add(T0 + number / 10, b"x")
    assert times(one) == [n / 10 for n in range(79, 100)]
    assert one.size == len(one) == 21


@pytest.mark.parametrize(("rate", "least", "most"), [(5, 5, 5), (10, 10, 10), (25, 9, 11), (60, 9, 11)])
def test_a_fast_stream_is_thinned_to_ten_a_second(rate: int, least: int, most: int) -> None:
    one = ring(seconds=10.0)
    for number in range(6 * rate):
        one.add(T0 + number / rate, b"x")
    kept = times(one)
    assert least <= len([at for at in kept if 3 <= at < 4]) <= most
    assert all(b > a for a, b in pairwise(kept))


def test_over_its_bytes_the_oldest_go_and_it_says_so() -> None:
    one = ring(limit=300)
    for number in range(5):
        one.add(T0 + number / 10, bytes(100))
    assert times(one) == [0.2, 0.3, 0.4]
    assert one.crowded == pytest.approx(T0 + 0.1)


def test_what_is_held_stays_beyond_its_seconds_but_not_beyond_the_bytes() -> None:
    one = ring(limit=4000)
    one.add(T0, bytes(100))
    one.hold(0)
    for number in range(1, 60):
        one.add(T0 + number / 2, bytes(100))
    assert times(one)[0] == 10.0
    one.hold(None)
    one.add(T0 + 60 / 2, bytes(100))
    assert times(one)[0] == 28.0


def test_what_has_just_come_stays_although_its_capture_is_long_ago() -> None:
    one = Ring(2.0, monotonic=lambda: 0.0)
    for number in range(100):
        one.add(T0 + number / 10, b"x")
    assert len(one) == 100


def test_a_clock_that_jumps_back_leaves_nothing_of_the_future() -> None:
    one = ring()
    for at in (100.0, 100.1, 5.0, 5.1):
        one.add(T0 + at, b"x")
    assert times(one) == [5.0, 5.1]


@pytest.mark.parametrize(("at", "found"), [(0.0, b"0"), (0.14, b"1"), (0.16, b"2"), (0.7, None), (-1.0, None)])
def test_the_picture_of_a_moment_is_the_nearest_one(at: float, found: bytes | None) -> None:
    one = ring()
    for number in range(5):
        one.add(T0 + number / 10, b"%d" % number)
    assert one.near(T0 + at, 0.2) == found


def test_pictures_are_taken_by_number() -> None:
    one = ring(seconds=100)
    for number in range(5):
        one.add(T0 + number, b"x")
    following, _ = one.take(0)
    assert (following, times(one, 3), one.take(following)) == (5, [3.0, 4.0], (5, []))


def test_a_recording_is_woken_only_while_it_holds() -> None:
    one, woken = ring(), list[int]()
    one.on_add = lambda: woken.append(1)
    one.add(T0, b"x")
    one.hold(0)
    one.add(T0 + 1, b"x")
    assert woken == [1]


def test_all_rings_together_keep_to_one_bound() -> None:
    rings = Rings(10.0, 1000)
    one = rings.open("a")
    assert (one.limit, Rings(10.0, 10**12).open("a").limit) == (1000, PER_STREAM)
    two = rings.open("b")
    assert (one.limit, two.limit) == (500, 500)
    rings.close("a")
    assert two.limit == 1000
    two.add(T0, bytes(10))
    assert rings.size == 10
