"""Training as `framewatch train` does it, timed; and how much of it a run of the quality benchmark does."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model.checkpoint import Checkpoint
from model.footage import open_footage
from service.commands.opening import Machine
from service.progress import Reporter
from training.report import TrainReport
from training.settings import TrainSettings
from training.train import train


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is done: everything, or just enough to see that it works.

    Attributes:
        clips: clips of each folder; None: all.
        settings: of the training, apart from its seed and its encoder.
    """

    clips: int | None = None
    settings: TrainSettings = dataclasses.field(default_factory=TrainSettings)

    def of_seed(self, seed: int) -> TrainSettings:
        return dataclasses.replace(self.settings, seed=seed)

    def choose(self, folder: Path) -> list[Path]:
        """The clips of a folder that take part."""
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))[: self.clips]


@dataclass(frozen=True, slots=True)
class Trained:
    """A finished training run.

    Attributes:
        checkpoint: loaded again from its file, ready to score.
        report: what training said of itself.
        seconds: all of it, from opening the footage to the written checkpoint.
    """

    checkpoint: Checkpoint
    report: TrainReport
    seconds: float


def run_training(
    paths: Sequence[Path], out: Path, settings: TrainSettings, reporter: Reporter, *, fps: float | None = None
) -> Trained:
    """Trains as `framewatch train` does by default, and loads what it wrote."""
    device, precision = Machine().start(learning=True)
    started = time.monotonic()
    with open_footage(paths, fps=fps) as footage:
        report = train(
            footage,
            out,
            settings,
            device=device,
            precision=precision,
            command="make quality",
            say=reporter.say,
            progress=reporter.progress,
        )
    if report.interrupted:
        raise KeyboardInterrupt
    return Trained(Machine().load(out), report, time.monotonic() - started)
