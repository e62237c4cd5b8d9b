"""Whether the footage covers the scene: do held-out clips look alike to the model?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.calibrate import NormalStretch

LIMIT = 1.6
"""Ratio above which more footage is needed: 1.0 to 1.2 was seen where it sufficed, 2.5 to 2.8 where it did not."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How differently held-out clips score.

    Attributes:
        ratio: spread of the clips' medians over the spread within clips (standard deviations); None where fewer than
            two held-out clips have scores.
        clip: the clip that looks newest to the model.
    """

    ratio: float | None
    clip: str | None

    @property
    def sufficient(self) -> bool | None:
        return None if self.ratio is None else self.ratio <= LIMIT


def coverage(scores: Mapping[str, Sequence[NormalStretch]]) -> Coverage:
    """Compares held-out normal clips: where some look new as a whole, the footage lacks what they show."""
    raws = {name: np.concatenate([s.raw for s in parts]) for name, parts in scores.items() if parts}
    if not raws:
        return Coverage(None, None)
    medians = {name: float(np.median(raw)) for name, raw in raws.items()}
    newest = max(medians, key=lambda name: medians[name])
    within = float(np.median([raw.std() for raw in raws.values()]))
    if len(raws) < 2 or within <= 0:
        return Coverage(None, newest)
    return Coverage(float(np.std(list(medians.values()), ddof=1)) / within, newest)
