"""The demo: draws a street, learns its normal footage, and scores unseen clips with anomalies in them."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from model.atomic import atomic_path, open_atomic
from model.checkpoint import load
from model.detector import Precision
from model.footage import open_footage
from model.progress import Progress
from model.states import State
from model.tables import write_csv
from model.workers import Workers, available_cores
from training.demo_folder import FOOTAGE, Drawn, prepare
from training.drawing import DemoFootage, write_footage
from training.evaluate import Evaluation, evaluate
from training.metrics import Metrics, format_table
from training.performers import Anomaly
from training.plots import plot_timeline
from training.report import TrainReport
from training.scene import Street
from training.settings import TrainSettings
from training.timeline import TimelineRecorder
from training.train import train


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """How much is drawn and learned: what two CPU cores do in two minutes.

    Attributes:
        street: the camera.
        train_clips: normal clips to learn from.
        train_seconds: length of each.
        test_seconds: length of each test clip; two for each anomaly and two normal ones.
        settings: of the training; its seed is the demo's. Half a minute is held out, which says nothing about one
            alarm an hour, so one a minute is allowed; no noisy copy, since no noisy frames are scored.
    """

    street: Street = field(default_factory=Street)
    train_clips: int = 8
    train_seconds: float = 12.0
    test_seconds: float = 14.0
    settings: TrainSettings = field(
        default_factory=lambda: TrainSettings(alarms_per_hour=60.0, steps=450, augment=False)
    )

    def frames(self) -> Drawn:
        """How many frames are drawn."""
        test_clips = 2 * (1 + len(Anomaly))
        train, test = (round(seconds * self.street.fps) for seconds in (self.train_seconds, self.test_seconds))
        return Drawn(self.train_clips, train, test_clips, test)


@dataclass(frozen=True, slots=True)
class KindResult:
    """How the clips of one kind of anomaly fared.

    Attributes:
        kind: name of the anomaly.
        clips: how many there are.
        caught: those with an alarm while the anomaly was in sight.
        highest: highest `smoothed` while it was; None where it never was.
    """

    kind: str
    clips: int
    caught: int
    highest: float | None


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What the demo found.

    Attributes:
        out: the demo's folder.
        training: the training report.
        metrics: on the test clips.
        kinds: anomaly by anomaly.
        normal_clips: test clips where nothing happens.
        false_alarms: those of them with an alarm.
        seconds: how long it all took.
    """

    out: Path
    training: TrainReport
    metrics: Metrics
    kinds: list[KindResult]
    normal_clips: int
    false_alarms: int
    seconds: float

    def to_json(self) -> dict[str, Any]:
        return {
            "out": str(self.out),
            "metrics": self.metrics.to_json(),
            "anomalies": [dataclasses.asdict(kind) for kind in self.kinds],
            "normal_clips": self.normal_clips,
            "normal_clips_with_alarms": self.false_alarms,
            "training": self.training.to_json(),
            "seconds": self.seconds,
        }

    def text(self) -> str:
        """Plain text for the terminal."""
        lines = [format_table(self.metrics), "", f"{'anomaly':<16}{'caught':>8}{'highest':>9}   (the threshold is 0.5)"]
        for kind in self.kinds:
            highest = "-" if kind.highest is None else f"{kind.highest:.2f}"
            lines.append(f"{kind.kind.replace('_', ' '):<16}{f'{kind.caught} of {kind.clips}':>8}{highest:>9}")
        lines.append(f"{'nothing':<16}{f'{self.false_alarms} of {self.normal_clips}':>8}   false alarms")
        model = self.out / "model.safetensors"
        lines += [
            "",
            f"all in {self.seconds:.0f} s; see {self.out}: timeline.png and evaluation.png (plots), scores.csv, "
            "model.report.txt, footage/",
            "",
            "What next:",
            f"  framewatch score {self.out / FOOTAGE / 'test' / '02'} --model {model} --out - | head",
            f"  framewatch info {model}",
            "and with footage of your own camera:",
            "  framewatch train normal.mp4 --out camera.safetensors",
            "  framewatch score other.mp4 --model camera.safetensors --plot timeline.png",
        ]
        return "\n".join(lines)


