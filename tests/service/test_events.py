"""Events open and close once, carry their peak, and honour cooldown, mute and gaps."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.states import State
from service.events import Change, EventClosed, EventOpened, EventTracker
from service.records import Event, Score

LETTERS = {"w": State.WARMING, "n": State.NORMAL, "a": State.ANOMALOUS}


def score(seq: int, state: State, smoothed: float | None = 0.6, captured: float | None = None) -> Score:
    at = 1000.0 + seq if captured is None else captured
    return Score("door", seq, 10 * seq, float(seq), at, 1000.5 + seq, 1.0, 0.6, smoothed, 1.0, state)


def run(tracker: EventTracker, states: str, first: int = 1) -> list[Change]:
    """Pushes one score a second for each letter."""
    return [change for seq, letter in enumerate(states, first) for change in tracker.push(score(seq, LETTERS[letter]))]


def kinds(changes: Sequence[Change]) -> list[tuple[str, int]]:
    return [
        ("opened", change.event.first_seq)
        if isinstance(change, EventOpened)
        else ("closed", change.event.last_seq or 0)
        for change in changes
    ]


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ("wwnnn", []),
        ("nna", [("opened", 3)]),
        ("nnaaan", [("opened", 3), ("closed", 5)]),
        ("ananan", [("opened", 1), ("closed", 1), ("opened", 3), ("closed", 3), ("opened", 5), ("closed", 5)]),
        ("naaw", [("opened", 2), ("closed", 3)]),
    ],
)
def test_an_event_lasts_from_the_first_to_the_last_anomalous_score(
    states: str, expected: list[tuple[str, int]]
) -> None:
    assert kinds(run(EventTracker("door", 3), states)) == expected


def test_opened_event_carries_stream_epoch_and_id() -> None:
    numbers = count(7)
    (change,) = run(EventTracker("door", 3, next_id=lambda: next(numbers)), "na")
    assert change == EventOpened(
        Event(7, "door", 3, started=1002, first_seq=2, peaked=1002, peak=0.6, peak_seq=2, peak_frame=20)
    )


def test_closed_event_carries_its_end_and_reason() -> None:
    closed = run(EventTracker("door", 3), "naan")[-1].event
    assert (closed.ended, closed.last_seq, closed.reason) == (1003, 3, "")


def test_a_stream_that_warms_up_anew_closes_its_event_with_gap() -> None:
    assert run(EventTracker("door", 3), "naw")[-1].event.reason == "gap"


def test_end_closes_the_open_event_with_the_reason_given() -> None:
    tracker = EventTracker("door", 3)
    run(tracker, "na")
    (change,) = tracker.end("stream ended")
    assert isinstance(change, EventClosed) and change.event.reason == "stream ended"


def test_end_without_an_open_event_changes_nothing() -> None:
    assert EventTracker("door", 3).end("stream ended") == []


def test_the_heat_map_of_the_peak_is_kept() -> None:
    tracker = EventTracker("door", 3)
    for seq, smoothed in enumerate([0.6, 0.9, 0.7], 1):
        tracker.push(score(seq, State.ANOMALOUS, smoothed), np.full((1, 2), seq, np.float32))
    (change,) = tracker.end("")
    assert (change.event.peak_seq, change.event.heat) == (2, ((2.0, 2.0),))


def test_nothing_opens_in_the_cooldown() -> None:
    assert kinds(run(EventTracker("door", 3, cooldown=5), "anananan")) == [
        ("opened", 1),
        ("closed", 1),
        ("opened", 7),
        ("closed", 7),
    ]


def test_an_excursion_that_outlasts_the_cooldown_opens_an_event_then() -> None:
    changes = run(EventTracker("door", 3, cooldown=5), "anaaaaaaa")
    assert kinds(changes) == [("opened", 1), ("closed", 1), ("opened", 6)]


def test_a_muted_event_is_recorded_and_begins_no_cooldown() -> None:
    tracker = EventTracker("door", 3, cooldown=5, muted_until=1003)
    changes = run(tracker, "annana")
    assert [(change.event.muted, change.event.first_seq) for change in changes if isinstance(change, EventOpened)] == [
        (True, 1),
        (False, 4),
    ]


def test_an_event_that_outlasts_the_mute_is_announced_when_the_mute_ends() -> None:
    changes = run(EventTracker("door", 3, muted_until=1003), "aaaa")
    assert [(type(change), change.event.muted, change.event.reason) for change in changes] == [
        (EventOpened, True, ""),
        (EventClosed, True, "mute ended"),
        (EventOpened, False, ""),
    ]


def test_a_mute_does_not_silence_an_event_that_was_announced() -> None:
    tracker = EventTracker("door", 3)
    run(tracker, "a")
    tracker.muted_until = 2000
    assert not run(tracker, "an", first=2)[0].event.muted


def test_a_capture_clock_that_jumps_back_does_not_prolong_the_cooldown() -> None:
    tracker = EventTracker("door", 3, cooldown=60)
    run(tracker, "an")
    assert tracker.push(score(3, State.ANOMALOUS, captured=5.0))


def test_an_event_never_ends_before_it_started() -> None:
    tracker = EventTracker("door", 3)
    run(tracker, "a")
    tracker.push(score(2, State.ANOMALOUS, captured=5.0))
    (change,) = tracker.end("")
    assert change.event.ended == change.event.started


@st.composite
def stretches(draw: st.DrawFn) -> list[Score]:
    """Scores of a stream: runs of one state, with any levels and any steps of time."""
    scores: list[Score] = []
    captured = 1000.0
    for state, length in draw(st.lists(st.tuples(st.sampled_from(State), st.integers(1, 6)), max_size=12)):
        for _ in range(length):
            captured += draw(st.floats(0.01, 3.0))
            smoothed = None if state is State.WARMING else draw(st.floats(0, 1))
            seq = len(scores) + 1
            scores.append(Score("door", seq, seq, captured, captured, captured, 1.0, 0.5, smoothed, 1.0, state))
    return scores


def changes_of(tracker: EventTracker, scores: list[Score]) -> list[Change]:
    changes = [change for item in scores for change in tracker.push(item)]
    return changes + tracker.end("stream ended")


@given(scores=stretches(), cooldown=st.floats(0, 20), muted=st.none() | st.floats(1000, 1060))
def test_each_event_is_opened_and_closed_once_and_never_two_at_a_time(
    scores: list[Score], cooldown: float, muted: float | None
) -> None:
    numbers = count(1)
    tracker = EventTracker("door", 1, next_id=lambda: next(numbers), cooldown=cooldown, muted_until=muted)
    changes = changes_of(tracker, scores)
    opened, closed = changes[::2], changes[1::2]
    assert all(isinstance(change, EventOpened) for change in opened)
    assert all(isinstance(change, EventClosed) for change in closed)
    assert [change.event.id for change in opened] == [change.event.id for change in closed]
    assert all(
        before.event.last_seq is not None and before.event.last_seq < after.event.first_seq
        for before, after in pairwise(closed)
    )


@given(scores=stretches(), cooldown=st.floats(0, 20), muted=st.none() | st.floats(1000, 1060))
def test_the_peak_is_the_first_highest_score_of_the_event(
    scores: list[Score], cooldown: float, muted: float | None
) -> None:
    tracker = EventTracker("door", 1, cooldown=cooldown, muted_until=muted)
    for event in [change.event for change in changes_of(tracker, scores) if isinstance(change, EventClosed)]:
        inside = scores[event.first_seq - 1 : event.last_seq]
        highest = max(inside, key=lambda item: item.smoothed or 0.0)
        assert (event.peak, event.peak_seq, event.peaked) == (highest.smoothed, highest.seq, highest.captured)


@given(scores=stretches(), cooldown=st.floats(0, 20), muted=st.none() | st.floats(1000, 1060))
def test_no_event_holds_a_score_that_is_not_anomalous(
    scores: list[Score], cooldown: float, muted: float | None
) -> None:
    tracker = EventTracker("door", 1, cooldown=cooldown, muted_until=muted)
    for event in [change.event for change in changes_of(tracker, scores) if isinstance(change, EventClosed)]:
        assert {item.state for item in scores[event.first_seq - 1 : event.last_seq]} == {State.ANOMALOUS}


@given(scores=stretches(), cooldown=st.floats(0, 20), muted=st.none() | st.floats(1000, 1060))
def test_the_cooldown_begins_only_after_an_announced_event(
    scores: list[Score], cooldown: float, muted: float | None
) -> None:
    """Every anomalous score outside all events lies in the cooldown of an announced one, and none inside does."""
    tracker = EventTracker("door", 1, cooldown=cooldown, muted_until=muted)
    events = [change.event for change in changes_of(tracker, scores) if isinstance(change, EventClosed)]
    for item in scores:
        before = [event for event in events if event.last_seq is not None and event.last_seq < item.seq]
        ends = [event.ended for event in before if not event.muted and event.ended is not None]
        cooling = bool(ends) and item.captured - ends[-1] < cooldown
        opens = any(event.first_seq == item.seq for event in events)
        inside = any(event.last_seq is not None and event.first_seq <= item.seq <= event.last_seq for event in events)
        assert not (cooling and opens)
        assert inside or cooling or item.state is not State.ANOMALOUS


@given(scores=stretches(), muted=st.floats(1000, 1060))
def test_an_event_is_muted_exactly_if_it_began_in_the_mute(scores: list[Score], muted: float) -> None:
    tracker = EventTracker("door", 1, muted_until=muted)
    for change in changes_of(tracker, scores):
        assert change.event.muted == (scores[change.event.first_seq - 1].scored < muted)
