"""The engine survives whatever goes wrong in a batch, and nothing of a stream stays behind."""

from __future__ import annotations

import math
from concurrent.futures import CancelledError

import pytest
import torch
from torch import Tensor

from model.scoring import ClipScorer
from service.engine.batching import BatchLimits
from service.records import Dropped
from service.scorer import ScorerError
from service.stream import Outcome
from service.videos.clips import EngineFrames
from tests.model import detectors
from tests.service.conftest import Start
from tests.service.engines import Gate, assert_equal, crash, rows, settle, shots
from tests.service.live import Outcomes, feed, held, model, sibling, stream, walk


def test_out_of_memory_halves_the_batch_and_loses_nothing(start: Start) -> None:
    scorer, outcomes = start(batch=BatchLimits(size=8))
    door = model()
    forward, sizes = door.detector.encoder.forward, []

    def short(images: Tensor) -> Tensor:
        sizes.append(len(images))
        if len(images) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(images)

    door.detector.encoder.forward = short  # type: ignore[method-assign]
    cams = [stream(door, f"cam{n}") for n in range(8)]
    with held(scorer, decoded=8):
        for n, cam in enumerate(cams):
            feed(cam, walk(8, seed=n))
            scorer.attach(cam)
    outcomes.wait(64)
    assert max(sizes) > 2
    assert sizes[-4:] == [2] * 4 or max(sizes[-4:]) <= 2
    door.detector.encoder.forward = forward  # type: ignore[method-assign]
    for n, cam in enumerate(cams):
        assert_equal(outcomes.scores(cam), rows(door, shots(8, seed=n)))


def test_model_that_fails_costs_its_own_streams_only(start: Start) -> None:
    scorer, outcomes = start()
    door = model()
    yard = sibling(door, seed=1)
    yard.detector.score = lambda windows: 1 / 0  # type: ignore[assignment,method-assign,return-value]
    good, bad = stream(door, "good"), stream(yard, "bad")
    for cam in (good, bad):
        feed(cam, walk(10))
        scorer.attach(cam)
    outcomes.wait(20)
    assert_equal(outcomes.scores(good), rows(door, shots(10)))
    assert {(o.dropped, o.detail) for o in outcomes.of(bad)} == {(Dropped.FAULT, "division by zero")}
    assert bad.dropped[Dropped.FAULT] == 10


def test_score_that_is_no_number_is_never_announced(start: Start) -> None:
    scorer, outcomes = start()
    cam = stream(model())
    with torch.no_grad():
        cam.plan.model.detector.autoencoder.get_parameter("members.0.to_features.bias").fill_(math.nan)
    scorer.attach(cam)
    feed(cam, walk(20))
    outcomes.wait(20)
    assert cam.dropped[Dropped.FAULT] > 0
    assert all(score.raw is None for score in outcomes.scores(cam))


def test_stream_that_is_closed_in_the_middle_of_a_batch_is_not_announced(start: Start) -> None:
    scorer, outcomes = start()
    door = model()
    gate = Gate(door)
    gone, stays = stream(door, "gone"), stream(door, "stays")
    for cam in (gone, stays):
        feed(cam, walk(8))
        scorer.attach(cam)
    assert gate.entered.wait(200)
    gone.close()
    scorer.detach(gone)
    gate.open()
    outcomes.wait(8, stays)
    settle(scorer)
    assert outcomes.of(gone) == []
    assert gone.latest is None
    assert scorer.slots == scorer.streams == 1


def test_clip_that_is_given_up_in_the_middle_of_a_batch_leaves_nothing(start: Start) -> None:
    scorer, outcomes = start()
    door = model()
    scored = ClipScorer(door.detector, frames=EngineFrames(scorer, door)).score(detectors.clip(60))
    next(scored)
    scored.close()
    settle(scorer)
    assert scorer.slots == 0
    cam = stream(door)
    scorer.attach(cam)
    feed(cam, walk(8))
    outcomes.wait(8)


def test_clip_whose_frames_cannot_be_scored_ends_with_the_reason(start: Start) -> None:
    scorer, _ = start()
    door = model()
    door.detector.score = lambda windows: 1 / 0  # type: ignore[assignment,method-assign,return-value]
    with pytest.raises(ScorerError, match="a frame could not be scored: division by zero"):
        list(ClipScorer(door.detector, frames=EngineFrames(scorer, door)).score(detectors.clip(10)))
    settle(scorer)
    assert scorer.slots == 0


def test_crashed_engine_is_started_again_and_the_streams_go_on(start: Start) -> None:
    scorer, outcomes = start(batch=BatchLimits(size=1))
    cam = stream(model())
    crash(scorer, 2)
    scorer.attach(cam)
    feed(cam, walk(20))
    outcomes.wait(20)
    assert scorer.restarts == 2
    assert cam.dropped[Dropped.FAULT] == 2
    assert outcomes.all[0].detail == "the scorer has crashed: a bug"
    assert_equal(outcomes.scores(cam), rows(cam.plan.model, shots(20)[2:]))
    assert scorer.heartbeat_age < 60


def test_engine_that_goes_on_crashing_is_given_up(start: Start) -> None:
    scorer, outcomes = start(restarts=3, batch=BatchLimits(size=1))
    door = model()
    cam = stream(door)
    crash(scorer, math.inf)
    scorer.attach(cam)
    feed(cam, walk(4))
    outcomes.wait(4)
    with pytest.raises(ScorerError, match="the scorer has crashed 4 times, the last time by: a bug"):
        list(ClipScorer(door.detector, frames=EngineFrames(scorer, door)).score(detectors.clip(10)))
    assert scorer.failed
    assert scorer.heartbeat_age == math.inf
    with pytest.raises(CancelledError):
        scorer.run(lambda: None).result(200)


def test_crashes_long_ago_are_forgotten(start: Start) -> None:
    now = [0.0]
    scorer, outcomes = start(restarts=1, restarts_within=10.0, batch=BatchLimits(size=1), monotonic=lambda: now[0])
    cam = stream(model())
    scorer.attach(cam)
    for number, frame in enumerate(walk(4)):
        crash(scorer, 1)
        feed(cam, [frame])
        outcomes.wait(number + 1)
        settle(scorer)  # it looks at the clock after it has told what it lost
        now[0] += 11
    assert not scorer.failed
    assert scorer.restarts == 4


def test_listeners_that_fail_do_not_stop_the_engine(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    outcomes = Outcomes()

    def fail(report: object) -> None:
        raise ValueError("a listener's bug")

    def note(some: list[Outcome]) -> None:
        outcomes(some)
        raise ValueError("a listener's bug")

    scorer, _ = start(on_results=note, on_batch=fail)
    cam = stream(model())
    scorer.attach(cam)
    feed(cam, walk(8))
    outcomes.wait(8)
    settle(scorer)
    assert scorer.restarts == 0
    assert "a listener of the scorer has failed" in caplog.text
