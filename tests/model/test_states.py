"""The state machine from every state, and the fast count that must agree with it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.states import State, StateMachine, count_alarms, excursions

W, N, A = State.WARMING, State.NORMAL, State.ANOMALOUS
LOW, BETWEEN, HIGH = 0.44, 0.47, 0.5


def run(machine: StateMachine, values: list[float | None], fps: float = 10.0) -> list[State]:
    return [machine.push(n / fps, value) for n, value in enumerate(values)]


@pytest.mark.parametrize(
    ("start", "value", "expected"),
    [
        (W, None, W),
        (W, LOW, N),
        (W, BETWEEN, N),
        (W, HIGH, A),
        (N, None, W),
        (N, LOW, N),
        (N, BETWEEN, N),
        (N, HIGH, A),
        (A, None, W),
        (A, LOW, N),
        (A, BETWEEN, A),
        (A, HIGH, A),
    ],
)
def test_every_transition_without_a_minimum(start: State, value: float | None, expected: State) -> None:
    machine = StateMachine(minimum=0)
    assert machine.push(0.0, {W: None, N: LOW, A: HIGH}[start]) is start
    assert machine.push(0.1, value) is expected
    assert machine.state is expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([HIGH, HIGH, HIGH, HIGH, LOW], [N, N, N, A, N], id="long enough after 0.3 s"),
        pytest.param([HIGH, BETWEEN, BETWEEN, BETWEEN], [N, N, N, A], id="need not stay high"),
        pytest.param([HIGH, HIGH, LOW, HIGH, HIGH, HIGH], [N] * 6, id="a dip begins again"),
        pytest.param([HIGH, BETWEEN, HIGH, BETWEEN, HIGH], [N, N, N, A, A], id="a second rise does not"),
        pytest.param([HIGH, HIGH, None, HIGH, HIGH, HIGH, HIGH], [N, N, W, N, N, N, A], id="a gap begins again"),
        pytest.param([HIGH] * 4 + [None, BETWEEN, BETWEEN], [N, N, N, A, W, N, N], id="a gap ends it"),
    ],
)
def test_minimum_duration(values: list[float | None], expected: list[State]) -> None:
    assert run(StateMachine(minimum=0.3), values) == expected


@pytest.mark.parametrize("origin", [0.0, 36000.0, 1.7e9])
def test_minimum_is_exact_at_exact_spacing(origin: float) -> None:
    for start in range(50):
        machine = StateMachine(minimum=0.3)
        assert [machine.push(origin + (start + n) / 10, HIGH) for n in range(4)] == [N, N, N, A]


@pytest.mark.parametrize(
    ("enter", "leave", "minimum"),
    [(0.5, 0.5, 0), (0.4, 0.5, 0), (math.nan, 0.4, 0), (0.5, -math.inf, 0), (0.5, 0.4, -1), (0.5, 0.4, math.nan)],
)
def test_settings_are_checked(enter: float, leave: float, minimum: float) -> None:
    with pytest.raises(ValueError, match=r"leave must be less|minimum duration"):
        StateMachine(enter, leave, minimum)


def test_not_a_number_is_refused_and_changes_nothing() -> None:
    machine = StateMachine(minimum=0)
    machine.push(0.0, HIGH)
    with pytest.raises(ValueError, match="not a number"):
        machine.push(0.1, math.nan)
    assert machine.state is A


def test_excursions_of_two_clips() -> None:
    smoothed = np.array([LOW, HIGH, HIGH, BETWEEN, LOW, HIGH, HIGH, math.nan, HIGH, HIGH])
    times = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.0, 0.1, 0.2])
    assert excursions(times, smoothed, StateMachine(minimum=0.1)) == [(0.2, 0.3), (0.6, 0.6), (0.2, 0.2)]
    assert excursions(times, smoothed, StateMachine(minimum=0.2)) == [(0.3, 0.3)]
    assert count_alarms(np.empty(0), np.empty(0), StateMachine()) == 0
    with pytest.raises(ValueError, match="one each"):
        count_alarms(times, smoothed[1:], StateMachine())


@given(
    frames=st.lists(
        st.tuples(st.sampled_from([0.0, 0.05, 0.1, 0.3]), st.sampled_from([LOW, BETWEEN, HIGH, None])), max_size=80
    ),
    minimum=st.sampled_from([0.0, 0.1, 0.2, 0.35]),
)
@settings(max_examples=200)
def test_the_fast_count_is_the_online_machine(frames: list[tuple[float, float | None]], minimum: float) -> None:
    times = np.cumsum([step for step, _ in frames])
    smoothed = np.array([math.nan if value is None else value for _, value in frames])
    machine = StateMachine(minimum=minimum)
    stretches: list[tuple[float, float]] = []
    before = W
    for pts, (_, value) in zip(times.tolist(), frames, strict=True):
        state = machine.push(pts, value)
        if state is A:
            stretches.append((pts, pts) if before is not A else (stretches.pop()[0], pts))
        before = state
    assert excursions(times, smoothed, machine) == stretches
    assert count_alarms(times, smoothed, machine) == len(stretches)
