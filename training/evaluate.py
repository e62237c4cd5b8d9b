"""How good a checkpoint is on labelled footage: the causal live chain and the offline one, side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.checkpoint import Checkpoint
from model.clips import Clip, FolderClip, bad_footage, frame_total
from model.fitting import fitting
from model.footage import Footage
from model.frames import Geometry, PictureSizeError, Repair
from model.offline import Offline
from model.progress import Progress
from model.scoring import ClipScorer
from model.smoothing import Smoothing, normalize
from model.tables import Row
from training.corrupt import Corrupted
from training.events import ClipStates, event_metrics
from training.frame_metrics import Curves, base_rate, curves, frame_metrics, frame_values, macro_auc
from training.labels import load_labels
from training.masks import MaskSource
from training.metrics import Metrics
from training.pixel_auc import PixelAuc
from training.plots import plot_evaluation
from training.timeline import ClipTimeline

OFFLINE = Offline(align="centre", smooth=Smoothing("gaussian", 1.0))
"""The offline column: centred windows, Gaussian over a second."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a checkpoint is worth on labelled footage.

    Attributes:
        metrics: every figure.
        curves: ROC and precision-recall curves, by column; None where the frames are of one class.
        rows: the rows of the live chain, by clip.
        labels: bool, one a frame, by clip.
    """

    metrics: Metrics
    curves: dict[str, Curves | None]
    rows: dict[str, list[Row]]
    labels: dict[str, NDArray[np.bool_]]


def evaluate(
    checkpoint: Checkpoint,
    footage: Footage,
    labels: Path,
    *,
    masks: Path | None = None,
    repair: Repair | None = None,
    corrupt_seed: int | None = None,
    skip_bad: bool = False,
    plot: Path | None = None,
    say: Callable[[str], None],
    progress: Progress,
) -> Evaluation:
    """Scores labelled footage and compares.

    Args:
        checkpoint: its detector on the device and in the precision to evaluate.
        footage: the clips.
        labels: npz, CSV, `.mat` or a folder of masks; see `training.labels`.
        masks: pixel masks for the heat maps.
        repair: which repairs frames get (default: noise).
        corrupt_seed: put the competition's corruption on the frames, drawn from this seed.
        skip_bad: leave out frames that cannot be read or whose aspect is not that of their clip.
        plot: a PNG of the curves and every clip's timeline.
        say: called with what the user should know.
        progress: shows how far it is.

    Raises:
        FootageError, PictureSizeError: the footage cannot be read or does not fit the model.
        LabelError: labels or masks do not fit the footage.
    """
    detector = checkpoint.detector
    numbers = _look(footage.clips, detector.config.geometry, skip_bad, progress)
    left_out = {clip.name: _left_out(clip, numbers[clip.name]) for clip in footage.clips}
    truth = load_labels(labels, numbers, left_out=left_out, warn=say)
    source = None if masks is None else MaskSource(masks, numbers, left_out=left_out, warn=say)
    clips: list[Clip] = list(footage.clips)
    if corrupt_seed is not None:
        clips = [Corrupted(clip, corrupt_seed) for clip in clips]
    scorer = ClipScorer(detector, repair=repair)
    pixels = PixelAuc()
    rows: dict[str, list[Row]] = {}
    timelines = []
    seconds = 0.0
    with progress("scoring", sum(map(len, numbers.values()))) as tick:
        for clip in clips:
            kept: list[Row] = []
            timeline = ClipTimeline(clip.name, labelled=True)
            started = time.perf_counter()
            for scored in scorer.score(clip, skip_bad=skip_bad, on_bad=say):
                seconds += time.perf_counter() - started
                if source is not None and scored.heat is not None:
                    pixels.add(scored.heat, source.mask(clip.name, scored.row.frame))
                timeline.add(scored.row, abnormal=bool(truth[clip.name][len(kept)]))
                kept.append(scored.row)
                tick(1)
                started = time.perf_counter()
            seconds += time.perf_counter() - started
            rows[clip.name] = kept
            timelines.append(timeline)
    causal = {name: frame_values(kept) for name, kept in rows.items()}
    offline = {name: frame_values(list(OFFLINE.apply(kept, detector.config))) for name, kept in rows.items()}
    found = {"causal": curves(truth, causal), "offline": curves(truth, offline)}
    rate = base_rate(truth, causal)
    frames = sum(map(len, rows.values()))
    metrics = Metrics(
        causal=frame_metrics(truth, causal),
        offline=frame_metrics(truth, offline),
        base_rate=rate,
        pixel_auc=None if source is None else pixels.value(),
        events=event_metrics([ClipStates.from_rows(rows[name], truth[name]) for name in rows]),
        frames_per_second=frames / seconds if seconds else 0.0,
        frames=frames,
        clips=len(rows),
        skipped_clips=macro_auc(truth, causal).skipped,
    )
    if scorer.flipped:
        say(f"flip repair turned {scorer.flipped} of {frames} frames")
    if plot is not None:
        plot_evaluation(plot, timelines, found, base_rate=rate)
    return Evaluation(metrics, found, rows, truth)


def normalized_per_video(evaluation: Evaluation) -> dict[str, NDArray[np.float64]]:
    """The causal values of each clip, min-max normalised over the clip, as papers often do; no live stream can."""
    names = list(evaluation.rows)
    values = normalize([frame_values(evaluation.rows[name]) for name in names], "video")
    return dict(zip(names, values, strict=True))


def _look(clips: Sequence[Clip], geometry: Geometry, skip_bad: bool, progress: Progress) -> dict[str, list[int]]:
    """The frame numbers of each clip; what is bad or does not fit the model is said before anything is scored."""
    bad: list[str] = []
    numbers: dict[str, list[int]] = {}
    with progress("checking footage", frame_total(clips)) as tick:
        for clip in clips:
            found = numbers.setdefault(clip.name, [])
            try:
                for frame in fitting(clip, geometry, skip_bad=True, on_bad=bad.append):
                    found.append(frame.number)
                    tick(1)
            except PictureSizeError as error:
                raise PictureSizeError(f"clip {clip.name}, {error}") from error
    if bad and not skip_bad:
        raise bad_footage(bad)
    return numbers


def _left_out(clip: Clip, read: Sequence[int]) -> list[int]:
    """Numbers of the frames that cannot be read; of a video, which counts from 0, those up to its last good one."""
    every = [number for number, _ in clip.files] if isinstance(clip, FolderClip) else range(max(read, default=-1) + 1)
    return sorted(set(every) - set(read))
