"""`framewatch train`: footage in, a checkpoint out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from service.verbs import COMMAND, options

EXAMPLES = """\b
Examples:
  framewatch train normal/ --out model.safetensors
  framewatch train monday.mp4 tuesday.mp4 --out door.safetensors --rate 10
  framewatch train training_videos/ --out model.safetensors --fps 25 --skip-bad

\b
Beside FILE it writes FILE's name with .log.jsonl, .loss.png and .report.txt.
"""


def train(
    ctx: typer.Context,
    footage: options.Footage,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="Checkpoint to write (.safetensors). One that exists is replaced when training ends, not before.",
            show_default=False,
        ),
    ],
    fps: options.Fps = None,
    encoder: Annotated[
        Literal["stem", "pixels"],
        typer.Option(help="stem: CNN features of moving cells. pixels: the whole frame, which is far weaker."),
    ] = "stem",
    colour: Annotated[bool, typer.Option("--colour", help="Keep colour instead of luma.")] = False,
    size: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=16,
            max=2160,
            help="Height of the network's input in pixels; if not given, 240 (stem) or 64 (pixels).",
            show_default=False,
        ),
    ] = None,
    rate: options.Rate = None,
    window: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=2,
            max=256,
            help="Frames in a window; if not given, 8 (stem) or 10 (pixels).",
            show_default=False,
        ),
    ] = None,
    smoothing: options.SmoothingSeconds = None,
    alarms_per_hour: options.AlarmsPerHour = 1.0,
    steps: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Training steps, at most.", show_default=False)
    ] = None,
    seed: options.Seed = 0,
    augment: Annotated[
        bool, typer.Option("--augment/--no-augment", help="Also learn from a noisy copy of the footage.")
    ] = True,
    self_test: Annotated[
        bool,
        typer.Option("--self-test/--no-self-test", help="Try the model on held-out footage made abnormal on purpose."),
    ] = True,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    threads: options.Threads = None,
    skip_bad: options.SkipBad = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted run of the same footage.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Learn what is normal from normal footage of one camera.

    All clips must show normal activity, from the camera that is to be watched. A fifth of them is held out: training
    stops by it, and the threshold comes from it. Ctrl-C keeps the best checkpoint so far.
    """
    from service.commands import opening
    from service.commands import train as verb
    from training.settings import TrainSettings

    settings = TrainSettings(
        encoder=encoder,
        colour=colour,
        size=size,
        frame_interval=None if rate is None else 1 / rate,
        window=window,
        smoothing=smoothing,
        alarms_per_hour=alarms_per_hour,
        steps=steps,
        seed=seed,
        augment=augment,
        self_test=self_test,
    )
    machine = opening.Machine(device, precision, threads)
    verb.run(verb.Request(footage, out, fps, settings, machine, skip_bad, resume, json, ctx.meta[COMMAND]))
