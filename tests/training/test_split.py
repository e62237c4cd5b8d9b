"""Held-out footage: whole clips or whole stretches, never a frame that was learned from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from model.clips import Clip
from model.footage import open_footage
from tests.model.detectors import INTERVAL, MemoryClip, clip, pictures
from tests.training.drawn import write_clips, write_moving_video
from training.split import FEWEST_CLIPS, HELD_OUT, Split, split


def spans(clips: Sequence[Clip]) -> list[tuple[float, float]]:
    stamps = [[frame.pts for frame in clip.frames()] for clip in clips]
    return [(found[0], found[-1]) for found in stamps]


def parted(clips: Sequence[Clip], *, seed: int = 0, shortest: float = 0.0) -> Split:
    return split(clips, spans(clips), seed=seed, shortest=shortest)


def shown(clips: Sequence[Clip]) -> list[tuple[str, int]]:
    """Every frame: the clip it was filmed in, and its number."""
    return [(clip.name.partition("#")[0], frame.number) for clip in clips for frame in clip.frames()]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("lengths", [[50], [50, 20], [30, 30, 30], [40, 7, 25, 31], [9] * 5, [5] * 12])
def test_no_frame_is_on_both_sides_and_none_is_lost(lengths: list[int], seed: int) -> None:
    clips = [clip(length, name=f"{index:02d}") for index, length in enumerate(lengths)]
    parts = parted(clips, seed=seed)
    learned, held_out = shown(parts.train), shown(parts.held_out)
    assert learned
    assert held_out
    assert sorted(learned + held_out) == sorted(shown(clips))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("lengths", [(40, 25), (25, 40), (30, 30)])
def test_no_frame_of_recordings_put_one_behind_the_other_is_lost(lengths: tuple[int, int], seed: int) -> None:
    """Their time stamps begin anew on the way, so that they say nothing about a frame's place."""
    stamps = [n * INTERVAL for length in lengths for n in range(length)]
    joined = MemoryClip(list(zip(stamps, pictures(len(stamps)), strict=True)), "joined")
    other = clip(20, name="other")
    jumping = {"joined": len(stamps)}
    parts = split([joined, other], [(0.0, 6.3), *spans([other])], jumping, seed=seed, shortest=4 * INTERVAL)
    assert parts.train and parts.held_out
    found = shown(parts.train) + shown(parts.held_out)
    assert sorted(found) == sorted(shown([joined, other]))
    for part in parts.train + parts.held_out:
        assert abs((part.frame_count or 0) - len(shown([part]))) <= 1


@pytest.mark.parametrize("count", [5, 6, 10, 16])
def test_a_fifth_of_many_clips_is_held_out_whole(count: int) -> None:
    clips = [clip(4, name=f"{index:02d}") for index in range(count)]
    parts = parted(clips)
    assert len(parts.held_out) == max(1, round(HELD_OUT * count))
    assert {held.name for held in parts.held_out} <= {whole.name for whole in clips}


def test_the_seed_chooses_the_clips_and_nothing_else_does() -> None:
    clips = [clip(4, name=f"{index:02d}") for index in range(12)]
    chosen = [[held.name for held in parted(clips, seed=seed).held_out] for seed in (0, 0, 1, 2, 3)]
    assert chosen[0] == chosen[1]
    assert len({tuple(names) for names in chosen}) > 1


def test_few_clips_are_cut_by_their_length() -> None:
    clips = [clip(80, name="long"), clip(20, name="short")]
    parts = parted(clips)
    names = [part.name for part in parts.train + parts.held_out]
    assert len(names) == 2 * FEWEST_CLIPS
    assert sum(name.startswith("long#") for name in names) == 8


@pytest.mark.parametrize(("frames", "stretches"), [(101, 10), (25, 2), (13, 1), (2, 1), (1, 1)])
def test_no_stretch_is_too_short_for_windows(frames: int, stretches: int) -> None:
    parts = parted([clip(frames)], shortest=10 * INTERVAL)
    assert len({part.name for part in parts.train + parts.held_out}) == stretches


def test_one_clip_too_short_to_be_cut_is_on_both_sides() -> None:
    parts = parted([clip(13)], shortest=10 * INTERVAL)
    assert parts.train == parts.held_out
    assert len(shown(parts.train)) == 13


@pytest.mark.parametrize("kind", ["folder", "video"])
def test_stretches_of_files_know_their_length(tmp_path: Path, kind: str) -> None:
    path = write_clips(tmp_path / "f", 1, 43) if kind == "folder" else write_moving_video(tmp_path / "v.mp4", 43)
    with open_footage([path], fps=10) as footage:
        parts = parted(footage.clips)
        stretches = parts.train + parts.held_out
        counts = [sum(1 for _ in stretch.frames()) for stretch in stretches]
        assert sum(counts) == 43
        for stretch, count in zip(stretches, counts, strict=True):
            assert stretch.frame_count is not None
            assert abs(stretch.frame_count - count) <= 1
            assert stretch.interval == pytest.approx(0.1)
            assert stretch.check() == []
