"""`framewatch evaluate`: labelled footage -> how good the model is on it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model.frames import Repair
from service.commands.opening import Machine, check_outputs, check_plot, open_clips
from service.faults import InputError
from service.progress import Reporter
from training.evaluate import evaluate
from training.metrics import format_table


@dataclass(frozen=True, slots=True)
class Request:
    """What `framewatch evaluate` was asked to do."""

    paths: Sequence[Path]
    model: Path
    labels: Path
    masks: Path | None
    fps: float | None
    repair: Repair
    corrupt: int | None
    plot: Path | None
    machine: Machine
    skip_bad: bool
    json: bool


def run(request: Request) -> None:
    """Evaluates, draws, and prints the table or the JSON.

    Raises:
        InputError, FootageError, LabelError, CheckpointError, DeviceError: with a message for the user.
    """
    reporter = Reporter()
    for option, path in (("--labels", request.labels), ("--masks", request.masks)):
        if path is not None and not path.exists():
            raise InputError(f"{option} {path}: no such file or folder")
    given = [*request.paths, request.model, request.labels, *([] if request.masks is None else [request.masks])]
    check_outputs({"--plot": request.plot}, given)
    check_plot(request.plot)
    with open_clips(request.paths, request.fps, reporter) as footage:
        evaluation = evaluate(
            request.machine.load(request.model),
            footage,
            request.labels,
            masks=request.masks,
            repair=request.repair,
            corrupt_seed=request.corrupt,
            skip_bad=request.skip_bad,
            plot=request.plot,
            say=reporter.say,
            progress=reporter.progress,
        )
    metrics = evaluation.metrics
    print(json.dumps(metrics.to_json(), indent=2, allow_nan=False) if request.json else format_table(metrics))
    if request.plot is not None:
        reporter.say(f"wrote {request.plot}")
