"""The engine survives whatever goes wrong in a batch, and nothing of a stream stays behind."""

from __future__ import annotations

import gc
import math
import threading
import time
import weakref
from collections import Counter
from concurrent.futures import CancelledError
from itertools import accumulate

import pytest
import torch
from torch import Tensor

from model.detector import Scores
from model.scoring import ClipScorer
from service.batching import BatchLimits
from service.clips import EngineFrames
from service.models import Model
from service.pipeline import BatchReport
from service.queues import QueueLimits
from service.records import Dropped
from service.scorer import Scorer, ScorerError, ScorerLimits
from service.stream import Outcome, Stream
from tests.model import detectors
from tests.service.conftest import Start
from tests.service.live import Outcomes, feed, held, model, sibling, stream, walk
from tests.service.test_scorer import assert_equal, rows, settle, shots


class Gate:
    """Holds a model's batches up until it is opened."""

    def __init__(self, of: Model) -> None:
        self.entered = threading.Event()
        self._open = threading.Event()
        score = of.detector.score

        def held(windows: object) -> Scores:
            self.entered.set()
            assert self._open.wait(200)
            return score(windows)  # type: ignore[arg-type]

        of.detector.score = held  # type: ignore[method-assign]

    def open(self) -> None:
        self._open.set()


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


def crash(scorer: Scorer, times: float) -> None:
    """Lets the engine's loop fail so often."""
    lanes = scorer._pipeline.lanes
    finish = lanes.finish
    left = [times]

    def fail(begun: object) -> object:
        if left[0] > 0:
            left[0] -= 1
            raise RuntimeError("a bug")
        return finish(begun)  # type: ignore[arg-type]

    lanes.finish = fail  # type: ignore[method-assign,assignment]


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


def test_heartbeat_goes_on_without_work_and_stops_with_a_stuck_batch(start: Start) -> None:
    scorer, _ = start()
    settle(scorer)
    time.sleep(0.8)
    assert scorer.heartbeat_age < 60
    door = model()
    gate = Gate(door)
    cam = stream(door)
    scorer.attach(cam)
    feed(cam, walk(1))
    assert gate.entered.wait(200)
    before = scorer.heartbeat_age
    time.sleep(0.2)
    assert scorer.heartbeat_age > before + 0.1
    gate.open()


def test_heartbeat_of_a_scorer_that_was_never_started_is_infinite() -> None:
    assert Scorer(on_results=lambda outcomes: None).heartbeat_age == math.inf


def test_drained_scorer_has_scored_everything(start: Start) -> None:
    scorer, outcomes = start()
    cams = [stream(model(), f"cam{n}") for n in range(3)]
    for cam in cams:
        scorer.attach(cam)
        feed(cam, walk(10))
    assert scorer.stop(drain=60.0)
    assert len(outcomes.all) == 30


def test_scorer_that_cannot_drain_in_time_stops_all_the_same(start: Start) -> None:
    scorer, _ = start()
    door = model()
    gate = Gate(door)
    cam = stream(door)
    scorer.attach(cam)
    feed(cam, walk(10))
    assert gate.entered.wait(200)

    def open_late() -> None:
        while not scorer._stopping:
            time.sleep(0.005)
        gate.open()

    opening = threading.Thread(target=open_late)
    opening.start()
    assert not scorer.stop(drain=0.05)
    opening.join()


def test_stopped_scorer_takes_nothing_more(start: Start) -> None:
    scorer, _ = start()
    scorer.stop()
    scorer.stop()
    door = model()
    with pytest.raises(CancelledError):
        scorer.run(lambda: None).result(200)
    with pytest.raises(ScorerError, match="the scorer has stopped"):
        scorer.warm(door)
    with pytest.raises(ScorerError, match="the scorer has stopped"):
        list(ClipScorer(door.detector, frames=EngineFrames(scorer, door)).score(detectors.clip(10)))
    scorer.detach(stream(door))


def test_functions_run_on_the_engines_thread_and_hand_back_what_happens(start: Start) -> None:
    scorer, _ = start()
    assert scorer.run(lambda: threading.current_thread().name).result(200) == "framewatch-scorer"
    with pytest.raises(ZeroDivisionError):
        scorer.run(lambda: 1 / 0).result(200)
    assert scorer.restarts == 0


