"""The child that learns: it takes a back seat, trains on recorded clips, and says how far it is."""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from model.clips import Clip, FolderClip
from model.footage import open_footage
from model.progress import Progress, Tick
from service import faults
from service.learning.recording import FPS
from service.wire import Message, Wire

LITTLE: Final = 10.0
"""Minutes below which a report says that they are few."""

_STAGES: Final = {
    "checking footage": (0.0, 0.08),
    "encoding": (0.08, 0.5),
    "learning": (0.5, 0.85),
    "calibrating": (0.85, 0.9),
    "self-test": (0.9, 1.0),
}
"""Parts of the whole that the stages of a training take."""

EXPENDABLE: Final = "500"
"""Of 1000: a system that is short of memory ends a training before the service."""

_NEWS: Final = 0.5  # seconds between two words about the progress


def main(descriptor: int) -> None:
    """Does the one order that comes over the wire: `clips` and `out` (paths), `nice`, `threads`, `command`,
    `choices`."""
    wire = Wire.adopt(descriptor)
    order = wire.receive()
    if order is None:
        return
    with suppress(OSError):
        os.nice(order.number("nice"))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(EXPENDABLE)
    threading.Thread(target=_end_with, args=(wire,), daemon=True).start()
    try:
        report = learn(
            Path(order.text("clips")),
            Path(order.text("out")),
            threads=order.number("threads"),
            command=order.text("command"),
            choices=order.head["choices"],
            progress=Told(wire),
        )
        wire.send(Message("done", {"report": report}))
    except BaseException as error:
        code, reason = faults.explain(error)
        trace = traceback.format_exc() if code == faults.BUG else ""
        with suppress(OSError):
            wire.send(Message("failed", {"reason": reason, "trace": trace}))


def learn(
    clips: Path,
    out: Path,
    *,
    threads: int | None,
    command: str,
    choices: dict[str, Any],
    progress: Progress,
    device: str = "cpu",
    say: Callable[[str], None] = lambda said: None,
) -> dict[str, Any]:
    """Trains on a recording, and goes on with a training of it that was cut off.

    Args:
        clips: folder of a `Recording`.
        out: checkpoint to write.
        threads: of the processor; None: one a core.
        command: for the checkpoint's record.
        choices: fields of `TrainSettings`.
        progress: shows how far it is.
        device: auto, cpu, cuda or cuda:N; in a service the device is for scoring.
        say: called with what a user should know on the way.

    Returns:
        The report: `text`, `notes`, minutes of footage, what is expected of the threshold, coverage, self-test.

    Raises:
        FootageError, TrainError: it cannot be learned from.
    """
    from model.device import choose_device
    from training.fit import ResumeError
    from training.settings import TrainSettings
    from training.train import partial_checkpoint, train

    def run(resume: bool) -> dict[str, Any]:
        with open_footage([clips], fps=FPS) as footage:
            settings = TrainSettings(**{"frame_interval": mean_interval(footage.clips), **choices})
            report = train(
                footage,
                out,
                settings,
                device=choose_device(device),
                precision="float32",
                threads=threads,
                skip_bad=True,
                resume=resume,
                command=command,
                say=say,
                progress=progress,
            )
        facts = report.to_json()
        facts["text"] = report.text()
        facts["notes"] = notes(report.minutes)
        return facts

    partial = partial_checkpoint(out)
    try:
        return run(resume=partial.exists())
    except ResumeError:
        partial.unlink(missing_ok=True)
        return run(resume=False)


def mean_interval(clips: list[Clip]) -> float | None:
    """Seconds between the pictures of a recording in the mean: thinning leaves steps of two lengths."""
    spans = [
        (clip.files[-1][0] - clip.files[0][0], len(clip.files) - 1) for clip in clips if isinstance(clip, FolderClip)
    ]
    steps = sum(count for _, count in spans)
    total = sum(span for span, _ in spans)
    return total / steps / FPS if steps and total > 0 else None


def notes(minutes: float) -> list[str]:
    """What a person should know who activates the model."""
    if minutes >= LITTLE:
        return []
    return [
        f"{minutes:.1f} minutes were learned from, which is little: what did not happen in them will look new. Half an "
        "hour or more, at the times that matter, makes fewer false alarms"
    ]


class Told:
    """The progress of a training as messages."""

    def __init__(self, wire: Wire | None = None) -> None:
        self._wire = wire
        self._said = 0.0

    @contextmanager
    def __call__(self, label: str, total: int | None, unit: str = "frame") -> Iterator[Tick]:
        begin, end = _STAGES.get(label, (0.0, 0.0))
        done = 0

        def tick(more: int) -> None:
            nonlocal done
            done += more
            part = min(1.0, done / total) if total else 0.0
            of = f" of {total}" if total and done <= total else ""
            self._say(begin + (end - begin) * part, f"{label}: {done}{of} {unit}s")

        yield tick

    def _say(self, progress: float, detail: str) -> None:
        now = time.monotonic()
        if self._wire is not None and now - self._said >= _NEWS:
            self._said = now
            self._wire.send(Message("progress", {"progress": progress, "detail": detail}))


def _end_with(wire: Wire) -> None:
    """Ends this process when the service has ended, whatever it does."""
    with suppress(Exception):
        while wire.receive() is not None:
            pass
    os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]))
