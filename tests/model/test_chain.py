"""The score chain of a stream: scores, their rolling mean, the state; causal, and empty after a restart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.chain import DENOISED_WEIGHT, Chain, Scored
from model.states import State
from tests.model.detectors import INTERVAL, config

THETA = 0.5
CONFIG = config(smoothing=0.3, minimum=0.2)  # three frames each


def run(raws: list[float | None], restarts: tuple[int, ...] = ()) -> list[Scored | None]:
    chain = Chain(CONFIG, THETA)
    return [chain.push(n * INTERVAL, raw, restart=n in restarts) for n, raw in enumerate(raws)]


def states(results: list[Scored | None]) -> list[State | None]:
    return [None if result is None else result.state for result in results]


def test_score_is_half_at_the_threshold() -> None:
    assert run([THETA]) == [Scored(THETA, 0.5, 0.5, State.NORMAL)]


def test_smoothed_is_the_mean_of_the_last_seconds() -> None:
    raws = [0.0, THETA, 3 * THETA, 0.0]
    assert [result.smoothed for result in run(list(raws)) if result] == pytest.approx([0, 0.25, 1.25 / 3, 1.25 / 3])


def test_state_follows_the_smoothed_score_after_the_minimum_duration() -> None:
    raws = [0.0, 0.0, 9.0, 9.0, 9.0, 9.0, 0.0, 0.0, 0.0]
    expected = [State.NORMAL] * 5 + [State.ANOMALOUS] * 2 + [State.NORMAL] * 2
    assert states(run(list(raws))) == expected


def test_nothing_is_scored_while_no_window_is_full() -> None:
    results = run([None, None, THETA])
    assert results[:2] == [None, None] and results[2] is not None


def test_restart_forgets_what_was_smoothed() -> None:
    raws: list[float | None] = [9.0, 9.0, None, 0.0]
    assert run(raws, restarts=(2,))[3] == Scored(0.0, 0.0, 0.0, State.NORMAL)
    without = run(raws)[3]
    assert without is not None and without.smoothed > 0.4


def test_restart_ends_an_anomaly() -> None:
    raws: list[float | None] = [9.0, 9.0, 9.0, None, 9.0]
    assert states(run(raws, restarts=(3,))) == [State.NORMAL] * 2 + [State.ANOMALOUS, None, State.NORMAL]


def test_restart_with_a_jump_back_begins_a_new_time() -> None:
    chain = Chain(CONFIG, THETA)
    chain.push(100.0, 9.0)
    assert chain.push(0.0, 0.0, restart=True) == Scored(0.0, 0.0, 0.0, State.NORMAL)


def test_own_smoothing_and_duration_replace_the_models() -> None:
    chain = Chain(CONFIG, THETA, smoothing=0.0, minimum=0.0)
    chain.push(0.0, 0.0)
    assert chain.push(0.1, 9 * THETA) == Scored(9 * THETA, 0.9, 0.9, State.ANOMALOUS)


RAWS = st.lists(st.none() | st.floats(0, 100), max_size=30)


@given(raws=RAWS, restarts=st.lists(st.integers(0, 29), max_size=4), data=st.data())
def test_causal(raws: list[float | None], restarts: list[int], data: st.DataObject) -> None:
    end = data.draw(st.integers(0, len(raws)))
    assert run(raws, tuple(restarts))[:end] == run(raws[:end], tuple(restarts))


@given(before=RAWS, after=RAWS)
def test_nothing_before_a_restart_counts_after_it(before: list[float | None], after: list[float | None]) -> None:
    alone = [result and (result.smoothed, result.state) for result in run(after, restarts=(0,))]
    both = run(before + after, restarts=(len(before),))[len(before) :]
    assert [result and (pytest.approx(result.smoothed), result.state) for result in both] == alone


def test_frame_that_was_blurred_against_noise_counts_less() -> None:
    chain = Chain(CONFIG, THETA)
    chain.push(0.0, THETA)
    blurred = chain.push(0.1, 0.0, denoised=True)
    assert blurred is not None and blurred.smoothed == pytest.approx(0.5 / (1 + DENOISED_WEIGHT))


def test_where_every_frame_is_noisy_all_count_alike() -> None:
    noisy, clean = Chain(CONFIG, THETA), Chain(CONFIG, THETA)
    for n, raw in enumerate([0.0, 1.0, 0.2, 3.0]):
        one, other = noisy.push(n * INTERVAL, raw, denoised=True), clean.push(n * INTERVAL, raw)
        assert one is not None and other is not None and one.smoothed == pytest.approx(other.smoothed)
