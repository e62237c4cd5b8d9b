"""Tampering in the service: events of their own kind, scores that say so, a reference that outlives a restart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from model.frames import reference_of
from model.states import State
from model.tampering import Reference
from service.events import Change, EventClosed, EventTracker, TamperingTracker
from service.records import Score, StreamRecord
from service.sentry import Sentry
from service.store import Store
from tests.model.detectors import pictures
from tests.service import live

LETTERS = {"-": "", "c": "covered", "m": "moved"}


def score(seq: int, *, state: State = State.ANOMALOUS, reliable: bool = True) -> Score:
    at = 1000.0 + seq
    return Score("door", seq, seq, float(seq), at, at + 0.5, 1.0, 0.6, 0.6, 1.0, state, reliable=reliable)


def said(changes: list[Change]) -> list[tuple[str, str, int]]:
    return [
        ("closed", change.event.reason, change.event.last_seq or 0)
        if isinstance(change, EventClosed)
        else ("opened", change.event.reason, change.event.first_seq)
        for change in changes
    ]


@pytest.mark.parametrize(
    ("letters", "expected"),
    [
        ("----", []),
        ("-cc-", [("opened", "covered", 2), ("closed", "covered", 3)]),
        ("mmc", [("opened", "moved", 1), ("closed", "moved", 2), ("opened", "covered", 3)]),
    ],
)
def test_a_tampering_event_lasts_as_long_as_the_same_thing_is_wrong(
    letters: str, expected: list[tuple[str, str, int]]
) -> None:
    tracker = TamperingTracker("door", 3)
    found = [change for seq, letter in enumerate(letters, 1) for change in tracker.push(score(seq), LETTERS[letter])]
    assert said(found) == expected
    assert {change.event.kind for change in found} <= {"tampering"}


def test_tampering_in_a_muted_time_is_muted() -> None:
    tracker = TamperingTracker("door", 3)
    (opened,) = tracker.push(score(1), "moved", muted_until=2000.0)
    assert opened.event.muted
    assert said(tracker.end()) == [("closed", "moved", 1)]
    assert tracker.end() == []


def test_scores_that_are_not_reliable_open_no_anomaly_and_close_the_one_that_is_open() -> None:
    tracker = EventTracker("door", 3)
    opened = tracker.push(score(1))
    closed = tracker.push(score(2, reliable=False))
    assert said(opened + closed) == [("opened", "", 1), ("closed", "tampering", 1)]
    assert tracker.push(score(3, reliable=False)) == []


def test_a_reference_is_kept_with_its_stream_and_gone_with_it(tmp_path: Path) -> None:
    picture = np.arange(36 * 64, dtype=np.uint32).reshape(36, 64).astype(np.uint8)
    with Store.open(tmp_path) as store:
        store.put_stream(StreamRecord("door", "Door", None))
        store.put_references({"door": Reference(picture, True, 2.5), "gone": Reference(picture, True)})
    with Store.open(tmp_path) as store:
        found = store.reference("door")
        assert found is not None and np.array_equal(found.picture, picture)
        assert (found.matched, found.longest_still) == (True, 2.5)
        assert store.reference("gone") is None
        store.delete_stream("door")
        assert store.reference("door") is None


def test_scores_are_stored_with_what_they_are_worth(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        store.commit_scores([score(1), score(2, reliable=False)]).result()
        assert [one.reliable for one in store.scores("door")] == [True, False]


def test_a_sentry_begins_with_the_models_reference_and_ends_with_its_own() -> None:
    model = live.model()
    sentry = Sentry()
    assert sentry.reference is None
    for at, image in enumerate(pictures(20)):
        assert sentry.judge(model, at * 0.5, image) == ""
    assert sentry.reference is not None and sentry.reference.matched
    black = np.zeros_like(pictures(1)[0])
    said = [sentry.judge(model, 10 + at * 0.5, black) for at in range(20)]
    assert said[-1] == sentry.tampering == "covered"
    sentry.accept()
    assert sentry.judge(model, 30.0, black) == ""


def test_a_sentry_that_begins_anew_judges_by_the_models_reference() -> None:
    model, learned, sentry = live.model(), live.model(), Sentry()
    turned = [np.ascontiguousarray(image[::-1]) for image in pictures(40)]
    for at, image in enumerate([*pictures(20), *turned[:20]]):
        sentry.judge(model, at * 0.5, image)
    assert sentry.tampering == "flipped"
    learned.detector.reference.copy_(torch.from_numpy(reference_of(turned[0])))
    assert sentry.judge(learned, 20.0, turned[0]) == "flipped", "a new model alone does not end it"
    sentry.begin_anew()
    assert {sentry.judge(learned, 21 + at * 0.5, image) for at, image in enumerate(turned[20:])} == {""}


def test_a_stream_with_another_source_is_judged_anew(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        store.put_stream(StreamRecord("door", "Door", None))
        store.put_references({"door": Reference(np.zeros((36, 64), np.uint8), True)})
        store.forget_reference("door")
        assert store.reference("door") is None


def test_a_judgement_that_fails_costs_no_score(monkeypatch: pytest.MonkeyPatch) -> None:
    sentry = Sentry()
    assert sentry.judge(live.model(), 0.0, np.zeros((0, 0), dtype=np.uint8)) == ""
    assert sentry.judge(live.model(), 1.0, pictures(1)[0]) == ""
