from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from service.readers.backoff import Backoff


def longest(low: float, high: float) -> float:
    return high


def test_waits_double_up_to_the_cap_and_begin_anew_after_a_success() -> None:
    backoff = Backoff(1.0, 60.0, uniform=longest)
    assert [backoff.next() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    backoff.reset()
    assert [backoff.next() for _ in range(2)] == [1, 2]


@given(st.integers(0, 200))
def test_waits_are_jittered_within_the_upper_half(tries: int) -> None:
    backoff = Backoff(0.5, 30.0)
    for _ in range(tries):
        backoff.next()
    assert min(0.5 * 2**tries, 30) / 2 <= backoff.next() <= min(0.5 * 2**tries, 30)
