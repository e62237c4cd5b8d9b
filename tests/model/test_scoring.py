"""Footage in, rows out: warming up, breaks in a clip, sources of other rates, repairs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from model import scoring
from model.encoder import EncoderName
from model.frames import Repair
from model.scoring import BATCH, IN_FLIGHT, ClipScorer
from model.states import State
from tests.model.detectors import ENCODERS, INTERVAL, MemoryClip, clip, detector, pictures
from tests.model.scored import close, rows, same, score, stamped

WINDOW = detector().config.window


@pytest.mark.parametrize("encoder", ENCODERS)
def test_rows_before_the_first_full_window_carry_its_score(encoder: EncoderName) -> None:
    model = detector(encoder)
    window = model.config.window
    table = rows(clip(window + 5), model)
    first = table[window - 1]
    for row in table[: window - 1]:
        assert (row.raw, row.score, row.smoothed, row.state) == (first.raw, first.score, None, State.WARMING)
    assert all(row.state is not State.WARMING and row.smoothed is not None for row in table[window - 1 :])


def test_warming_rows_never_enter_smoothed() -> None:
    first = rows(clip(WINDOW + 5))[WINDOW - 1]
    assert first.smoothed == first.score
    table = rows(clip(WINDOW + 5), smoothing=100.0)
    scores = [row.score for row in table[WINDOW - 1 :] if row.score is not None]
    means = [row.smoothed for row in table[WINDOW - 1 :]]
    assert means == pytest.approx([np.mean(scores[: n + 1]) for n in range(len(scores))])


def test_heat_maps_come_with_windows_only() -> None:
    scored = score(clip(WINDOW + 3))
    assert [frame.heat is None for frame in scored] == [True] * (WINDOW - 1) + [False] * 4


def test_every_row_comes_with_its_picture() -> None:
    source = clip(WINDOW + 3)
    for frame, (_, image) in zip(score(source), source.shots, strict=True):
        assert np.array_equal(frame.image, image)


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("short", [1, 2, -1])
def test_clip_shorter_than_a_window_is_padded_with_its_first_frame(encoder: EncoderName, short: int) -> None:
    model = detector(encoder)
    window = model.config.window
    count = short if short > 0 else window + short
    images = [model.prepare(image).image for image in pictures(count)]
    padded = torch.from_numpy(np.stack([images[0]] * (window - count) + images))
    raw = float(model.score_window(padded).raw)
    table = rows(clip(count), model)
    assert len(table) == count
    for row in table:
        assert row.raw == pytest.approx(raw) and row.score == pytest.approx(raw / (raw + float(model.theta)))
        assert row.smoothed is None and row.state is State.WARMING


def test_one_frame_alone_moves_nothing_and_scores_0() -> None:
    assert [(row.raw, row.score) for row in rows(clip(1))] == [(0.0, 0.0)]


def test_clip_of_36_frames_has_a_row_for_each() -> None:
    table = rows(clip(36))
    assert [row.frame for row in table] == list(range(36))
    assert all(row.score is not None and np.isfinite(row.score) for row in table)


def test_empty_clip_has_no_rows() -> None:
    assert rows(MemoryClip([])) == []


def broken(kind: str, before: int, after: int) -> MemoryClip:
    """A clip of two stretches with something between them that no window may span."""
    shots = list(clip(before + after).shots)
    head, tail = shots[:before], shots[before:]
    if kind == "a hole":
        tail = [(pts + 1.0, image) for pts, image in tail]
    elif kind == "a jump back":
        tail = [(pts - 100.0, image) for pts, image in tail]
    else:
        tail = [(pts, np.repeat(np.repeat(image, 2, axis=0), 2, axis=1)) for pts, image in tail]
    return MemoryClip([*head, *tail])


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize(
    ("kind", "reason"), [("a hole", "gap"), ("a jump back", "backwards"), ("a change of size", "size change")]
)
def test_break_empties_the_window_and_the_mean(kind: str, reason: str, encoder: EncoderName) -> None:
    model = detector(encoder)
    window = model.config.window
    source = broken(kind, window + 4, window + 6)
    table = rows(source, model)
    head, tail = table[: window + 4], table[window + 4 :]
    assert tail[0].reason == reason
    for row in tail[: window - 1]:  # they repeat the last score
        assert row.raw is None and row.smoothed is None and row.state is State.WARMING
        assert row.score == head[-1].score
    alone = rows(MemoryClip(source.shots[window + 4 :]), model)
    for row, other in zip(tail[window - 1 :], alone[window - 1 :], strict=True):
        assert close(row.raw, other.raw) and close(row.smoothed, other.smoothed) and row.state == other.state


def test_break_before_the_first_full_window_pads_what_came_before() -> None:
    source = broken("a hole", 3, WINDOW + 2)
    table = rows(source)
    padded = rows(MemoryClip(source.shots[:3]))
    assert all(close(row.raw, other.raw) for row, other in zip(table[:3], padded, strict=True))
    assert all(row.state is State.WARMING for row in table[: 3 + WINDOW - 1])
    assert table[3 + WINDOW - 1].smoothed == table[3 + WINDOW - 1].score


def test_small_step_is_no_break() -> None:
    stamps = np.cumsum([0.0] + [0.1, 0.1, 0.06, 0.14, 0.2] * 5).tolist()
    table = rows(stamped(stamps))
    assert not any(row.reason for row in table[1:])
    assert all(row.smoothed is not None for row in table[WINDOW - 1 :])


def test_faster_source_repeats_the_last_score_and_says_so() -> None:
    source = clip(60, step=INTERVAL / 2)
    scorer = ClipScorer(detector())
    table = [scored.row for scored in scorer.score(source)]
    taken = rows(MemoryClip(source.shots[::2]))
    assert scorer.repeated == 30
    assert all(
        same(replace(row, frame=0, reason=""), replace(other, frame=0, reason=""))
        for row, other in zip(table[::2], taken, strict=True)
    )
    for before, row in list(pairwise(table))[2 * WINDOW :: 2]:
        assert row.reason == "thinned" and row.raw is None
        assert (row.score, row.smoothed, row.state) == (before.score, before.smoothed, before.state)


def test_too_slow_source_says_why_and_has_no_scores() -> None:
    table = rows(clip(20, step=5 * INTERVAL))
    assert [row.frame for row in table] == list(range(20))
    for row in table:
        assert (row.raw, row.score, row.smoothed, row.state) == (None, None, None, State.WARMING)
        assert row.reason == (
            "source slower than half the model's frame rate: its frames come at 2 a second, the model was trained at "
            "10 and needs at least 5"
        )


def test_source_that_is_too_slow_at_first_is_scored_once_it_is_fast_enough() -> None:
    stamps = np.cumsum([0.0] + [0.5] * 6 + [0.1] * 15).tolist()
    table = rows(stamped(stamps))
    assert [row.score for row in table[:7]] == [None] * 7
    assert all(row.reason.startswith("source slower") for row in table[:7])
    assert table[-1].smoothed is not None
    assert [row.frame for row in table] == list(range(22))


def test_source_that_becomes_too_slow_stops_being_scored_and_starts_again() -> None:
    stamps = np.cumsum([0.0] + [0.1] * 15 + [0.5] * 6 + [0.1] * 15).tolist()
    table = rows(stamped(stamps))
    assert table[14].smoothed is not None and table[-1].smoothed is not None
    assert [row.score for row in table[19:22]] == [None] * 3


def test_first_window_that_fills_very_late_holds_only_so_much_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "MOST_HELD", 10 * pictures(1)[0].nbytes)
    read: list[int] = []
    source = replace(clip(200, step=INTERVAL / 1000), on_read=read.append)
    frames = ClipScorer(detector()).score(source)
    first = next(frames)
    assert first.row.state is State.WARMING and len(read) < 12 + (3 + IN_FLIGHT) * 4 * BATCH
    rest = list(frames)
    assert len(rest) == 199 and all(frame.row.score == first.row.score for frame in rest)


def test_flipped_frames_are_turned_and_counted() -> None:
    source = clip(20)
    turned = MemoryClip([(pts, image[::-1] if n % 3 == 1 else image) for n, (pts, image) in enumerate(source.shots)])
    scorer = ClipScorer(detector(), repair=Repair(flip=True))
    table = [scored.row for scored in scorer.score(turned)]
    assert scorer.flipped == 7
    assert all(same(one, other) for one, other in zip(table, rows(source), strict=True))
    untouched = ClipScorer(detector())
    assert not all(same(scored.row, other) for scored, other in zip(untouched.score(turned), table, strict=True))
    assert untouched.flipped == 0


def test_own_smoothing_replaces_the_models() -> None:
    table = rows(clip(20), smoothing=0.0)
    assert all(row.smoothed == row.score for row in table[WINDOW - 1 :])


def test_colour_model_is_given_colour() -> None:
    asked = []

    @dataclass(frozen=True)
    class Colour(MemoryClip):
        def frames(self, *, colour: bool = False, **options: Any) -> Iterator[Any]:
            asked.append(colour)
            return super().frames(colour=colour, **options)

    shots = [(pts, np.stack([image] * 3, axis=2)) for pts, image in clip(8).shots]
    assert len(rows(Colour(shots), detector(colour=True))) == 8
    rows(Colour(clip(8).shots))
    assert asked == [True, False]
