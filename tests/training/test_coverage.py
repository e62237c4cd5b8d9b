"""Coverage of the scene, on made-up scores of held-out clips."""

from __future__ import annotations

import numpy as np
import pytest

from training.calibrate import NormalStretch
from training.coverage import LIMIT, coverage


def clip(median: float, spread: float, frames: int = 101) -> list[NormalStretch]:
    """One clip's scores: evenly `spread` to both sides of the median."""
    return [NormalStretch(np.arange(frames) / 10, median + spread * np.linspace(-1, 1, frames))]


WITHIN = float(np.linspace(-1, 1, 101).std())


@pytest.mark.parametrize(
    ("medians", "spread", "ratio"),
    [
        ((2.0, 2.0, 2.0), 1.0, 0.0),
        ((1.0, 3.0), 1.0, np.sqrt(2) / WITHIN),
        ((1.0, 2.0, 3.0), 0.5, 1.0 / (0.5 * WITHIN)),
    ],
)
def test_the_ratio_is_the_spread_of_medians_over_the_spread_within(
    medians: tuple[float, ...], spread: float, ratio: float
) -> None:
    found = coverage({str(index): clip(median, spread) for index, median in enumerate(medians)})
    assert found.ratio == pytest.approx(ratio)
    assert found.sufficient == (ratio <= LIMIT)


def test_the_clip_that_looks_newest_is_named() -> None:
    scores = {"01": clip(1.0, 0.1), "night": clip(4.0, 0.1), "03": clip(1.1, 0.1)}
    found = coverage(scores)
    assert found.clip == "night"
    assert found.sufficient is False


def test_a_clip_in_pieces_is_one_clip() -> None:
    whole = clip(2.0, 1.0)[0]
    pieces = [NormalStretch(whole.times[part], whole.raw[part]) for part in (slice(0, 40), slice(40, None))]
    assert coverage({"a": [whole], "b": clip(3.0, 1.0)}) == coverage({"a": pieces, "b": clip(3.0, 1.0)})


@pytest.mark.parametrize(
    ("scores", "name"),
    [({}, None), ({"01": []}, None), ({"01": clip(1, 1)}, "01"), ({"01": clip(1, 0), "02": clip(2, 0)}, "02")],
    ids=["none", "no scores", "one clip", "no spread"],
)
def test_what_cannot_be_known_is_not_claimed(scores: dict[str, list[NormalStretch]], name: str | None) -> None:
    found = coverage(scores)
    assert found.ratio is None
    assert found.sufficient is None
    assert found.clip == name
