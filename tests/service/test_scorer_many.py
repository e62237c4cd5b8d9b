"""Hundreds of streams, and clips beside them, get their turns and leave nothing behind."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections import Counter
from itertools import accumulate

from model.scoring import ClipScorer
from service.engine.batching import BatchLimits
from service.engine.pipeline import BatchReport
from service.queues import QueueLimits
from service.scorer import Scorer, ScorerLimits
from service.stream import Stream
from service.videos.clips import EngineFrames
from tests.model import detectors
from tests.service.conftest import Start
from tests.service.engines import settle
from tests.service.live import Outcomes, feed, held, model, stream, walk


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
