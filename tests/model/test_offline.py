"""Smoothers and normalisations that may look ahead, over the rows of whole clips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.offline import Offline
from model.scoring import ClipScorer
from model.smoothing import Normalization, Smoothing
from model.states import State
from model.tables import Row
from tests.model.detectors import INTERVAL, clip, config, detector

CONFIG = config(window=5, smoothing=0.3, minimum=0.0)  # the middle of a window lies two frames back
GAUSSIAN = Smoothing("gaussian", 0.2)


def live(
    scores: Sequence[float | None], *, clip: str = "01", times: Sequence[float] | None = None, warming: int = 0
) -> list[Row]:
    """Rows of a live chain without smoothing; the first `warming` of them warm up."""
    rows = []
    for n, score in enumerate(scores):
        warm = n < warming or score is None
        state = State.WARMING if warm else State.ANOMALOUS if score is not None and score >= 0.5 else State.NORMAL
        time = n * INTERVAL if times is None else times[n]
        raw = None if score is None else score / (1 - score)
        rows.append(Row(clip, n, time, raw, score, None if warm else score, state))
    return rows


def apply(rows: list[Row], **options: Any) -> list[Row]:
    return list(Offline(**options).apply(rows, CONFIG))


def column(rows: list[Row], name: str) -> list[Any]:
    return [getattr(row, name) for row in rows]


SCORES = [0.1, 0.1, 0.2, 0.9, 0.8, 0.2, 0.1, 0.1]


@pytest.mark.parametrize(
    ("options", "is_live"),
    [
        ({}, True),
        ({"smooth": Smoothing("rolling", 1.0)}, True),
        ({"smooth": Smoothing("none")}, True),
        ({"smooth": GAUSSIAN}, False),
        ({"align": "centre"}, False),
        ({"normalize": "video"}, False),
        ({"normalize": "global"}, False),
    ],
)
def test_what_looks_ahead_is_not_live(options: dict[str, Any], is_live: bool) -> None:
    assert Offline(**options).live is is_live


@pytest.mark.parametrize(
    ("smooth", "seconds"),
    [(None, None), (Smoothing("rolling", 1.5), 1.5), (Smoothing("none"), 0.0), (GAUSSIAN, None)],
)
def test_live_chain_is_told_its_smoothing(smooth: Smoothing | None, seconds: float | None) -> None:
    assert Offline(smooth=smooth).seconds == seconds


def test_without_options_rows_stay_as_they_are() -> None:
    rows = live(SCORES, warming=2)
    assert apply(rows) == rows


def test_gaussian_spreads_a_peak_to_both_sides_and_keeps_the_scores() -> None:
    rows = apply(live([0.0] * 5 + [0.9] + [0.0] * 5), smooth=GAUSSIAN)
    smoothed = column(rows, "smoothed")
    assert column(rows, "score") == [0.0] * 5 + [0.9] + [0.0] * 5
    assert smoothed == pytest.approx(smoothed[::-1]) and max(smoothed) == smoothed[5] > smoothed[4] > smoothed[3] > 0


def test_gaussian_gives_warming_frames_a_value_too() -> None:
    assert None not in column(apply(live(SCORES, warming=4), smooth=GAUSSIAN), "smoothed")


def test_states_follow_the_smoother() -> None:
    peak = [0.1] * 6 + [0.9] + [0.1] * 6
    assert State.ANOMALOUS in column(apply(live(peak)), "state")
    assert set(column(apply(live(peak), smooth=GAUSSIAN), "state")) == {State.NORMAL}


def test_centre_moves_scores_back_by_half_a_window() -> None:
    rows = apply(live(SCORES), align="centre", smooth=Smoothing("none"))
    assert column(rows, "score") == [*SCORES[2:], SCORES[-1], SCORES[-1]]
    assert column(rows, "smoothed") == column(rows, "score")
    assert column(rows, "raw") == pytest.approx([score / (1 - score) for score in column(rows, "score")])
    assert [row.frame for row in rows] == list(range(len(SCORES)))
    assert column(rows, "state")[1:3] == [State.ANOMALOUS] * 2


def test_centre_goes_by_time_and_not_by_rows() -> None:
    times = [n * INTERVAL / 2 for n in range(len(SCORES))]
    rows = apply(live(SCORES, times=times), align="centre", smooth=Smoothing("none"))
    assert column(rows, "score") == [*SCORES[4:], *[SCORES[-1]] * 4]


def test_centre_does_not_reach_over_a_jump_back() -> None:
    times = [10.0, 10.1, 10.2, 10.3, 0.0, 0.1, 0.2, 0.3]
    rows = apply(live(SCORES, times=times), align="centre", smooth=Smoothing("none"))
    assert column(rows, "score") == [0.2, 0.9, 0.9, 0.9, 0.1, 0.1, 0.1, 0.1]


def test_centred_rolling_mean_looks_ahead_as_far_as_back() -> None:
    rows = apply(live([0.0, 0.0, 0.0, 0.9, 0.0, 0.0, 0.0]), align="centre", smooth=Smoothing("rolling", 0.2))
    assert column(rows, "score")[1] == 0.9
    assert column(rows, "smoothed") == pytest.approx([0.45, 0.3, 0.3, 0.0, 0.0, 0.0, 0.0])


def test_model_without_smoothing_can_be_centred() -> None:
    rows = list(Offline(align="centre").apply(live(SCORES), config(window=5, smoothing=0.0)))
    assert column(rows, "smoothed") == column(rows, "score")


def test_frames_without_a_score_stay_without() -> None:
    scores = [0.1, 0.2, None, None, 0.3]
    for options in ({"smooth": GAUSSIAN}, {"align": "centre"}, {"normalize": "video"}):
        rows = apply(live(scores), **options)
        missing = [row for row in rows if row.score is None]
        assert missing and all((row.smoothed, row.state) == (None, State.WARMING) for row in missing)


def test_video_takes_each_clip_by_its_own_range() -> None:
    rows = apply(live([0.2, 0.3, 0.4]) + live([0.5, 0.9], clip="02"), normalize="video")
    assert column(rows, "smoothed") == pytest.approx([0, 0.5, 1, 0, 1])


def test_global_takes_all_clips_by_the_common_range() -> None:
    rows = apply(live([0.2, 0.3, 0.4]) + live([0.5, 1 - 0.4], clip="02"), normalize="global")
    assert column(rows, "smoothed") == pytest.approx([0, 0.25, 0.5, 0.75, 1])
    assert column(rows, "clip") == ["01"] * 3 + ["02"] * 2


@pytest.mark.parametrize("normalize", ["video", "global"])
def test_normalisation_leaves_scores_and_states_of_the_live_chain(normalize: Normalization) -> None:
    before = live(SCORES, warming=3)
    after = apply(before, normalize=normalize)
    for name in ("raw", "score", "state"):
        assert column(after, name) == column(before, name)
    assert column(after, "smoothed")[:3] == [None] * 3


def test_clips_never_mix() -> None:
    one, other = live([0.0] * 5), live([0.9] * 5, clip="02")
    rows = apply(one + other, smooth=GAUSSIAN)
    assert column(rows, "smoothed") == pytest.approx([0.0] * 5 + [0.9] * 5)
    assert column(rows, "state") == [State.NORMAL] * 5 + [State.ANOMALOUS] * 5


def test_one_clip_is_held_at_a_time() -> None:
    taken = 0

    def rows() -> Any:
        nonlocal taken
        for name in ("01", "02", "03"):
            for row in live(SCORES, clip=name):
                taken += 1
                yield row

    next(Offline(smooth=GAUSSIAN).apply(rows(), CONFIG))
    assert taken == len(SCORES) + 1


def test_nothing_gives_nothing() -> None:
    for options in ({}, {"normalize": "global"}, {"align": "centre"}):
        assert apply([], **options) == []


OPTIONS = st.fixed_dictionaries(
    {
        "align": st.sampled_from(["last", "centre"]),
        "smooth": st.sampled_from([None, GAUSSIAN, Smoothing("none"), Smoothing("rolling", 0.5)]),
        "normalize": st.sampled_from(["none", "video", "global"]),
    }
)


@given(scores=st.lists(st.none() | st.floats(0, 0.99), max_size=20), options=OPTIONS)
def test_every_row_comes_out_in_its_place_within_0_and_1(scores: list[float | None], options: dict[str, Any]) -> None:
    rows = live(scores)
    after = apply(rows, **options)
    assert [(row.clip, row.frame, row.time) for row in after] == [(row.clip, row.frame, row.time) for row in rows]
    assert all(-1e-9 <= row.smoothed <= 1 + 1e-9 for row in after if row.smoothed is not None)


def test_live_options_on_real_rows_change_nothing() -> None:
    model = detector()
    rows = [scored.row for scored in ClipScorer(model).score(clip(20, step=INTERVAL / 2))]
    after = list(Offline(smooth=Smoothing("rolling", model.config.smoothing or 1.0)).apply(rows, model.config))
    assert after == rows
    normalized = list(Offline(normalize="video").apply(rows, model.config))
    assert column(normalized, "state") == column(rows, "state")
    known = [row.smoothed for row in normalized if row.smoothed is not None]
    assert (min(known), max(known)) == (0.0, 1.0) and np.isfinite(known).all()
