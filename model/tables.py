"""Score tables: CSV, JSONL, the competition's format."""

from __future__ import annotations

from dataclasses import dataclass

from model.states import State


@dataclass(frozen=True, slots=True)
class Row:
    """The score of one frame (the score chain of the design).

    Attributes:
        clip: name of the clip.
        frame: frame number within the clip.
        time: seconds, the frame's time stamp.
        raw: reconstruction error of the window that ends at this frame, >= 0; None for a frame that was thinned
            out by the sampler and repeats the last score.
        score: `raw / (raw + theta)`, in [0, 1); None where the source is too slow to be scored.
        smoothed: causal mean of `score` over the last seconds; None while warming.
        state: warming, normal or anomalous.
        reason: why there is no score of this frame's own ("" where there is one).
    """

    clip: str
    frame: int
    time: float
    raw: float | None
    score: float | None
    smoothed: float | None
    state: State
    reason: str = ""
