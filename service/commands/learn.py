"""`framewatch learn`: a camera's normal footage is recorded, and a checkpoint made of it, without a service."""

from __future__ import annotations

import json
import queue
import re
import threading
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import typer

from model.atomic import real_path
from model.pictures import MAX_PIXELS, PictureError
from service.addresses import redact
from service.commands.opening import Machine, check_outputs
from service.faults import INTERRUPTED, InputError
from service.learning.child import learn
from service.learning.recording import Recording, RecordingFull, RecordingLimits
from service.learning.scratch import scratch_folder
from service.progress import Reporter
from service.readers.supervisor import Readers
from service.records import Health, IncomingFrame
from training.train import partial_checkpoint

MOST_BYTES: Final = 20_000_000_000
LEAST: Final = 5.0
"""Seconds of footage below which nothing can be learned."""

_NAME: Final = "camera"
_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)([smh])")


@dataclass(frozen=True, slots=True)
class Request:
    """What `framewatch learn` was asked to do."""

    source: str
    seconds: float
    out: Path
    machine: Machine
    json: bool
    command: str


@dataclass(frozen=True, slots=True)
class _Anywhere:
    """How a source is read that the user of this machine names: it may be anywhere."""

    sources: Mapping[str, str | int | Path]
    open_timeout_s: float = 10.0
    read_timeout_s: float = 10.0
    stalled_after_s: float = 5.0
    identical_after_s: float = 60.0
    camera_networks: tuple[str, ...] = ("0.0.0.0/0", "::/0")
    max_frame_bytes: int = 32 * 2**20
    max_pixels: int = MAX_PIXELS


@dataclass(slots=True)
class _Heard:
    """What was last said of the source."""

    health: Health = Health.CONNECTING
    reason: str = ""
    over: threading.Event = field(default_factory=threading.Event)

    def __call__(self, stream: str, health: Health, reason: str, error_class: str) -> None:
        self.health, self.reason = health, reason
        if health in (Health.ENDED, Health.FAILED):
            self.over.set()


def parse_duration(text: str) -> float:
    """Seconds of `90s`, `30m`, `1h30m`.

    Raises:
        InputError: it is none, or under 6 seconds, or over a day.
    """
    parts = _PART.findall(text)
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != text or not 6 <= seconds <= 86_400:
        raise InputError(f"--for {text}: expected a time such as 90s, 30m or 1h30m, from 6s to 24h")
    return seconds


def run(request: Request) -> None:
    """Records, trains, writes the checkpoint, and prints the report.

    Raises:
        InputError, FootageError, TrainError, ...: with a message for the user.
        typer.Exit: interrupted, but a checkpoint was kept.
    """
    reporter = Reporter()
    if request.out.suffix.lower() != ".safetensors":
        raise InputError(f"--out {request.out}: a checkpoint's name ends in .safetensors")
    source = _source(request.source)
    check_outputs({"--out": request.out}, [source] if isinstance(source, Path) else [])
    request.machine.start(learning=True)
    partial = partial_checkpoint(request.out)
    with scratch_folder(real_path(request.out).parent) as folder:
        recording = Recording(folder, RecordingLimits(MOST_BYTES))
        _record(request, source, recording, reporter)
        recording.tidy()
        if recording.seconds < LEAST:
            raise InputError(
                f"{redact(request.source)}: {recording.seconds:.1f} seconds were recorded, which is too little: "
                f"{LEAST:g} at least, half an hour is better"
            )
        partial.unlink(missing_ok=True)
        try:
            report = learn(
                folder,
                request.out,
                threads=request.machine.threads,
                command=request.command,
                choices={},
                progress=reporter.progress,
                device=request.machine.device,
                say=reporter.say,
            )
        finally:
            partial.unlink(missing_ok=True)  # its footage goes now: nothing could go on with it
    print(
        json.dumps(report, indent=2, allow_nan=False) if request.json else "\n".join([report["text"], *report["notes"]])
    )
    if report["interrupted"]:
        reporter.say(f"framewatch: interrupted; {request.out} holds the best so far")
        raise typer.Exit(INTERRUPTED)


def _source(text: str) -> str | int | Path:
    """A URL, the number of a webcam, or a file."""
    if "://" in text:
        return text
    if text.isdecimal():
        return int(text)
    path = Path(text)
    if not path.is_file():
        raise InputError(f"{text}: expected a camera's URL, the number of a webcam, or a video file")
    return path


def _record(request: Request, source: str | int | Path, recording: Recording, reporter: Reporter) -> None:
    """Until there is enough, or there is no more."""
    frames: queue.Queue[IncomingFrame] = queue.Queue(maxsize=32)
    heard = _Heard()
    whole = isinstance(source, Path)  # a file waits, a camera does not

    def take(stream: str, frame: IncomingFrame) -> bool:
        try:
            frames.put(frame, timeout=0.2 if whole else None, block=whole)
        except queue.Full:
            return not whole
        return True

    named = {} if isinstance(source, str) else {_NAME: source}
    readers = Readers(_Anywhere(named), on_frame=take, on_health=heard)
    shown = redact(request.source)
    with closing(readers.start()), reporter.progress("recording", round(request.seconds), "second") as tick:
        readers.add(_NAME, source if isinstance(source, str) else _NAME, policy="every" if whole else "latest")
        told, health = 0, heard.health
        while recording.seconds < request.seconds:
            if heard.health is not health:
                health = heard.health
                if health in (Health.RECONNECTING, Health.STALLED):
                    reporter.say(f"{shown}: {health.value}, {heard.reason}")
            try:
                frame = frames.get(timeout=0.2)
            except queue.Empty:
                if heard.over.is_set() and frames.empty():
                    break
                readers.grant(_NAME, 32)
                continue
            try:
                recording.add(frame.pts, frame.data)
            except PictureError as error:
                reporter.say(f"{shown}: a frame cannot be used: {error}")
            except RecordingFull as full:
                reporter.say(f"{shown}: {full} are recorded, which is as much as is kept: that is learned from")
                break
            readers.grant(_NAME)
            tick(int(recording.seconds) - told)
            told = int(recording.seconds)
    if heard.health is Health.FAILED and not recording.frames:
        raise InputError(f"{shown}: {heard.reason}")
    if recording.seconds < request.seconds and heard.over.is_set():
        reporter.say(f"{shown} is at its end after {recording.seconds:.0f} of {request.seconds:.0f} seconds")
