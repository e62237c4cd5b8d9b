"""Clips scored for tests, and rows compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from model.clips import Clip
from model.detector import Detector
from model.scoring import ClipScorer, ScoredFrame
from model.tables import Row
from tests.model.detectors import MemoryClip, detector, pictures


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
    """Equal, numbers to 1e-5."""
    numbers = all(close(getattr(one, name), getattr(other, name)) for name in ("raw", "score", "smoothed"))
    return numbers and replace(one, raw=None, score=None, smoothed=None) == replace(
        other, raw=None, score=None, smoothed=None
    )