def test_model_that_cannot_be_warmed_says_why(start: Start) -> None:
    scorer, _ = start()
    door = model()
    scorer.warm(door)
    door.detector.score = lambda windows: 1 / 0  # type: ignore[assignment,method-assign,return-value]
    with pytest.raises(ZeroDivisionError):
        scorer.warm(door)


def test_batches_are_reported_with_their_stages(start: Start) -> None:
    reports: list[BatchReport] = []
    scorer, outcomes = start(on_batch=reports.append)
    door = model()
    cam = stream(door)
    scorer.attach(cam)
    feed(cam, walk(20, step=0.05))
    outcomes.wait(20)
    list(ClipScorer(door.detector, frames=EngineFrames(scorer, door)).score(detectors.clip(9)))
    settle(scorer)
    assert sum(report.frames - report.clip_frames for report in reports) == 10
    assert sum(report.clip_frames for report in reports) == 9
    for report in reports:
        assert list(report.stages) == ["copy", "encoder", "windows", "publish"]
        assert all(seconds >= 0 for seconds in report.stages.values())
        assert len(report.waited) == len(report.decoded) == report.frames - report.clip_frames
        assert all(waited >= decoded > 0 for waited, decoded in zip(report.waited, report.decoded, strict=True))


def test_nothing_leaks_over_a_thousand_streams(start: Start) -> None:
    scorer, _ = start(on_results=lambda outcomes: None)
    door = model("pixels")
    frame = walk(1)[0]
    watched = []
    for n in range(1000):
        cam = stream(door, f"cam{n}", policy="latest")
        scorer.attach(cam)
        cam.offer(frame)
        if n % 3 == 0:
            time.sleep(0)
        scorer.detach(cam)
        cam.close()
        watched.append(weakref.ref(cam))
    del cam
    settle(scorer)
    deadline = time.monotonic() + 100
    while any(reference() is not None for reference in watched) and time.monotonic() < deadline:
        time.sleep(0.05)
        gc.collect()
    assert scorer.slots == scorer.streams == 0
    assert not [reference for reference in watched if reference() is not None]


def test_five_hundred_streams_get_their_turns_alike() -> None:
    outcomes = Outcomes()
    scorer = Scorer(on_results=outcomes, limits=ScorerLimits(BatchLimits(size=32), decoders=2))
    door = model("pixels")
    frames = walk(24)
    limits = QueueLimits(every=24)
    cams = [stream(door, f"cam{n}", queue_limits=limits) for n in range(500)]
    greedy = cams[::10]
    for n, cam in enumerate(cams):
        feed(cam, frames[: 24 if n % 10 == 0 else 4])
    for cam in cams:
        scorer.attach(cam)
    scorer.start()  # when all are there: otherwise the first ones have many turns before the last ones come
    try:
        outcomes.wait(450 * 4 + 50 * 24, seconds=240)
    finally:
        scorer.stop()
    modest = {cam for n, cam in enumerate(cams) if n % 10}
    order = [outcome.stream for outcome in outcomes.all]
    done = _position_of_last(order, modest)
    of_greedy = Counter(one for one in order[:done] if one not in modest)
    assert max(of_greedy[cam] for cam in greedy) <= 4 + 2
    assert all(len(outcomes.of(cam)) in (4, 24) for cam in cams[:20])


def _position_of_last(order: list[Stream], wanted: set[Stream]) -> int:
    """After how many outcomes all of the wanted streams' are in."""
    found = list(accumulate(one in wanted for one in order))
    return found.index(found[-1]) + 1


def test_clip_does_not_hold_up_a_stream(start: Start) -> None:
    reports: list[BatchReport] = []
    scorer, outcomes = start(batch=BatchLimits(size=4), on_batch=reports.append)
    door = model("pixels")
    frames = EngineFrames(scorer, door)
    cam = stream(door, queue_limits=QueueLimits(every=40))
    scored: list[int] = []

    def score() -> None:
        rows = ClipScorer(door.detector, frames=frames).score(detectors.clip(400))
        scored.append(sum(1 for _ in rows))

    job = threading.Thread(target=score)
    with held(scorer, decoded=4):
        feed(cam, walk(40))
        scorer.attach(cam)
        job.start()
    outcomes.wait(40)
    job.join()
    settle(scorer)
    assert scored == [400]
    of_stream = list(accumulate(report.frames - report.clip_frames for report in reports))
    of_clip = list(accumulate(report.clip_frames for report in reports))
    assert of_clip[of_stream.index(40)] < of_clip[-1] == 400
