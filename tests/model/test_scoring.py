"""Footage in, rows out: the live chain over clips, causal, in bounded memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model import scoring
from model.bank import Bank
from model.chain import Chain
from model.clips import Clip, FootageError
from model.detector import Detector
from model.encoder import EncoderName
from model.frames import PictureSizeError, Repair
from model.pictures import Image
from model.sampler import Sampler
from model.scoring import BATCH, ClipScorer, ScoredFrame
from model.states import State
from model.tables import Row
from model.workers import Workers
from tests.model.detectors import ENCODERS, INTERVAL, MemoryClip, clip, detector, pictures

WINDOW = detector().config.window


def score(source: Clip, model: Detector | None = None, **options: Any) -> list[ScoredFrame]:
    return list(ClipScorer(model or detector(), **options).score(source))


def rows(source: Clip, model: Detector | None = None, **options: Any) -> list[Row]:
    return [scored.row for scored in score(source, model, **options)]


def stamped(stamps: Sequence[float], seed: int = 0) -> MemoryClip:
    """Frames of moving things at given time stamps."""
    return MemoryClip(list(zip(stamps, pictures(len(stamps), seed=seed), strict=True)))


def close(one: float | None, other: float | None) -> bool:
    return one is other if one is None or other is None else abs(one - other) <= 1e-5


def same(one: Row, other: Row) -> bool:
    numbers = all(close(getattr(one, name), getattr(other, name)) for name in ("raw", "score", "smoothed"))
    return numbers and replace(one, raw=None, score=None, smoothed=None) == replace(
        other, raw=None, score=None, smoothed=None
    )


# --- the chain, live and from a file ---------------------------------------------------------------------------------


@dataclass
class Live:
    """A stream as a server has it: frames come one by one, are scored in whatever batches, beside other streams."""

    model: Detector
    bank: Bank
    images: list[Image] = field(default_factory=list)
    waiting: list[tuple[float, bool]] = field(default_factory=list)
    results: dict[float, tuple[float, float, float, State]] = field(default_factory=dict)
    masks: dict[float, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.slot = self.bank.open()
        self.sampler = Sampler(self.model.config.frame_interval)
        self.chain = Chain(self.model.config, float(self.model.theta))

    def offer(self, pts: float, image: Image) -> None:
        decision = self.sampler.offer(pts, (image.shape[0], image.shape[1]))
        if decision.take:
            self.images.append(self.model.prepare(image).image)
            self.waiting.append((pts, decision.restart))


def flush(streams: list[Live]) -> None:
    """Scores what waits of all streams in one batch, their frames interleaved."""
    model, bank = streams[0].model, streams[0].bank
    longest = max(len(stream.images) for stream in streams)
    order = [(stream, n) for n in range(longest) for stream in streams if n < len(stream.images)]
    if order:
        images = torch.from_numpy(np.stack([stream.images[n] for stream, n in order]))
        windows = bank.push([stream.slot for stream, _ in order], images, [stream.waiting[n][1] for stream, n in order])
        raws = model.score(windows).raw.tolist()
        for position, ((stream, n), raw, ready) in enumerate(zip(order, raws, windows.ready, strict=True)):
            pts, restart = stream.waiting[n]
            scored = stream.chain.push(pts, raw if ready else None, restart=restart)
            stream.masks[pts] = windows.cell[windows.frame == position].tolist()
            if scored is not None:
                stream.results[pts] = (scored.raw, scored.score, scored.smoothed, scored.state)
    for stream in streams:
        stream.images, stream.waiting = [], []


STAMPS = st.lists(st.sampled_from([0.1, 0.1, 0.1, 0.1, 0.05, 0.2, 0.33, 2.0]), min_size=12, max_size=30)


@pytest.mark.parametrize("encoder", ENCODERS)
@given(steps=st.tuples(STAMPS, STAMPS), cuts=st.sets(st.integers(0, 30)), other_cuts=st.sets(st.integers(0, 30)))
@settings(max_examples=5)
def test_live_scores_are_the_files_in_whatever_batches_beside_whatever_streams(
    encoder: EncoderName, steps: tuple[list[float], list[float]], cuts: set[int], other_cuts: set[int]
) -> None:
    model = detector(encoder)
    sources = []
    for seed, stream_steps in enumerate(steps):
        stamps = np.cumsum([0.0, *stream_steps]).tolist()
        sources.append(stamped(stamps, seed))

    def live(cut: set[int]) -> list[Live]:
        bank = model.bank()
        streams = [Live(model, bank) for _ in sources]
        for n in range(max(len(source.shots) for source in sources)):
            for stream, source in zip(streams, sources, strict=True):
                if n < len(source.shots):
                    stream.offer(*source.shots[n])
            if n in cut:
                flush(streams)
        flush(streams)
        return streams

    for stream, again, source in zip(live(cuts), live(other_cuts), sources, strict=True):
        expected = {
            row.time: (row.raw, row.score, row.smoothed, row.state)
            for row in rows(source, model)
            if row.smoothed is not None and row.raw is not None
        }
        assert stream.results.keys() == expected.keys()
        for pts, (raw, value, smoothed, state) in stream.results.items():
            assert expected[pts][:3] == pytest.approx((raw, value, smoothed), rel=0, abs=1e-5)
            assert expected[pts][3] == state
        assert stream.masks == again.masks  # which cells move is exact


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("batch", [1, 3, 64])
def test_size_of_the_batches_does_not_matter(encoder: EncoderName, batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = rows(clip(25), detector(encoder))
    monkeypatch.setattr(scoring, "BATCH", batch)
    assert all(same(one, other) for one, other in zip(rows(clip(25), detector(encoder)), expected, strict=True))


def test_workers_do_not_matter(one_thread: None) -> None:
    results = []
    for count in (1, 3):
        workers = Workers(count)
        try:
            results.append(rows(clip(20), detector().with_workers(workers)))
        finally:
            workers.close()
    assert results[0] == results[1]
    assert all(same(one, other) for one, other in zip(results[0], rows(clip(20)), strict=True))


def test_twice_gives_the_same_bits() -> None:
    assert rows(clip(20)) == rows(clip(20))


def test_one_scorer_scores_clip_after_clip_as_if_each_were_alone() -> None:
    scorer = ClipScorer(detector())
    together = [scored.row for n in range(3) for scored in scorer.score(clip(15, seed=n, name=str(n)))]
    alone = [row for n in range(3) for row in rows(clip(15, seed=n, name=str(n)))]
    assert all(same(one, other) for one, other in zip(together, alone, strict=True))


def test_clips_scored_at_the_same_time_do_not_mix() -> None:
    scorer = ClipScorer(detector())
    pairs = list(zip(scorer.score(clip(20, seed=1)), scorer.score(clip(20, seed=2)), strict=True))
    for seed, column in ((1, 0), (2, 1)):
        expected = rows(clip(20, seed=seed))
        assert all(same(pair[column].row, other) for pair, other in zip(pairs, expected, strict=True))


# --- causality -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoder", ENCODERS)
@given(end=st.integers(WINDOW, 24), seed=st.integers(1, 100), steps=st.lists(st.sampled_from([0.1, 0.05, 0.5, -0.4])))
@settings(max_examples=5)
def test_from_the_first_full_window_on_no_row_knows_the_future(
    encoder: EncoderName, end: int, seed: int, steps: list[float]
) -> None:
    model = detector(encoder)
    end = max(end, model.config.window)
    known = clip(24).shots[:end]
    stamps = known[-1][0] + np.cumsum([0.1, *steps])
    future = list(zip(stamps.tolist(), pictures(len(stamps), seed=seed), strict=True))
    one, other = rows(MemoryClip(clip(24).shots), model), rows(MemoryClip([*known, *future]), model)
    assert all(same(a, b) for a, b in zip(one[:end], other[:end], strict=True))


# --- warming up ------------------------------------------------------------------------------------------------------


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


# --- gaps ------------------------------------------------------------------------------------------------------------


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


# --- other rates -----------------------------------------------------------------------------------------------------


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
    for row in table[4:]:
        assert (row.raw, row.score, row.smoothed, row.state) == (None, None, None, State.WARMING)
        assert row.reason == (
            "source slower than half the model's frame rate: its frames come at 2 a second, the model was trained at "
            "10 and needs at least 5"
        )
    assert not any(row.smoothed for row in table)


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
    assert first.row.state is State.WARMING and len(read) < 12 + 3 * 4 * BATCH
    rest = list(frames)
    assert len(rest) == 199 and all(frame.row.score == first.row.score for frame in rest)


# --- repairs ---------------------------------------------------------------------------------------------------------


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


# --- faults, and the reader ------------------------------------------------------------------------------------------


def failing(at: int) -> MemoryClip:
    def fail(number: int) -> None:
        if number == at:
            raise FootageError(f"frame {number}: truncated")

    return replace(clip(40), on_read=fail)


def readers() -> int:
    return sum(thread.name == "framewatch-reader" for thread in threading.enumerate())


@pytest.mark.parametrize("at", [0, 1, 20, 39])
def test_frame_that_cannot_be_read_ends_the_scoring_with_its_reason(at: int) -> None:
    scorer = ClipScorer(detector())
    with pytest.raises(FootageError, match=f"frame {at}: truncated"):
        list(scorer.score(failing(at)))
    assert readers() == 0
    assert len(list(scorer.score(clip(10)))) == 10  # the slot is free again


def test_picture_that_does_not_fit_the_model_ends_the_scoring() -> None:
    shots = list(clip(20).shots)
    shots[10] = (shots[10][0], np.zeros((90, 30), np.uint8))
    with pytest.raises(PictureSizeError, match="picture is 30x90"):
        rows(MemoryClip(shots))
    assert readers() == 0


def test_reader_is_never_more_than_a_few_batches_ahead() -> None:
    read: list[int] = []
    source = replace(clip(300), on_read=read.append)
    ahead = 0
    frames = ClipScorer(detector()).score(source)
    for done, _ in enumerate(frames, 1):
        if done % 10 == 1:
            time.sleep(0.002)  # a slow reader of rows
        ahead = max(ahead, len(read) - done)
        if done == 120:
            break
    frames.close()
    assert ahead <= WINDOW + 8 * BATCH + 2
    assert len(read) < 300


@pytest.mark.parametrize("taken", [1, WINDOW, 50])
def test_closing_early_ends_the_reading_at_once(taken: int) -> None:
    ended = threading.Event()
    source = replace(clip(500), on_end=ended.set)
    frames = ClipScorer(detector()).score(source)
    for _ in range(taken):
        next(frames)
    frames.close()
    assert ended.is_set() and readers() == 0


def test_scorer_that_was_never_asked_for_a_row_starts_no_reader() -> None:
    frames = ClipScorer(detector()).score(clip(5))
    assert readers() == 0
    frames.close()


def test_fault_of_whoever_takes_the_rows_ends_the_reading() -> None:
    ended = threading.Event()

    def take() -> None:
        for scored in ClipScorer(detector()).score(replace(clip(500), on_end=ended.set)):
            if scored.row.frame == 20:
                raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        take()
    assert ended.wait(10) and readers() == 0
