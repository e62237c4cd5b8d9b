"""Live scores are those of `framewatch score`, whatever else is being scored."""

from __future__ import annotations

from dataclasses import replace

import pytest

from model.scoring import ClipScorer
from model.states import State
from model.workers import Workers
from service.engine.tickets import FILLING, OVERLOADED
from service.queues import QueueLimits
from service.records import Dropped, IncomingFrame
from service.videos.clips import EngineFrames
from tests.model import detectors
from tests.service.conftest import Start
from tests.service.engines import assert_equal, near, rows, settle, shots
from tests.service.live import feed, jpeg, model, sibling, stream, walk


def test_a_lone_stream_has_the_scores_of_the_command_line(start: Start) -> None:
    scorer, outcomes = start()
    cam = stream(model())
    scorer.attach(cam)
    feed(cam, walk(40))
    outcomes.wait(40)
    scores = outcomes.scores(cam)
    assert_equal(scores, rows(cam.plan.model, shots(40)))
    assert [score.seq for score in scores] == list(range(1, 41))
    assert [score.frame for score in scores] == list(range(40))
    assert [score.reason for score in scores[:6]] == ["start", FILLING, FILLING, FILLING, FILLING, ""]
    assert {score.threshold for score in scores} == {float(cam.plan.model.detector.theta)}


def test_neighbours_do_not_change_a_score(start: Start) -> None:
    scorer, outcomes = start()
    door = model()
    models = [
        door,
        sibling(door, seed=1, latent=4),
        sibling(door, seed=2, window=4),
        model("pixels", name="old", window=5),
    ]
    cams = [stream(models[n % 4], f"cam{n}") for n in range(21)]
    for cam in cams:
        scorer.attach(cam)
    for frame_set in zip(*(walk(12, seed=n) for n in range(21)), strict=True):
        for cam, frame in zip(cams, frame_set, strict=True):
            feed(cam, [frame])
    outcomes.wait(21 * 12)
    for n, cam in enumerate(cams):
        assert_equal(outcomes.scores(cam), rows(models[n % 4], shots(12, seed=n)))


def test_encoding_in_threads_does_not_change_a_score(start: Start) -> None:
    scorer, outcomes = start()
    door = model()
    expected = rows(door, shots(20))
    workers = Workers(2)
    door.detector.with_workers(workers)
    cams = [stream(door, name) for name in "ab"]
    for cam in cams:
        scorer.attach(cam)
        feed(cam, walk(20))
    outcomes.wait(40)
    for cam in cams:
        assert_equal(outcomes.scores(cam), expected)
    scorer.stop()
    workers.close()


@pytest.mark.gpu
def test_a_gpu_gives_the_scores_of_a_cpu(start: Start) -> None:
    scorer, outcomes = start()
    door = model()
    expected = rows(door, shots(20))
    door.detector.to("cuda")
    scorer.warm(door)
    cams = [stream(door, f"cam{n}") for n in range(8)]
    for cam in cams:
        scorer.attach(cam)
        feed(cam, walk(20))
    outcomes.wait(160)
    for cam in cams:
        found = [score.raw for score in outcomes.scores(cam) if score.raw is not None]
        known = [row.raw for row in expected if row.smoothed is not None]
        assert found == pytest.approx(known, rel=0.02, abs=0.01)


def test_decoded_frames_score_as_encoded_ones(start: Start) -> None:
    scorer, outcomes = start()
    cam = stream(model())
    scorer.attach(cam)
    frames = [replace(frame, data=image) for frame, (_, image) in zip(walk(20), shots(20), strict=True)]
    feed(cam, frames)
    outcomes.wait(20)
    assert_equal(outcomes.scores(cam), rows(cam.plan.model, shots(20)))


def test_thinned_frames_are_counted_and_not_announced(start: Start) -> None:
    scorer, outcomes = start()
    cam = stream(model())
    scorer.attach(cam)
    feed(cam, walk(60, step=0.04))
    outcomes.wait(60)
    scores = outcomes.scores(cam)
    assert_equal(scores, rows(cam.plan.model, shots(60, step=0.04)))
    assert cam.dropped[Dropped.THINNED] == 60 - len(scores)
    last = outcomes.all.index(next(o for o in reversed(outcomes.all) if o.score is not None))
    assert sum(score.dropped for score in scores) == last + 1 - len(scores)


def test_overloaded_stream_scores_as_a_replay_of_its_accepted_frames(start: Start) -> None:
    scorer, outcomes = start()
    cam = stream(model(), policy="latest", queue_limits=QueueLimits(latest=2))
    frames = walk(150, step=0.05)
    for frame in frames[:50]:  # before anybody takes them: the last two are left
        cam.offer(frame)
    scorer.attach(cam)
    for frame in frames[50:]:
        cam.offer(frame)
    outcomes.wait(cam.frames_in - cam.dropped[Dropped.OVERLOAD])
    accepted = [outcome.frame.number for outcome in outcomes.of(cam)]
    assert accepted == sorted(accepted)
    assert cam.dropped[Dropped.OVERLOAD] >= 48
    decoded = shots(150, step=0.05)
    assert_equal(outcomes.scores(cam), rows(cam.plan.model, [decoded[number] for number in accepted]))
    assert cam.frames_in == cam.scored + sum(cam.dropped.values()) == 150


