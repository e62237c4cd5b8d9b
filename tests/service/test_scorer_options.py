"""A stream's options hold for it alone, from the next frame on, while it runs."""

from __future__ import annotations

import pytest

from service.records import Dropped, StreamOptions
from tests.service.conftest import Start
from tests.service.engines import assert_equal, near, rows, settle, shots
from tests.service.live import feed, model, sibling, stream, walk

LEFT = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))


def test_rate_cap_is_that_of_a_source_with_fewer_frames(start: Start) -> None:
    scorer, outcomes = start()
    cam = stream(model(), max_rate=5.0)
    scorer.attach(cam)
    feed(cam, walk(40))
    outcomes.wait(40)
    assert_equal(outcomes.scores(cam), rows(cam.plan.model, shots(40)[::2]))
    assert cam.dropped[Dropped.RATE] == 20


def test_threshold_and_smoothing_of_a_stream_are_its_own(start: Start) -> None:
    scorer, outcomes = start()
    door = model()
    cam, other = stream(door, "cam", threshold=1.0, smoothing=1.0), stream(door, "other")
    for one in (cam, other):
        scorer.attach(one)
        feed(one, walk(24))
    outcomes.wait(48)
    assert_equal(outcomes.scores(other), rows(door, shots(24)))
    door.detector.theta.fill_(1.0)
    assert_equal(outcomes.scores(cam), rows(door, shots(24), smoothing=1.0))
    assert {score.threshold for score in outcomes.scores(cam)} == {1.0}


def test_threshold_changes_while_the_stream_runs(start: Start) -> None:
    scorer, outcomes = start()
    cam = stream(model())
    scorer.attach(cam)
    feed(cam, walk(12)[:8])
    outcomes.wait(8)
    cam.update(StreamOptions(threshold=3.0, policy="every"), cam.plan.model)
    settle(scorer)
    feed(cam, walk(12)[8:])
    outcomes.wait(12)
    expected = rows(cam.plan.model, shots(12))
    for score, row in list(zip(outcomes.scores(cam), expected, strict=True))[8:]:
        assert row.raw is not None
        assert score.threshold == 3.0
        assert score.raw == near(row.raw)
        assert score.score == pytest.approx(row.raw / (row.raw + 3.0), abs=1e-5)


def test_mask_leaves_out_what_moves_outside_it(start: Start) -> None:
    scorer, outcomes = start()
    door = model()
    cam, whole = stream(door, "cam", mask=(LEFT,)), stream(door, "whole")
    for one in (cam, whole):
        scorer.attach(one)
        feed(one, walk(12))
    outcomes.wait(24)
    assert_equal(outcomes.scores(whole), rows(door, shots(12)))
    for outcome in outcomes.of(cam):
        if outcome.heat is not None:
            assert not outcome.heat[:, outcome.heat.shape[1] // 2 + 1 :].any()


def test_mask_changes_while_the_stream_runs(start: Start) -> None:
    scorer, outcomes = start()
    cam = stream(model(), mask=(LEFT,))
    scorer.attach(cam)
    feed(cam, walk(16)[:8])
    outcomes.wait(8)
    cam.update(StreamOptions(policy="every"), cam.plan.model)
    settle(scorer)
    feed(cam, walk(16)[8:])
    outcomes.wait(16)
    after = [score for score in outcomes.scores(cam) if score.frame >= 8]
    expected = [row for row in rows(cam.plan.model, shots(16)) if row.frame >= 8]
    assert [score.raw for score in after] == [near(row.raw) for row in expected]


def test_new_model_begins_with_an_empty_window_and_the_seq_goes_on(start: Start) -> None:
    scorer, outcomes = start()
    door = model()
    yard = sibling(door, seed=3)
    cam = stream(door)
    scorer.attach(cam)
    feed(cam, walk(20)[:10])
    outcomes.wait(10)
    cam.update(cam.record.options, yard)
    settle(scorer)
    assert scorer.slots == 0
    feed(cam, walk(20)[10:])
    outcomes.wait(20)
    scores = outcomes.scores(cam)
    assert_equal(scores[:10], rows(door, shots(20)[:10]))
    assert_equal(scores[10:], rows(yard, shots(20)[10:]))
    assert [score.seq for score in scores] == list(range(1, 21))
    assert scorer.slots == 1
