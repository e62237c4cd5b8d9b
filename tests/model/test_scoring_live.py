"""A live stream and a file are scored alike, whatever else is, and no row knows the future."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model import scoring
from model.bank import Bank
from model.chain import Chain
from model.detector import Detector
from model.encoder import EncoderName
from model.pictures import Image
from model.sampler import Sampler
from model.scoring import ClipScorer
from model.states import State
from model.workers import Workers
from tests.model.detectors import ENCODERS, MemoryClip, clip, detector, pictures
from tests.model.scored import rows, same, stamped

WINDOW = detector().config.window


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
