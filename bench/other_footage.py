"""Footage beside Ped2: real clips without labels, and the drawn street."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.training_run import Effort, run_training
from model.footage import open_footage
from model.scoring import ClipScorer
from model.states import State
from service.progress import Reporter
from training.demo import DemoPlan
from training.drawing import write_footage
from training.evaluate import evaluate
from training.metrics import Metrics
from training.report import TrainReport


@dataclass(frozen=True, slots=True)
class UnlabelledResult:
    """What training on normal clips and scoring the same clips gave.

    Attributes:
        name: of the footage.
        report: of the training.
        training_seconds: all included.
        frames: scored.
        anomalous: those in the state `anomalous`; these clips are normal, and most were learned from.
    """

    name: str
    report: TrainReport
    training_seconds: float
    frames: int
    anomalous: int


@dataclass(frozen=True, slots=True)
class StreetResult:
    """What one seed gave on the drawn street.

    Attributes:
        seed: of the people and of the training.
        report: of the training.
        training_seconds: all included.
        metrics: on unseen clips.
    """

    seed: int
    report: TrainReport
    training_seconds: float
    metrics: Metrics


def run_unlabelled(
    name: str, paths: Sequence[Path], effort: Effort, scratch: Path, reporter: Reporter
) -> UnlabelledResult:
    """Trains on clips (seed 0) and scores them."""
    reporter.say(name)
    trained = run_training(paths, scratch / "other.safetensors", effort.of_seed(0), reporter)
    scorer = ClipScorer(trained.checkpoint.detector)
    frames = anomalous = 0
    with open_footage(paths) as footage, reporter.progress("scoring", None) as tick:
        for clip in footage.clips:
            for scored in scorer.score(clip):
                frames += 1
                anomalous += scored.row.state is State.ANOMALOUS
                tick(1)
    return UnlabelledResult(name, trained.report, trained.seconds, frames, anomalous)


def run_street(seed: int, effort: Effort, scratch: Path, reporter: Reporter) -> StreetResult:
    """Draws the demo's footage, trains on it and measures."""
    reporter.say(f"the drawn street, seed {seed}")
    plan = DemoPlan()
    with reporter.progress("drawing", plan.frames().total) as tick:

        def drawn_one(done: int, total: int) -> None:
            tick(1)

        drawn = write_footage(
            scratch / f"street-{seed}",
            street=plan.street,
            train_clips=plan.train_clips,
            train_seconds=plan.train_seconds,
            test_seconds=plan.test_seconds,
            seed=seed,
            progress=drawn_one,
        )
    fps = plan.street.fps
    normal = effort.choose(drawn.train)
    trained = run_training(normal, scratch / "street.safetensors", effort.of_seed(seed), reporter, fps=fps)
    with open_footage(effort.choose(drawn.test), fps=fps) as test:
        evaluation = evaluate(
            trained.checkpoint,
            test,
            drawn.labels,
            masks=drawn.masks,
            say=lambda line: None,
            progress=reporter.progress,
        )
    return StreetResult(seed, trained.report, trained.seconds, evaluation.metrics)
