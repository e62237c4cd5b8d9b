"""The sampler takes frames one interval apart, never looks ahead, and says why a window begins anew."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.sampler import Decision, Reason, Sampler

ORIGINS = [0.0, 12345.678, 1.7e9]  # the last one: seconds since 1970, where a stamp is exact to 0.24 µs


def run(stamps: Sequence[float], interval: float = 0.1) -> list[Decision]:
    sampler = Sampler(interval)
    return [sampler.offer(pts) for pts in stamps]


def taken(stamps: Sequence[float], interval: float = 0.1) -> list[float]:
    return [pts for pts, decision in zip(stamps, run(stamps, interval), strict=True) if decision.take]


def reasons(stamps: Sequence[float], interval: float = 0.1) -> list[Reason]:
    return [decision.reason for decision in run(stamps, interval)]


def test_first_frame_begins_a_window() -> None:
    assert Sampler(0.1).offer(7.0) == Decision(take=True, restart=True, reason=Reason.START)


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("fps", [5.0, 10.0, 12.5, 24.0, 25.0, 30000 / 1001, 30.0])
def test_own_rate_is_taken_frame_by_frame(fps: float, origin: float) -> None:
    assert set(reasons([origin + n / fps for n in range(500)], 1 / fps)[1:]) == {Reason.OK}


@pytest.mark.parametrize("factor", [0.8, 0.95, 1.05, 1.2, 1.25])
def test_slightly_off_rate_is_taken_frame_by_frame(factor: float) -> None:
    assert set(reasons([n / (10 * factor) for n in range(2000)])[1:]) == {Reason.OK}


@given(seed=st.integers(0, 10**6), interval=st.sampled_from([0.02, 0.1, 1.0]))
@settings(max_examples=25)
def test_jitter_of_a_fifth_takes_every_frame(seed: int, interval: float) -> None:
    source = random.Random(seed)
    stamps = [0.0]
    for _ in range(200):
        stamps.append(stamps[-1] + interval * source.uniform(0.8, 1.2))
    assert taken(stamps, interval) == stamps


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize(
    ("source", "model"),
    [(20, 10), (25, 10), (30, 10), (40, 10), (15, 10), (30, 25), (50, 30), (60, 25), (13, 10), (29.97, 12.5)],
)
def test_faster_source_is_thinned_to_the_models_rate(source: float, model: float, origin: float) -> None:
    times = taken([origin + n / source for n in range(3000)], 1 / model)
    assert 0.8 <= (len(times) - 1) / (times[-1] - times[0]) / model <= 1.25
    assert all(0.5 - 1e-5 <= (after - before) * model <= 2 + 1e-5 for before, after in pairwise(times))


@pytest.mark.parametrize("source", [20, 30, 40, 50, 120])
def test_multiple_of_the_rate_is_thinned_to_one_step(source: int) -> None:
    steps = [after - before for before, after in pairwise(taken([n / source for n in range(1000)]))]
    assert steps == pytest.approx([0.1] * len(steps))


@pytest.mark.parametrize(("source", "steps"), [(15, (2 / 30, 4 / 30)), (25, (0.08, 0.12))])
def test_other_sources_alternate_and_are_right_in_the_mean(source: int, steps: tuple[float, float]) -> None:
    times = taken([n / source for n in range(1000)])
    found = [after - before for before, after in pairwise(times)]
    assert all(step == pytest.approx(steps[0]) or step == pytest.approx(steps[1]) for step in found)
    assert sum(found) / len(found) == pytest.approx(0.1, rel=0.01)


@given(factor=st.floats(0.8, 1.25) | st.floats(1.28, 12.0))
def test_mean_rate_of_any_steady_source(factor: float) -> None:
    times = taken([n / (10 * factor) for n in range(int(300 * factor))])
    rate = (len(times) - 1) / (times[-1] - times[0]) / 10
    assert rate == (pytest.approx(factor) if factor < 1.26 else pytest.approx(1, rel=0.15))


@pytest.mark.parametrize(("fps", "thinned"), [(10, 0), (20, 0.5), (25, 0.6), (30, 2 / 3)])
def test_jitter_of_arrival_times_neither_skips_nor_restarts(fps: int, thinned: float) -> None:
    source = random.Random(0)
    stamps = [(n + source.uniform(-0.2, 0.2)) / fps for n in range(5000)]
    decisions = run(stamps)
    assert sum(decision.restart for decision in decisions) == 1
    assert sum(not decision.take for decision in decisions) / len(stamps) == pytest.approx(thinned, abs=0.01)


@pytest.mark.parametrize(
    ("stamps", "expected"),
    [
        pytest.param([0, 0.1, 0.3, 0.4], ["start", "", "", ""], id="a hole of exactly two intervals"),
        pytest.param([0, 0.1, 0.31, 0.41], ["start", "", "gap", ""], id="a hole over two intervals"),
        pytest.param([0, 0.1, 3600, 3600.1], ["start", "", "gap", ""], id="a long hole"),
        pytest.param([0, 0.1, 0.0, 0.1], ["start", "", "backwards", ""], id="a jump back"),
        pytest.param([5, -5, -4.9], ["start", "backwards", ""], id="negative stamps"),
        pytest.param([0, 0, 0.1, 0.1], ["start", "thinned", "", "thinned"], id="equal stamps"),
        pytest.param([0, 0.05, 0.03, 0.1], ["start", "thinned", "thinned", ""], id="late among the thinned"),
        pytest.param([0, 0.74, 0.09, 0.1], ["start", "gap", "backwards", "thinned"], id="a glitch ahead and back"),
        pytest.param([0, 0.05, 0.24], ["start", "thinned", "gap"], id="a hole after a thinned frame"),
        pytest.param([0, 0.0999999999, 0.2], ["start", "", ""], id="rounded stamps"),
    ],
)
def test_reasons(stamps: list[float], expected: list[str]) -> None:
    decisions = run(stamps)
    assert [decision.reason.value for decision in decisions] == expected
    for decision in decisions:
        assert decision.take == (decision.reason is not Reason.THINNED)
        assert decision.restart == (decision.reason not in (Reason.OK, Reason.THINNED))


@pytest.mark.parametrize("origin", ORIGINS)
def test_step_of_two_intervals_is_within_rounding_at_any_origin(origin: float) -> None:
    assert set(reasons([origin + n / 12.5 for n in range(500)], 1 / 25)[1:]) == {Reason.OK}


def test_change_of_picture_size_begins_a_window_even_between_samples() -> None:
    sampler = Sampler(0.1)
    offers = [
        (0.0, (240, 360)),
        (0.1, (240, 360)),
        (0.12, (480, 720)),
        (0.22, (480, 720)),
        (0.32, None),
        (0.42, (1, 1)),
    ]
    assert [sampler.offer(pts, size).reason.value for pts, size in offers] == [
        "start",
        "",
        "size change",
        "",
        "",
        "size change",
    ]


def test_too_slow_source_says_so_with_both_rates() -> None:
    sampler = Sampler(0.1)
    decisions = [sampler.offer(n / 2) for n in range(6)]
    assert [decision.reason for decision in decisions] == [
        Reason.START,
        Reason.GAP,
        Reason.GAP,
        Reason.TOO_SLOW,
        Reason.TOO_SLOW,
        Reason.TOO_SLOW,
    ]
    assert all(decision.take and decision.restart for decision in decisions)
    assert decisions[-1].too_slow and not decisions[1].too_slow
    assert sampler.too_slow
    assert sampler.explain() == (
        "source slower than half the model's frame rate: its frames come at 2 a second, the model was trained at 10 "
        "and needs at least 5"
    )


def test_irregular_source_is_not_said_to_come_at_a_rate_that_would_do() -> None:
    sampler = Sampler(0.1)
    pts, told = 0.0, []
    for step in [0.03, 0.05, 0.26, 0.05, 0.23] * 8:
        pts += step
        decision = sampler.offer(pts)
        if decision.too_slow:
            told.append(sampler.explain())
    assert told
    assert set(told) == {
        "irregular source: most of its frames come at 20 a second, but steps of over 0.2 seconds come again and again, "
        "and no window fills; give it a constant frame rate (a video: ffmpeg -i in.mp4 -r 10 out.mp4)"
    }


def test_too_slow_source_that_speeds_up_is_scored_again() -> None:
    sampler = Sampler(0.1)
    for n in range(10):
        sampler.offer(n / 2)
    assert [sampler.offer(4.5 + n / 10).reason.value for n in range(1, 6)] == [""] * 5
    assert not sampler.too_slow and sampler.explain() == ""
    assert sampler.offer(6.0).reason is Reason.GAP


def test_source_that_flickers_around_half_the_rate_is_too_slow() -> None:
    stamps = [0.0]
    for n in range(20):
        stamps.append(stamps[-1] + (0.22 if n % 2 else 0.19))
    assert reasons(stamps)[-2:].count(Reason.TOO_SLOW) == 1


def test_rare_holes_do_not_make_a_source_slow() -> None:
    stamps = [n / 10 + n // 10 for n in range(200)]
    assert reasons(stamps).count(Reason.GAP) == 19
    assert Reason.TOO_SLOW not in reasons(stamps)


@pytest.mark.parametrize("pts", [math.nan, math.inf, -math.inf])
def test_stamp_that_is_no_number_is_refused_and_changes_nothing(pts: float) -> None:
    sampler = Sampler(0.1)
    sampler.offer(1.0)
    with pytest.raises(ValueError, match="time stamp"):
        sampler.offer(pts)
    assert sampler.offer(1.1).reason is Reason.OK


@pytest.mark.parametrize("interval", [0.0, -0.1, math.nan, math.inf])
def test_interval_must_be_positive(interval: float) -> None:
    with pytest.raises(ValueError, match="frame interval"):
        Sampler(interval)


STEPS = st.lists(
    st.one_of(st.floats(0, 0.15), st.floats(-0.5, 0.5), st.sampled_from([0.0, 0.05, 0.075, 0.1, 0.125, 0.2, -1, 60])),
    max_size=60,
)


@given(steps=STEPS, origin=st.sampled_from(ORIGINS))
def test_steps_between_restarts_make_a_valid_window(steps: list[float], origin: float) -> None:
    stamps = [origin]
    for step in steps:
        stamps.append(stamps[-1] + step)
    last = math.nan
    for pts, decision in zip(stamps, run(stamps), strict=True):
        if decision.take and not decision.restart:
            assert 0.05 - 1e-5 <= pts - last <= 0.2 + 1e-5
        if decision.take:
            last = pts
        assert decision.take or not decision.restart


@given(stamps=st.lists(st.floats(0, 2), min_size=1, max_size=40), data=st.data())
def test_causal(stamps: list[float], data: st.DataObject) -> None:
    end = data.draw(st.integers(0, len(stamps)))
    assert run(stamps)[:end] == run(stamps[:end])
