"""Pictures get the times at which they were taken, files are played at their speed, and no more than the rate."""

from __future__ import annotations

import random

import pytest

from service.readers.timing import Pacer, RateCap, SourceClock


class Now:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.wall = 1_700_000_000.0

    def stamps(self, clock: SourceClock, pictures: list[tuple[float, float | None]]) -> list[float]:
        """The stamps of pictures that come at (seconds, by the camera's clock), from the begin of the clock on."""
        found = []
        for at, own in pictures:
            self.seconds = 100.0 + at
            found.append(clock.stamp(own) - 1_700_000_000.0)
        return found


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def clock(now: Now) -> SourceClock:
    return SourceClock(monotonic=lambda: now.seconds, wall=lambda: now.wall)


@pytest.mark.parametrize(
    ("pictures", "expected"),
    [
        pytest.param([(0, None), (0.3, None), (0.31, None)], [0, 0.3, 0.31], id="without a clock, arrival counts"),
        pytest.param([(0, 5), (0.3, 5.1), (0.31, 5.2)], [0, 0.1, 0.2], id="a clock smooths uneven arrival"),
        pytest.param([(0, 5), (1, 5), (2, 5)], [0, 1, 2], id="a clock that stands still is none"),
        pytest.param([(0, 5), (0.1, 9000), (0.2, 9000.1)], [0, 0.1, 0.2], id="a jump of the clock is none of time"),
        pytest.param([(0, 5), (0.1, -9000), (0.2, -8999.9)], [0, 0.1, 0.2], id="nor is a jump back"),
        pytest.param([(0, 5), (60, 5.1), (60.1, 5.2)], [0, 60, 60.1], id="a pause that the clock slept through"),
        pytest.param([(0, 5), (0.1, 4.9)], [0, -0.1], id="a picture out of order"),
    ],
)
def test_stamps(
    now: Now, clock: SourceClock, pictures: list[tuple[float, float | None]], expected: list[float]
) -> None:
    assert now.stamps(clock, pictures) == pytest.approx(expected, abs=1e-5)


def test_a_step_of_the_machines_clock_is_no_hole(now: Now, clock: SourceClock) -> None:
    clock.stamp(None)
    now.wall += 3600
    assert now.stamps(clock, [(0.1, None)]) == pytest.approx([0.1], abs=1e-5)


def test_a_clock_that_drifts_is_followed(now: Now, clock: SourceClock) -> None:
    pictures: list[tuple[float, float | None]] = [(n * 0.1, n * 0.101) for n in range(5000)]
    assert all(abs(stamp - at) <= 2.1 for stamp, (at, _) in zip(now.stamps(clock, pictures), pictures, strict=True))


def test_files_are_played_at_their_own_speed() -> None:
    pacer = Pacer()
    assert [pacer.wait(pts, now) for pts, now in [(0, 50), (0.1, 50.02), (0.2, 50.3)]] == pytest.approx([0, 0.08, 0])
    assert pacer.wait(0, 60) == 0
    assert pacer.wait(0.1, 60) == pytest.approx(0.1)


@pytest.mark.parametrize(("rate", "source"), [(5, 25), (10, 25), (10, 30), (24, 25), (1, 30)])
def test_rate_is_kept_in_the_mean(rate: float, source: float) -> None:
    cap = RateCap(rate)
    taken = sum(cap.take(n / source) for n in range(round(20 * source)))
    assert taken == pytest.approx(20 * rate, abs=1)


def test_jitter_does_not_cost_frames_within_the_rate() -> None:
    cap, source = RateCap(10), random.Random(0)
    assert sum(cap.take(n / 10 + source.uniform(-0.01, 0.01)) for n in range(500)) >= 490


@pytest.mark.parametrize(
    ("rate", "stamps", "expected"),
    [
        (None, [0, 0, 0.001, -5, 9], [True] * 5),
        (10, [0, 0.01, 0.1], [True, False, True]),
        (10, [0, 60, 60.01, 60.1], [True, True, False, True]),
        (10, [60, 0, 0.01, 0.1], [True, True, False, True]),
    ],
    ids=["no rate", "too many", "a hole", "a jump back"],
)
def test_rate(rate: float | None, stamps: list[float], expected: list[bool]) -> None:
    cap = RateCap(rate)
    assert [cap.take(stamp) for stamp in stamps] == expected
