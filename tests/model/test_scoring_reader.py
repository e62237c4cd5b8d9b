"""Reading runs a little ahead of scoring, never far, and ends with it."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from model.clips import FootageError
from model.frames import PictureSizeError
from model.scoring import BATCH, ClipScorer
from tests.model.detectors import MemoryClip, clip, detector
from tests.model.scored import rows

WINDOW = detector().config.window


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
    with pytest.raises(PictureSizeError, match="frame 10: picture is 30x90"):
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
    assert ended.wait(120) and readers() == 0
