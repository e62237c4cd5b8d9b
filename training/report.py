"""What a training run says at its end."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from model.detector import Calibration
from model.encoder import EncoderName
from training.coverage import LIMIT, Coverage
from training.selftest import SelfTest


@dataclass(frozen=True, slots=True)
class TrainReport:
    """What was learned from, how well, and what to expect.

    Attributes:
        clips: clips learned from.
        held_out_clips: names of the clips held out.
        frames: frames in all clips.
        minutes: minutes of footage.
        bad: frames or files left out.
        encoder: what windows are of: moving cells (`stem`) or whole frames (`pixels`).
        windows: windows seen.
        steps: steps of the fit.
        best_step: the step whose weights were kept.
        loss: training error there.
        held_out_loss: held-out error there.
        calibration: the threshold and what it rests on.
        self_test: how made anomalies were caught.
        coverage: whether the footage covers the scene.
        seconds: how long training took.
        interrupted: stopped by Ctrl-C; the best weights so far were kept.
    """

    clips: int
    held_out_clips: list[str]
    frames: int
    minutes: float
    bad: int
    encoder: EncoderName
    windows: int
    steps: int
    best_step: int
    loss: float | None
    held_out_loss: float | None
    calibration: Calibration
    self_test: list[SelfTest]
    coverage: Coverage
    seconds: float
    interrupted: bool

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {"sufficient_footage": self.calibration.sufficient}

    def text(self) -> str:
        """Plain text for the terminal."""
        c = self.calibration
        alarms = f"{c.alarms_per_hour:g} false alarm{'' if c.alarms_per_hour == 1 else 's'}"
        of_cells = " of moving cells" if self.encoder == "stem" else ""
        lines = [
            f"learned from {self.clips} clips, {len(self.held_out_clips)} held out; {self.frames} frames "
            f"({self.minutes:.1f} min), {self.windows} windows{of_cells}, {self.seconds:.0f} s",
            f"error {_figure(self.loss)} on the clips learned from, {_figure(self.held_out_loss)} on held-out clips "
            f"(best at step {self.best_step} of {self.steps})",
            f"threshold {c.theta:.4g}, for at most {alarms} an hour; {c.alarms} seen on "
            f"{c.minutes:.1f} min of held-out normal footage (95 % bound: {c.upper_bound:.3g} an hour)",
        ]
        if not c.sufficient:
            how = "carried beyond it along the tail of its peaks" if c.extrapolated else "taken from it"
            lines.append(f"insufficient footage: under an hour was held out, so the threshold is {how}")
        if self.bad:
            lines.append(f"{self.bad} frames or files could not be read and were left out")
        for test in self.self_test:
            auc = "" if test.auc is None else f", ROC-AUC {test.auc:.3f}"
            lines.append(f"self-test, {test.kind}: caught {test.caught} of {test.episodes}{auc}")
        lines.append(self._coverage())
        if self.interrupted:
            lines.append("interrupted: the best weights so far were kept")
        return "\n".join(lines)

    def _coverage(self) -> str:
        ratio, clip = self.coverage.ratio, self.coverage.clip
        if ratio is None:
            return "coverage: unknown, fewer than two held-out clips; more footage tells"
        if self.coverage.sufficient:
            return f"coverage: held-out clips look alike to the model (spread {ratio:.1f})"
        return (
            f"coverage: more footage needed, of the kind in clip {clip}: held-out clips look unlike each other "
            f"to the model (spread {ratio:.1f}, over {LIMIT:g})"
        )


def _figure(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"
