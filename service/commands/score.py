"""`framewatch score`: footage -> a table of scores, streaming."""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TextIO, TypeAlias

from model.atomic import atomic_path, open_atomic
from model.checkpoint import Checkpoint
from model.clips import Clip, frame_total
from model.detector import Detector
from model.fitting import fitting
from model.footage import Footage
from model.frames import PictureSizeError, Repair
from model.offline import Offline
from model.pixelplay import TemplateReport, check_template, write_pixelplay
from model.progress import Tick
from model.scoring import ClipScorer
from model.smoothing import Smoothing
from model.states import State
from model.tables import Row, write_csv, write_jsonl
from service.commands.heatmaps import HeatFiles
from service.commands.opening import Machine, check_outputs, check_plot, make_folder, open_clips
from service.commands.summary import Summary, counted
from service.faults import InputError
from service.progress import Reporter
from training.plots import plot_timeline
from training.timeline import TimelineRecorder

Format: TypeAlias = Literal["csv", "jsonl", "pixelplay"]
STDOUT = Path("-")
NAMES: dict[Format, Path] = {
    "csv": Path("scores.csv"),
    "jsonl": Path("scores.jsonl"),
    "pixelplay": Path("submission.csv"),
}
"""Where scores go if nothing is said."""

_BAD_SHOWN = 20
_TEMPLATE_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Request:
    """What `framewatch score` was asked to do; the options' help says what each is."""

    paths: Sequence[Path]
    model: Path
    out: Path
    format: Format
    fps: float | None
    offline: Offline
    repair: Repair
    heatmaps: Path | None
    plot: Path | None
    template: Path | None
    machine: Machine
    skip_bad: bool
    json: bool


def choose_format(out: Path | None, name: Format | None) -> tuple[Path, Format]:
    """Where the table goes, and its format: by the file's ending where it is not said."""
    if name is None:
        name = "jsonl" if out is not None and out.suffix.lower() == ".jsonl" else "csv"
    return NAMES[name] if out is None else out, name


def run(request: Request) -> None:
    """Scores, writes, and tells what was found.

    Raises:
        InputError, FootageError, CheckpointError, TableError, DeviceError: with a message for the user.
    """
    reporter = Reporter()
    if request.out == STDOUT and sys.__stdout__ is None:
        raise InputError("--out -: standard output is closed; open it, or give a file")
    outputs = {"--out": None if request.out == STDOUT else request.out, "--plot": request.plot}
    check_outputs(outputs, [*request.paths, request.model, *([request.template] if request.template else [])])
    check_plot(request.plot)
    if request.template is not None:
        check_template([], request.template)  # unreadable: said before the work, not after it
    with open_clips(request.paths, request.fps, reporter) as footage:
        if request.format == "pixelplay":
            _check_names(footage)
        checkpoint = request.machine.load(request.model)
        if request.heatmaps is not None:
            make_folder("--heatmaps", request.heatmaps, footage.clips, request.paths)
        _check_first_frames(footage, checkpoint.detector, request.skip_bad)
        _say_what_is_void(checkpoint, request.offline, reporter)
        job = _Job(request, checkpoint.detector, footage, reporter)
        try:
            ids = job.write()
        except KeyboardInterrupt:
            done = "" if request.out == STDOUT else f"{request.out} was not written"
            raise KeyboardInterrupt(*filter(None, [done])) from None
    template = check_template(ids, request.template) if request.template is not None else None
    _report(request, job, template, reporter)
    if template is not None and not template.ok:
        table = "the table" if request.out == STDOUT else request.out
        raise InputError(f"{table} does not have the Ids of {request.template}: {template.describe()}")