def run_demo(
    out: Path,
    *,
    seed: int = 0,
    device: torch.device,
    precision: Precision,
    threads: int | None = None,
    plan: DemoPlan | None = None,
    command: str = "framewatch demo",
    say: Callable[[str], None],
    progress: Progress,
) -> DemoReport:
    """Draws, trains, evaluates, and writes everything into one folder.

    Args:
        out: made where it is missing; an older demo's files in it are replaced, nothing else is touched.
        seed: of the people, their walks and the training.
        device: where to compute.
        precision: the encoder's number format.
        threads: CPU threads that frames are shared out to, and processes that draw; None: one a core.
        plan: how much to draw and learn.
        command: for the checkpoint's record.
        say: called with what the user should know on the way.
        progress: shows how far it is.

    Raises:
        DemoError: the folder holds what is not the demo's.
        KeyboardInterrupt: stopped by Ctrl-C; calling again starts anew.
    """
    started = time.monotonic()
    plan = plan or DemoPlan()
    prepare(out, plan.frames())
    say(f"drawing a street into {out / FOOTAGE}")
    drawn = _draw(out / FOOTAGE, plan, seed, threads or available_cores(), progress)
    say("learning what is normal there")
    model = out / "model.safetensors"
    with open_footage([drawn.train], fps=plan.street.fps) as footage:
        settings = dataclasses.replace(plan.settings, seed=seed)
        training = train(
            footage,
            model,
            settings,
            device=device,
            precision=precision,
            threads=threads,
            command=command,
            say=say,
            progress=progress,
        )
    if training.interrupted:
        raise KeyboardInterrupt("the demo is not finished; the same command starts it anew")
    say(training.text())
    say("scoring unseen clips, most of them with an anomaly")
    checkpoint = load(model, device=device)
    checkpoint.detector.with_precision(precision).with_workers(Workers.for_device(device, threads))
    with open_footage([drawn.test], fps=plan.street.fps) as footage:
        evaluation = evaluate(
            checkpoint,
            footage,
            drawn.labels,
            masks=drawn.masks,
            plot=out / "evaluation.png",
            say=say,
            progress=progress,
        )
    with open_atomic(out / "scores.csv") as table:
        write_csv((row for rows in evaluation.rows.values() for row in rows), table)
    _draw_timeline(out / "timeline.png", drawn, plan, evaluation)
    kinds, normal_clips, false_alarms = _by_kind(drawn, evaluation)
    seconds = time.monotonic() - started
    return DemoReport(out, training, evaluation.metrics, kinds, normal_clips, false_alarms, seconds)


def _draw(folder: Path, plan: DemoPlan, seed: int, processes: int, progress: Progress) -> DemoFootage:
    with progress("drawing", plan.frames().total) as tick:
        before = 0

        def drawn(done: int, total: int) -> None:
            nonlocal before
            tick(done - before)
            before = done

        return write_footage(
            folder,
            street=plan.street,
            train_clips=plan.train_clips,
            train_seconds=plan.train_seconds,
            test_seconds=plan.test_seconds,
            seed=seed,
            processes=processes,
            progress=drawn,
        )


def _draw_timeline(path: Path, drawn: DemoFootage, plan: DemoPlan, evaluation: Evaluation) -> None:
    """The plot of `framewatch score --plot`; the pictures are decoded once more, since evaluating keeps none."""
    recorder = TimelineRecorder()
    with open_footage([drawn.test], fps=plan.street.fps) as footage:
        for clip in footage.clips:
            for row, frame in zip(evaluation.rows[clip.name], clip.frames(colour=True), strict=True):
                recorder.add(row, image=frame.image)
    with atomic_path(path) as temporary:
        plot_timeline(temporary, recorder.timelines, left_out=recorder.left_out)


def _by_kind(drawn: DemoFootage, evaluation: Evaluation) -> tuple[list[KindResult], int, int]:
    """Results anomaly by anomaly; and normal clips, and those of them with an alarm."""
    alarms: dict[str, bool] = {}
    peaks: dict[str, float | None] = {}
    for clip, kind in drawn.anomalies.items():
        labels = evaluation.labels[clip]
        seen = [row for row, label in zip(evaluation.rows[clip], labels, strict=True) if kind is None or label]
        alarms[clip] = any(row.state is State.ANOMALOUS for row in seen)
        peaks[clip] = max((row.smoothed for row in seen if row.smoothed is not None), default=None)
    results = []
    for anomaly in Anomaly:
        clips = [clip for clip, kind in drawn.anomalies.items() if kind is anomaly]
        highest = max((peak for clip in clips if (peak := peaks[clip]) is not None), default=None)
        results.append(KindResult(anomaly.value, len(clips), sum(alarms[clip] for clip in clips), highest))
    normal = [clip for clip, kind in drawn.anomalies.items() if kind is None]
    return results, len(normal), sum(alarms[clip] for clip in normal)
