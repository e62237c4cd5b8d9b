"""Labels in a form that can be compared."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def listed(labels: dict[str, NDArray[np.bool_]]) -> dict[str, list[int]]:
    """0 or 1 a frame, by clip."""
    return {clip: values.astype(int).tolist() for clip, values in labels.items()}
