"""The self-test on a scorer whose answers are known."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

import training.selftest
from model.clips import Clip
from model.detector import Detector
from model.scoring import ScoredFrame
from model.states import State
from model.tables import Row
from tests.model.detectors import clip, detector
from training.corrupt import Altered, Backwards, ForeignObject
from training.selftest import EPISODE_SECONDS, SelfTest, self_test

Level = Callable[[Clip, int], float | None]
NORMAL = 0.1


def row(name: str, number: int, time: float, level: float | None) -> Row:
    state = State.WARMING if level is None else State.ANOMALOUS if level >= 0.5 else State.NORMAL
    return Row(name, number, time, level, 0.2 if level is None else level, level, state)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[[Level], None]:
    """Puts a scorer in place whose `smoothed` is a function of clip and frame."""

    def use(level: Level) -> None:
        class Known:
            def __init__(self, model: Detector) -> None:
                pass

            def score(self, source: Clip, *, skip_bad: bool = False) -> Iterator[ScoredFrame]:
                for index, frame in enumerate(source.frames()):
                    yield ScoredFrame(row(source.name, index, frame.pts, level(source, index)), None, frame.image)

        monkeypatch.setattr(training.selftest, "ClipScorer", Known)

    return use


def run(clips: list[Clip] | None = None) -> dict[str, SelfTest]:
    return {test.kind: test for test in self_test(detector(), clips or [clip(200), clip(120, name="02")])}


def warming(level: Level) -> Level:
    return lambda source, index: None if index < 10 else level(source, index)


def test_each_kind_is_tried(answers: Callable[[Level], None]) -> None:
    answers(lambda source, index: NORMAL)
    assert list(run()) == ["double speed", "backwards", "foreign object"]


def test_what_is_always_anomalous_is_always_caught(answers: Callable[[Level], None]) -> None:
    answers(warming(lambda source, index: 0.9 if isinstance(source, Altered) else NORMAL))
    for test in run().values():
        assert test.caught == test.episodes > 0
        assert test.auc == 1.0


def test_what_looks_as_usual_is_not_caught(answers: Callable[[Level], None]) -> None:
    answers(warming(lambda source, index: NORMAL))
    for test in run().values():
        assert test.caught == 0
        assert test.auc == 0.5


def test_footage_that_is_abnormal_throughout_counts_in_episodes_of_five_seconds(
    answers: Callable[[Level], None],
) -> None:
    answers(warming(lambda source, index: NORMAL))
    found = run([clip(200)])
    assert EPISODE_SECONDS == 5.0
    assert found["double speed"].episodes == 2  # 10 seconds are left of 20
    assert found["backwards"].episodes == 4


def test_one_anomalous_frame_catches_its_episode_and_no_other(answers: Callable[[Level], None]) -> None:
    answers(warming(lambda source, index: 0.9 if isinstance(source, Backwards) and index == 60 else NORMAL))
    found = run([clip(200)])
    assert found["backwards"].caught == 1
    assert found["double speed"].caught == 0


def test_an_episode_without_a_score_is_not_counted(answers: Callable[[Level], None]) -> None:
    answers(lambda source, index: None if index < 60 else NORMAL)
    found = run([clip(200)])
    assert found["backwards"].episodes == 3


def test_a_foreign_object_counts_where_it_shows(answers: Callable[[Level], None]) -> None:
    def level(source: Clip, index: int) -> float:
        shows = isinstance(source, ForeignObject) and bool(source.labels(index + 1)[index])
        return 0.9 if shows else NORMAL

    answers(warming(level))
    found = run([clip(200)])["foreign object"]
    labels = ForeignObject(clip(200), 0).labels(200)
    passes = int(np.count_nonzero(np.diff(np.r_[0, labels.astype(int)]) == 1))
    assert found.episodes == found.caught == passes
    assert found.auc == 1.0


def test_an_alarm_before_the_object_comes_does_not_count(answers: Callable[[Level], None]) -> None:
    def level(source: Clip, index: int) -> float:
        shows = isinstance(source, ForeignObject) and bool(source.labels(index + 1)[index])
        return NORMAL if shows or not isinstance(source, ForeignObject) else 0.9

    answers(warming(level))
    assert run([clip(200)])["foreign object"].caught == 0


def test_clips_without_any_score_say_nothing(answers: Callable[[Level], None]) -> None:
    answers(lambda source, index: None)
    for test in run([clip(8)]).values():
        assert (test.caught, test.episodes, test.auc) == (0, 0, None)


def test_a_real_detector_gives_figures_and_tells_every_frame() -> None:
    ticks: list[int] = []
    tests = self_test(detector(), [clip(40)], on_frame=lambda: ticks.append(1))
    assert [test.kind for test in tests] == ["double speed", "backwards", "foreign object"]
    assert all(test.auc is not None and 0 <= test.auc <= 1 for test in tests)
    assert len(ticks) == 40 + 20 + 40 + 40
