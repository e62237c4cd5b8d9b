"""Live scores are those of `framewatch score`, whatever else is being scored."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from model.scoring import ClipScorer
from model.tables import Row
from service.models import Model
from service.records import Dropped, Score
from service.scorer import Scorer, ScorerLimits
from tests.model import detectors
from tests.service.live import Outcomes, feed, model, sibling, stream, walk

Start = Callable[..., tuple[Scorer, Outcomes]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts scorers, and stops them at the end."""
    running: list[Scorer] = []

    def one(**settings: object) -> tuple[Scorer, Outcomes]:
        outcomes = Outcomes()
        scorer = Scorer(on_results=outcomes, limits=ScorerLimits(decoders=2, **settings))  # type: ignore[arg-type]
        scorer.start()
        running.append(scorer)
        return scorer, outcomes

    yield one
    for scorer in running:
        scorer.stop()


def rows(of: Model, count: int, *, seed: int = 0, step: float = detectors.INTERVAL) -> list[Row]:
    """What `framewatch score` writes for the frames of `walk`."""
    return [scored.row for scored in ClipScorer(of.detector).score(detectors.clip(count, seed=seed, step=step))]


def assert_equal(scores: list[Score], expected: list[Row]) -> None:
    """From the first full window on."""
    full = [row for row in expected if row.smoothed is not None and row.raw is not None]
    live = [score for score in scores if score.raw is not None]
    assert [score.frame for score in live] == [row.frame for row in full]
    for score, row in zip(live, full, strict=True):
        assert score.raw == pytest.approx(row.raw, rel=1e-5, abs=1e-5)
        assert score.score == pytest.approx(row.score, abs=1e-5)
        assert score.smoothed == pytest.approx(row.smoothed, abs=1e-5)
        assert (score.pts, score.state) == (row.time, row.state)


def test_a_lone_stream_has_the_scores_of_the_command_line(start: Start) -> None:
    scorer, outcomes = start()
    door = model()
    cam = stream(door)
    scorer.attach(cam)
    feed(cam, walk(40))
    outcomes.wait(40)
    assert_equal(outcomes.scores(cam), rows(door, 40))
    assert [score.seq for score in outcomes.scores(cam)] == list(range(1, 41))


def test_neighbours_do_not_change_a_score(start: Start) -> None:
    scorer, outcomes = start()
    door = model()
    models = [door, sibling(door, seed=1, latent=4), sibling(door, seed=2, window=4), model("pixels", name="old")]
    cams = [stream(models[n % 4], f"cam{n}") for n in range(21)]
    for cam in cams:
        scorer.attach(cam)
    for frame_set in zip(*(walk(24, seed=n) for n in range(21)), strict=True):
        for cam, frame in zip(cams, frame_set, strict=True):
            feed(cam, [frame])
    outcomes.wait(21 * 24)
    for n, cam in enumerate(cams):
        assert_equal(outcomes.scores(cam), rows(models[n % 4], 24, seed=n))


def test_thinned_frames_are_counted_and_not_announced(start: Start) -> None:
    scorer, outcomes = start()
    cam = stream(model())
    scorer.attach(cam)
    feed(cam, walk(60, step=0.04))
    outcomes.wait(60)
    assert_equal(outcomes.scores(cam), rows(cam.plan.model, 60, step=0.04))
    assert cam.dropped[Dropped.THINNED] == 60 - cam.scored
    assert sum(score.dropped for score in outcomes.scores(cam)) in range(55 - cam.scored, 61 - cam.scored)