def test_hole_that_the_service_made_itself_is_not_blamed_on_the_source(start: Start) -> None:
    scorer, outcomes = start()
    cam = stream(model(), policy="latest", queue_limits=QueueLimits(latest=1))
    frames = walk(40)
    scorer.attach(cam)
    feed(cam, frames[:1])
    outcomes.wait(1)
    scorer.detach(cam)
    scorer.attach(cam)
    cam.engine = None
    for frame in frames[1:]:
        cam.offer(frame)
    cam.engine = scorer
    scorer.wake(cam)
    outcomes.wait(2)
    first, second = outcomes.scores(cam)
    assert first.reason == "start"
    assert (second.reason, second.dropped) == (OVERLOADED, 38)


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"junk" * 100, id="junk"),
        pytest.param(walk(1)[0].data[:200], id="cut short"),
        pytest.param(jpeg(detectors.pictures(1, height=64, width=64)[0]), id="another aspect"),
    ],
)
def test_bad_frame_fails_only_itself(start: Start, broken: bytes) -> None:
    scorer, outcomes = start()
    cam, neighbour = stream(model(), "cam"), stream(model(), "neighbour")
    frames = walk(20)
    frames[9] = replace(frames[9], data=broken)
    for one in (cam, neighbour):
        scorer.attach(one)
    feed(cam, frames)
    feed(neighbour, walk(20))
    outcomes.wait(40)
    good = [shot for number, shot in enumerate(shots(20)) if number != 9]
    assert_equal(outcomes.scores(cam), rows(cam.plan.model, good))
    assert_equal(outcomes.scores(neighbour), rows(cam.plan.model, shots(20)))
    (bad,) = [outcome for outcome in outcomes.of(cam) if outcome.dropped is not None]
    assert (bad.frame.number, bad.dropped, bad.score) == (9, Dropped.BAD, None)
    assert bad.detail


@pytest.mark.parametrize(
    ("pts", "captured"), [(float("nan"), 0.0), (float("inf"), 0.0), (1.0, -1.0), (1.0, 1e15), (1.0, float("nan"))]
)
def test_times_that_cannot_be_are_refused(start: Start, pts: float, captured: float) -> None:
    scorer, outcomes = start()
    cam = stream(model())
    scorer.attach(cam)
    feed(cam, [IncomingFrame(0, pts, captured, walk(1)[0].data)])
    (outcome,) = outcomes.wait(1)
    assert outcome.dropped is Dropped.BAD and "time" in outcome.detail


def test_slow_source_is_told_why_it_has_no_scores(start: Start) -> None:
    scorer, outcomes = start()
    cam = stream(model())
    scorer.attach(cam)
    feed(cam, walk(8, step=0.5))
    outcomes.wait(8)
    last = outcomes.scores(cam)[-1]
    assert (last.raw, last.score, last.state) == (None, None, State.WARMING)
    assert last.reason.startswith("source slower than half the model's frame rate: its frames come at 2 a second")
    assert cam.dropped[Dropped.TOO_SLOW] > 0
    assert [score.dropped for score in outcomes.scores(cam)] == [0] * 8
    assert cam.frames_in == cam.scored + sum(cam.dropped.values())


def test_after_a_hole_the_last_score_is_carried_until_a_window_is_full(start: Start) -> None:
    scorer, outcomes = start()
    cam = stream(model())
    scorer.attach(cam)
    frames = walk(20)
    late = [replace(frame, pts=frame.pts + (5.0 if frame.number >= 10 else 0.0)) for frame in frames]
    feed(cam, late)
    outcomes.wait(20)
    scores = outcomes.scores(cam)
    decoded = [(pts + (5.0 if number >= 10 else 0.0), image) for number, (pts, image) in enumerate(shots(20))]
    expected = rows(cam.plan.model, decoded)
    assert_equal(scores, expected)
    assert [score.reason for score in scores[10:15]] == ["gap"] + [FILLING] * 4
    assert [score.score for score in scores[10:15]] == [pytest.approx(row.score) for row in expected[10:15]]
    assert {score.state for score in scores[10:15]} == {State.WARMING}


def test_latest_frame_is_kept_with_its_score_and_heat(start: Start) -> None:
    scorer, outcomes = start()
    cam = stream(model())
    scorer.attach(cam)
    frames = walk(8)
    feed(cam, frames)
    outcomes.wait(8)
    latest = cam.latest
    assert latest is not None and latest.heat is not None
    assert latest.frame is frames[-1]
    assert latest.score == outcomes.scores(cam)[-1]
    assert latest.heat.shape == cam.plan.model.detector.encoder.cells.shape


@pytest.mark.parametrize(
    "clip",
    [
        pytest.param(detectors.clip(30), id="whole"),
        pytest.param(detectors.clip(3), id="shorter than a window"),
        pytest.param(detectors.clip(40, step=0.03), id="thinned"),
        pytest.param(detectors.clip(12, step=0.4), id="too slow"),
    ],
)
def test_clips_on_the_engine_have_the_command_lines_rows(start: Start, clip: detectors.MemoryClip) -> None:
    scorer, outcomes = start()
    door = model()
    cam = stream(door)
    scorer.attach(cam)
    feed(cam, walk(12, seed=1))
    live = [scored.row for scored in ClipScorer(door.detector, frames=EngineFrames(scorer, door)).score(clip)]
    expected = [scored.row for scored in ClipScorer(door.detector).score(clip)]
    for row, other in zip(live, expected, strict=True):
        assert replace(row, raw=None, score=None, smoothed=None) == replace(other, raw=None, score=None, smoothed=None)
        for name in ("raw", "score", "smoothed"):
            assert getattr(row, name) == near(getattr(other, name))
    outcomes.wait(12)
    assert_equal(outcomes.scores(cam), rows(door, shots(12, seed=1)))
    settle(scorer)
    assert scorer.slots == 1
