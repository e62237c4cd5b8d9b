"""`framewatch evaluate`: labelled footage in, figures out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from service.verbs import options

EXAMPLES = """\b
Examples:
  framewatch evaluate test/ --labels labels.npz --model model.safetensors --plot evaluation.png
  framewatch evaluate test/ --labels masks/ --masks masks/ --model model.safetensors --json

\b
Labels: an .npz with one array of 0 and 1 a clip, folders of mask pictures, .mat files with masks,
or a CSV with the columns clip,frame,label or clip,start,end. Clips go by their names in the table
that `framewatch score` writes.
"""


def evaluate(
    footage: options.Footage,
    labels: Annotated[
        Path,
        typer.Option(
            "--labels", "-l", metavar="PATH", help="Which frames are abnormal: see Labels below.", show_default=False
        ),
    ],
    model: options.Model,
    masks: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Which pixels are abnormal, to rate the heat maps: a folder with a folder of mask pictures a clip, or "
            ".mat files.",
            show_default=False,
        ),
    ] = None,
    fps: options.Fps = None,
    repair: options.RepairNames = "noise",
    corrupt: Annotated[
        int | None,
        typer.Option(
            metavar="SEED",
            min=0,
            help="First spoil the frames as the competition does: 10 % upside down, 40 % noisy, drawn from SEED.",
            show_default=False,
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Draw the curves and every clip's scores with its labels as a PNG.", show_default=False
        ),
    ] = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    threads: options.Threads = None,
    skip_bad: options.SkipBad = False,
    json: options.Json = False,
) -> None:
    """Measure a model on labelled footage.

    Prints ROC-AUC, average precision and equal error rate, both live (causal) and with a look ahead (offline), and
    what the checkpoint's own threshold catches, how late, and with how many false alarms an hour.
    """
    from model.frames import Repair
    from service.commands import evaluate as verb
    from service.commands import opening

    machine = opening.Machine(device, precision, threads)
    found = opening.find_model(model)
    verb.run(
        verb.Request(footage, found, labels, masks, fps, Repair.parse(repair), corrupt, plot, machine, skip_bad, json)
    )
