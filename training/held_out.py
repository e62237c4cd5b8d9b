"""Scores of held-out normal clips: what the threshold and the coverage rest on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from model.clips import Clip
from model.detector import Detector
from model.scoring import ClipScorer
from training.calibrate import NormalStretch


def held_out_scores(
    detector: Detector, clips: Sequence[Clip], *, on_frame: Callable[[], object] | None = None
) -> dict[str, list[NormalStretch]]:
    """Raw scores of clips, in unbroken stretches, by clip name; frames without a window of their own are left out."""
    scorer = ClipScorer(detector)
    result: dict[str, list[NormalStretch]] = {}
    for clip in clips:
        stretches: list[list[tuple[float, float]]] = [[]]
        for scored in scorer.score(clip, skip_bad=True):
            if on_frame is not None:
                on_frame()
            if scored.row.smoothed is None and stretches[-1]:
                stretches.append([])
            elif scored.row.smoothed is not None and scored.row.raw is not None:
                stretches[-1].append((scored.row.time, scored.row.raw))
        result[clip.name] = [
            NormalStretch(np.array([time for time, _ in part]), np.array([raw for _, raw in part]))
            for part in stretches
            if part
        ]
    return result