class _Job:
    """One run of the scorer over all clips, with all that is made from its frames."""

    def __init__(self, request: Request, detector: Detector, footage: Footage, reporter: Reporter) -> None:
        self.summary = Summary()
        self._request = request
        self._detector = detector
        self._footage = footage
        self._reporter = reporter
        self._recorder = TimelineRecorder() if request.plot is not None else None
        self._heat = HeatFiles(request.heatmaps, float(detector.theta)) if request.heatmaps is not None else None

    def write(self) -> list[str]:
        """Scores everything into the table and the plot; gives the competition's Ids where that is the format."""
        started = time.monotonic()
        scorer = ClipScorer(self._detector, repair=self._request.repair, smoothing=self._request.offline.seconds)
        total = frame_total(self._footage.clips)
        with self._open() as out, self._reporter.progress("scoring", total) as tick:
            with closing(self._frames(scorer, tick)) as live:
                ids = _write_table(self._request.format, self._final(live), out)
            out.flush()
        self.summary.seconds = time.monotonic() - started
        self.summary.flipped, self.summary.repeated = scorer.flipped, scorer.repeated
        if self._recorder is not None and self._request.plot is not None:
            with atomic_path(self._request.plot) as path:
                plot_timeline(path, self._recorder.timelines, left_out=self._recorder.left_out)
        return ids

    def _open(self) -> AbstractContextManager[TextIO]:
        return nullcontext(sys.stdout) if self._request.out == STDOUT else open_atomic(self._request.out)

    def _frames(self, scorer: ClipScorer, tick: Tick) -> Generator[Row]:
        """Rows of the live chain; heat maps and thumbnails are taken in passing, so that no picture is kept."""
        for clip in self._footage.clips:
            self.summary.clips += 1
            try:
                for scored in scorer.score(clip, skip_bad=self._request.skip_bad, on_bad=self._leave_out):
                    if self._heat is not None and scored.heat is not None:
                        self._heat.write(scored.row, scored.heat)
                    if self._recorder is not None and self._request.offline.live:
                        self._recorder.add(scored.row, image=scored.image, heat=scored.heat)
                    tick(1)
                    yield scored.row
            except PictureSizeError as error:  # amid a clip: the first pictures were looked at before
                raise InputError(f"clip {clip.name}, {error}, or leave such frames out with --skip-bad") from error

    def _final(self, live: Iterator[Row]) -> Iterator[Row]:
        """Rows as they go into the table."""
        offline = self._request.offline
        for row in live if offline.live else offline.apply(live, self._detector.config):
            if self._recorder is not None and not offline.live:
                self._recorder.add(row)
            self.summary.add(row)
            yield row

    def _leave_out(self, line: str) -> None:
        self.summary.skipped += 1
        if self.summary.skipped <= _BAD_SHOWN:
            self._reporter.say(f"left out: {line}")


def _write_table(name: Format, rows: Iterator[Row], out: TextIO) -> list[str]:
    if name == "pixelplay":
        return write_pixelplay(rows, out)
    write: Callable[[Iterator[Row], TextIO], int] = write_jsonl if name == "jsonl" else write_csv
    write(rows, out)
    return []


def _check_names(footage: Footage) -> None:
    """Refuses clip names that the competition's Ids cannot hold now, not after hours of scoring."""
    rows = (Row(clip.name, n, 0.0, None, None, None, State.WARMING) for n, clip in enumerate(footage.clips))
    write_pixelplay(rows, io.StringIO())


def _check_first_frames(footage: Footage, detector: Detector, skip_bad: bool) -> None:
    """Refuses a clip that cannot be opened or that the model cannot take before the first one is scored."""
    for clip in footage.clips:
        try:
            _check_first_frame(clip, detector, skip_bad)
        except PictureSizeError as error:
            raise InputError(f"clip {clip.name}, {error}") from error


def _check_first_frame(clip: Clip, detector: Detector, skip_bad: bool) -> None:
    with closing(fitting(clip, detector.config.geometry, skip_bad=skip_bad)) as frames:
        next(frames, None)


def _say_what_is_void(checkpoint: Checkpoint, offline: Offline, reporter: Reporter) -> None:
    """The false-alarm estimate holds for the chain it was made with, and for no other."""
    own = Smoothing("rolling", checkpoint.detector.config.smoothing) if checkpoint.detector.config.smoothing else None
    changed = []
    if offline.smooth is not None and offline.smooth != (own or Smoothing("none")):
        changed.append(f"--smooth {offline.smooth}")
    if offline.align != "last":
        changed.append(f"--align {offline.align}")
    if changed:
        alarms = counted(checkpoint.calibration.alarms_per_hour, "false alarm")
        reporter.say(
            f"with {' and '.join(changed)} the checkpoint's estimate of {alarms} an hour does not hold: "
            f"it was made with {own or 'no smoothing'}"
        )
    if offline.normalize != "none":
        reporter.say(
            f"--normalize {offline.normalize} looks at the whole {'clip' if offline.normalize == 'video' else 'run'}: "
            "`smoothed` has no threshold any more; `state` still follows the scores before it"
        )


def _report(request: Request, job: _Job, template: TemplateReport | None, reporter: Reporter) -> None:
    written = [str(path) for path in (request.out, request.plot, request.heatmaps) if path not in (None, STDOUT)]
    for line in job.summary.lines(request.repair, normalized=request.offline.normalize != "none"):
        reporter.say(line)
    if template is not None and template.ok:
        reporter.say(f"{request.template}: {template.describe()}")
    if written:
        reporter.say(f"wrote {', '.join(written)}")
    if request.json:
        document = {
            "out": str(request.out),
            "format": request.format,
            "model": str(request.model),
            **job.summary.to_json(),
            "template": None if template is None else _template_json(template),
        }
        print(json.dumps(document, indent=2, allow_nan=False))


def _template_json(report: TemplateReport) -> dict[str, object]:
    """Counts, and the first Ids of each kind: all of them could be most of the template."""
    return {
        "missing": len(report.missing),
        "extra": len(report.extra),
        "first_missing": report.missing[:_TEMPLATE_SHOWN],
        "first_extra": report.extra[:_TEMPLATE_SHOWN],
    }
