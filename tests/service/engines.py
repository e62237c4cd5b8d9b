"""What the engine should score, and engines that are held up or crash."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from model.detector import Scores
from model.pictures import Image
from model.scoring import ClipScorer
from model.tables import Row
from service.models import Model
from service.records import Score
from service.scorer import Scorer
from tests.model import detectors

Shots = Sequence[tuple[float, Image]]


def shots(count: int, *, seed: int = 0, step: float = detectors.INTERVAL) -> Shots:
    """The frames of `walk`, decoded."""
    return detectors.clip(count, seed=seed, step=step).shots


def rows(of: Model, frames: Shots, *, smoothing: float | None = None) -> list[Row]:
    """What `framewatch score` writes."""
    scorer = ClipScorer(of.detector, smoothing=smoothing)
    return [scored.row for scored in scorer.score(detectors.MemoryClip(frames))]


def assert_equal(scores: Sequence[Score], expected: Sequence[Row]) -> None:
    """From the first full window on."""
    full = [row for row in expected if row.smoothed is not None and row.raw is not None]
    live = [score for score in scores if score.raw is not None]
    assert [score.pts for score in live] == [row.time for row in full]
    for score, row in zip(live, full, strict=True):
        assert score.raw == pytest.approx(row.raw, rel=1e-5, abs=1e-5)
        assert score.score == pytest.approx(row.score, abs=1e-5)
        assert score.smoothed == pytest.approx(row.smoothed, abs=1e-5)
        assert score.state is row.state


def near(value: float | None) -> object:
    return None if value is None else pytest.approx(value, rel=1e-5, abs=1e-5)


def settle(scorer: Scorer) -> None:
    """Until all that was asked of the engine is done."""
    scorer.run(lambda: None).result(200)


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
