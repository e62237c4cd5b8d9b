"""The engine says that it is well, runs what it is asked to, reports its batches, and stops."""

from __future__ import annotations

import math
import threading
import time
from concurrent.futures import CancelledError

import pytest

from model.scoring import ClipScorer
from service.engine.pipeline import BatchReport
from service.scorer import Scorer, ScorerError
from service.videos.clips import EngineFrames
from tests.model import detectors
from tests.service.conftest import Start
from tests.service.engines import Gate, settle
from tests.service.live import feed, model, stream, walk


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
