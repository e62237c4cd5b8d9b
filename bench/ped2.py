"""Ped2, one seed: train with the default settings, then measure all that `docs/quality.md` says about it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from bench import endtoend
from bench.training_run import Effort, run_training
from model.checkpoint import Checkpoint
from model.footage import Footage, open_footage
from model.frames import Repair
from service.progress import Reporter
from training.evaluate import Evaluation, evaluate, normalized_per_video
from training.frame_metrics import FrameMetrics, frame_metrics
from training.metrics import Metrics
from training.report import TrainReport

CORRUPTION_SEED = 0
"""Fixed, so that every model meets the same spoilt frames."""


@dataclass(frozen=True, slots=True)
class Ped2Result:
    """What one seed gave.

    Attributes:
        seed: of the training.
        report: of the training.
        training_seconds: all included.
        clean: on the test clips as they are.
        corrupted: on the same clips spoilt, with both repairs on.
        frames_per_second: decode to CSV.
    """

    seed: int
    report: TrainReport
    training_seconds: float
    clean: Metrics
    corrupted: Metrics
    frames_per_second: float


@dataclass(frozen=True, slots=True)
class WholeFramesResult:
    """What one seed gave with `--encoder pixels`, where this project started.

    Attributes:
        seed: of the training.
        causal: on the clean clips.
        per_video: the same, each clip stretched to 0..1 by its own minimum and maximum.
    """

    seed: int
    causal: FrameMetrics
    per_video: FrameMetrics


def run_seed(data: Path, seed: int, effort: Effort, scratch: Path, reporter: Reporter) -> Ped2Result:
    """Trains and measures.

    Args:
        data: `FRAMEWATCH_DATA`.
        seed: of the training.
        effort: how much is done.
        scratch: an empty folder for checkpoints and tables.
        reporter: shows how far it is.
    """
    normal = effort.choose(data / "ped2/training/frames")
    settings = effort.of_seed(seed)
    reporter.say(f"Ped2, seed {seed}")
    main = run_training(normal, scratch / "stem.safetensors", settings, reporter, fps=10)
    with open_footage(effort.choose(data / "ped2/testing/frames"), fps=10) as test:
        clean = _evaluate(main.checkpoint, test, data, reporter)
        spoilt = evaluate(
            main.checkpoint,
            test,
            data / "ped2/labels.npz",
            repair=Repair(noise=True, flip=True),
            corrupt_seed=CORRUPTION_SEED,
            say=reporter.say,
            progress=reporter.progress,
        )
        frames = clean.metrics.frames
        seconds = endtoend.score(main.checkpoint.detector, test, scratch / "scores.csv")
    return Ped2Result(
        seed=seed,
        report=main.report,
        training_seconds=main.seconds,
        clean=clean.metrics,
        corrupted=spoilt.metrics,
        frames_per_second=frames / seconds,
    )


def run_whole_frames(data: Path, seed: int, effort: Effort, scratch: Path, reporter: Reporter) -> WholeFramesResult:
    """Trains on raw pixels of the whole frame, and measures; arguments as for `run_seed`."""
    reporter.say(f"Ped2, seed {seed}, whole frames (--encoder pixels)")
    settings = dataclasses.replace(effort.of_seed(seed), encoder="pixels", self_test=False)
    normal = effort.choose(data / "ped2/training/frames")
    trained = run_training(normal, scratch / "pixels.safetensors", settings, reporter, fps=10)
    with open_footage(effort.choose(data / "ped2/testing/frames"), fps=10) as test:
        found = _evaluate(trained.checkpoint, test, data, reporter)
    return WholeFramesResult(seed, found.metrics.causal, frame_metrics(found.labels, normalized_per_video(found)))


def _evaluate(checkpoint: Checkpoint, test: Footage, data: Path, reporter: Reporter) -> Evaluation:
    return evaluate(
        checkpoint,
        test,
        data / "ped2/labels.npz",
        masks=data / "ped2/testing/masks",
        say=lambda line: None,
        progress=reporter.progress,
    )
