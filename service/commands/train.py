"""`framewatch train`: normal footage -> a checkpoint."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from service.commands.opening import Machine, check_outputs, open_clips
from service.faults import INTERRUPTED, InputError
from service.progress import Reporter
from training.settings import TrainSettings
from training.train import partial_checkpoint, train


@dataclass(frozen=True, slots=True)
class Request:
    """What `framewatch train` was asked to do."""

    paths: Sequence[Path]
    out: Path
    fps: float | None
    settings: TrainSettings
    machine: Machine
    skip_bad: bool
    resume: bool
    json: bool
    command: str


def run(request: Request) -> None:
    """Trains, writes the checkpoint, and prints the report.

    Raises:
        InputError, FootageError, TrainError, ...: with a message for the user.
        typer.Exit: interrupted, but a checkpoint was kept.
    """
    reporter = Reporter()
    if request.out.suffix.lower() != ".safetensors":
        raise InputError(f"--out {request.out}: a checkpoint's name ends in .safetensors")
    outputs = {"--out": request.out, "--out, whose loss curve": request.out.with_suffix(".loss.png")}
    check_outputs(outputs, request.paths)
    if request.out.exists():
        reporter.say(f"{request.out} exists; it stays as it is until this run ends, and is replaced then")
    device, precision = request.machine.start(learning=True)
    with open_clips(request.paths, request.fps, reporter) as footage:
        try:
            report = train(
                footage,
                request.out,
                request.settings,
                device=device,
                precision=precision,
                threads=request.machine.threads,
                skip_bad=request.skip_bad,
                resume=request.resume,
                command=request.command,
                say=reporter.say,
                progress=reporter.progress,
            )
        except KeyboardInterrupt:
            kept = partial_checkpoint(request.out).exists()
            raise KeyboardInterrupt("--resume goes on" if kept else "nothing was kept yet") from None
    print(json.dumps(report.to_json(), indent=2, allow_nan=False) if request.json else report.text())
    if report.interrupted:
        reporter.say(f"framewatch: interrupted; {request.out} holds the best so far; --resume goes on")
        raise typer.Exit(INTERRUPTED)
