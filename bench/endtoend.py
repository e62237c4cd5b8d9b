"""What is timed: decoding alone, and the whole way from files to a table of scores."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from model.atomic import open_atomic
from model.detector import Detector
from model.footage import Footage
from model.scoring import ClipScorer
from model.tables import Row, write_csv


def frames_of(footage: Footage) -> int:
    """How many frames there are, by decoding them all; they are in the page cache afterwards."""
    return sum(1 for clip in footage.clips for _ in clip.frames())


def decode(footage: Footage) -> float:
    """Seconds to decode every frame to luma, one after the other, and do nothing with it."""
    started = time.perf_counter()
    for clip in footage.clips:
        for _ in clip.frames():
            pass
    return time.perf_counter() - started


def score(detector: Detector, footage: Footage, out: Path, *, on_frame: Callable[[int], object] | None = None) -> float:
    """Seconds of what `framewatch score` does with footage once the model is loaded: decode, score, write the CSV.

    Args:
        detector: on its device, in its precision.
        footage: opened.
        out: the table to write.
        on_frame: called with 1 for each row.
    """
    started = time.perf_counter()
    scorer = ClipScorer(detector)

    def rows() -> Iterator[Row]:
        for clip in footage.clips:
            for scored in scorer.score(clip):
                if on_frame is not None:
                    on_frame(1)
                yield scored.row

    with open_atomic(out) as table:
        write_csv(rows(), table)
    return time.perf_counter() - started
