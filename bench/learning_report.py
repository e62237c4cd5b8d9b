"""`docs/quality-learned.md`: what cameras that were learned through the service came to, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bench.machine import Host


@dataclass(frozen=True, slots=True)
class Watched:
    """What came of watching one stream for a while.

    Attributes:
        seconds: how long.
        scored: frames.
        lost: frames that were overtaken by newer ones before their turn.
        above: frames whose smoothed score was at the threshold or over it.
        lags: seconds from a frame's capture to its score.
    """

    seconds: float
    scored: int
    lost: int
    above: int
    lags: tuple[float, ...]

    @property
    def rate(self) -> float:
        """Frames scored a second."""
        return self.scored / self.seconds if self.seconds > 0 else 0.0

    def cells(self) -> tuple[str, ...]:
        """In the order of the second table."""
        share = self.lost / max(1, self.scored + self.lost)
        half, nearly = (
            (f"{1000 * float(np.quantile(self.lags, q)):.0f} ms" for q in (0.5, 0.95)) if self.lags else ("–", "–")
        )
        return (f"{self.seconds:.0f} s", f"{self.rate:.1f}", f"{share:.1%}", half, nearly)


@dataclass(frozen=True, slots=True)
class Learned:
    """One camera.

    Attributes:
        name: of its footage.
        length: seconds of the file, which is played again and again.
        size: width × height, and frames a second.
        learning: what the service says of the learning at its end.
        trained: seconds from the training's turn to its end.
        after: of the stream under its own model; None: it could not be learned.
        events: that were opened then.
        meanwhile: the demo stream before, while it was recorded, and while it was trained on.
    """

    name: str
    length: float
    size: str
    learning: dict[str, Any]
    trained: float = 0.0
    after: Watched | None = None
    events: int = 0
    meanwhile: dict[str, Watched] = field(default_factory=dict)

    def cells(self) -> list[str]:
        """In the order of `ROWS`."""
        footage = [f"{self.length:.0f} s, {self.size}", f"{self.learning['recorded'] / 60:.2f} min"]
        report, after = self.learning["report"], self.after
        if report is None or after is None:
            return [*footage, f"{self.learning['state']}: {self.learning['detail']}", *[""] * (len(ROWS) - 3)]
        found, tests = report["calibration"], report["self_test"]
        covered = report["coverage"]["ratio"]
        return [
            *footage,
            f"{report['frames']}; {report['clips']} stretches learned from, {len(report['held_out_clips'])} held out",
            f"{self.trained:.0f} s",
            f"{_figure(report['loss'])}, {_figure(report['held_out_loss'])}",
            *(_self_test(tests, kind) for kind in KINDS),
            "–" if covered is None else f"{covered:.1f}",
            f"{found['theta']:.3g}",
            f"{found['alarms_per_hour']:g} an hour",
            f"{found['alarms']} in {found['minutes']:.2f} min (bound: {found['upper_bound']:.0f} an hour)",
            f"{after.seconds:.0f} s, {after.scored} frames",
            str(self.events),
            f"{after.above / max(1, after.scored):.1%}",
        ]


BEFORE, RECORDED, TRAINED = "before", "while it is recorded", "while it is trained on"
KINDS = ("double speed", "backwards", "foreign object")
ROWS = (
    "file, played again and again",
    "recorded",
    "pictures",
    "trained in",
    "error on the stretches learned from, on held-out ones",
    *(f"self-test, {kind}: caught, ROC-AUC" for kind in KINDS),
    "coverage",
    "threshold (theta)",
    "false alarms to expect",
    "seen on held-out footage (95 % bound)",
    "scored afterwards",
    "false alarms then",
    "frames at or over the threshold then",
)


@dataclass(frozen=True, slots=True)
class LearningRun:
    """Everything that a run measured.

    Attributes:
        command: that repeats it.
        date: ISO 8601, UTC.
        host: the machine.
        load: of the machine when it began, the mean of five minutes.
        nice: how far trainings stepped back; None: as the service has them.
        minutes: that were asked for at most.
        cameras: in the order of the table.
    """

    command: str
    date: str
    host: Host
    load: float
    nice: int | None
    minutes: float
    cameras: Sequence[Learned]


def markdown(run: LearningRun) -> str:
    """The whole page."""
    hurried = "" if run.nice is None else f" Trainings ran at nice {run.nice} instead of 19, so as to get a turn."
    columns = [camera.cells() for camera in run.cameras]
    rows = [_row(name, *cells) for name, cells in zip(ROWS, zip(*columns, strict=True), strict=True)]
    parts = [
        "# Quality of learned cameras",
        f"Measured by `{run.command}` on {run.date}, with a load of {run.load:.1f} from other work when it began. "
        f"{run.host}.{hurried} This page is written by that command.",
        "`framewatch serve` with videos as cameras that have no model. Each is learned over HTTP as a user would, "
        f"`POST /v1/streams/{{id}}/learn`, for as long as its file lasts, half a minute at least and {run.minutes:g} "
        "min at most, and is scored by its own model afterwards.",
        "\n".join([_row("", *(camera.name for camera in run.cameras)), _row(*["---"] * (1 + len(columns))), *rows]),
        "**What this does not say.** The files are seconds to a minute long and are played again and again: where one "
        "is shorter than the recording, the held-out stretches show once more what was learned from, and so does what "
        "is scored afterwards. That neither raises alarms says that learning works, not how a camera will do on a new "
        "day. All of it is normal, so nothing could be missed; what a model catches only the self-test tells. A "
        "threshold that rests on some seconds of held-out footage is carried far beyond what was seen, and the bound "
        "says so: half an hour is the least for a threshold that means something.",
        "## Scoring meanwhile",
        "The demo stream, scored by the demo's model all the while: frames scored a second, the share of frames that "
        "newer ones overtook, and the time from a frame to its score.",
        "\n".join(
            [
                _row("camera", "", "for", "frames/s", "overtaken", "lag, half of them", "95 %"),
                _row(*["---"] * 7),
                *(_row(one.name, when, *other.cells()) for one in run.cameras for when, other in one.meanwhile.items()),
            ]
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _self_test(tests: Sequence[dict[str, Any]], kind: str) -> str:
    test = next((one for one in tests if one["kind"] == kind), None)
    return "–" if test is None else f"{test['caught']} of {test['episodes']}, {_figure(test['auc'])}"


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"
