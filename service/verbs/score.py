"""`framewatch score`: footage in, a table of scores out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from service.verbs import options

EXAMPLES = """\b
Examples:
  framewatch score video.mp4 --model model.safetensors --plot timeline.png
  framewatch score framewatch-demo/footage/test --model demo --plot timeline.png
  framewatch score clips/ --model model.safetensors --out - --format jsonl | jq .smoothed
  framewatch score testing_videos/ --model model.safetensors --out submission.csv \\
      --format pixelplay --template row_ids.csv --repair flip,noise --smooth gaussian:1

\b
Columns: clip, frame, time (seconds), raw (error), score (0 to 1, 0.5 is the threshold),
smoothed (mean of the last seconds), state (warming, normal, anomalous).
"""


def score(
    footage: options.Footage,
    model: options.Model,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE|-",
            help="Table to write, - for standard output; if not given, scores.csv, scores.jsonl or submission.csv. "
            "It appears when all is scored; one that exists is replaced.",
            show_default=False,
        ),
    ] = None,
    format: Annotated[
        Literal["csv", "jsonl", "pixelplay"] | None,
        typer.Option(
            help="Format of the table; pixelplay is the competition's Id,Predicted. If not given, by FILE's ending.",
            show_default=False,
        ),
    ] = None,
    template: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="CSV of the Ids that a pixelplay table must have.", show_default=False),
    ] = None,
    fps: options.Fps = None,
    align: Annotated[
        Literal["last", "centre"],
        typer.Option(help="Which frame a window's score belongs to; centre looks ahead."),
    ] = "last",
    smooth: options.SmoothName = None,
    normalize: Annotated[
        Literal["none", "video", "global"],
        typer.Option(
            help="Stretch `smoothed` to 0..1 over each clip or over all; looks ahead, and 0.5 is no threshold then."
        ),
    ] = "none",
    repair: options.RepairNames = "noise",
    heatmaps: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write DIR/<clip>/<frame>.png: where the error is, as a small 16-bit gray picture; 1000 is the "
            "threshold.",
            show_default=False,
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Draw the scores over time as a PNG, with pictures of the peaks (no pictures with options that "
            "look ahead).",
            show_default=False,
        ),
    ] = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    threads: options.Threads = None,
    skip_bad: options.SkipBad = False,
    json: options.Json = False,
) -> None:
    """Score every frame of footage, of any length, in bounded memory.

    By default the scores are those of a live stream: a frame's score depends on nothing after it. Options that look
    ahead say so.
    """
    to_stdout = str(out) == "-"
    if json and to_stdout:
        raise typer.BadParameter("both --out - and --json write to standard output: leave one out")
    if template is not None and format != "pixelplay":
        raise typer.BadParameter("--template is for --format pixelplay")
    if plot is not None and normalize != "none":
        raise typer.BadParameter("--plot draws the threshold, which --normalize ends: leave one out")
    from model.frames import Repair
    from model.offline import Offline
    from model.smoothing import parse_smoothing
    from service.commands import opening
    from service.commands import score as verb

    target, name = verb.choose_format(out, format)
    verb.run(
        verb.Request(
            paths=footage,
            model=opening.find_model(model),
            out=target,
            format=name,
            fps=fps,
            offline=Offline(align, None if smooth is None else parse_smoothing(smooth), normalize),
            repair=Repair.parse(repair),
            heatmaps=heatmaps,
            plot=plot,
            template=template,
            machine=opening.Machine(device, precision, threads),
            skip_bad=skip_bad,
            json=json,
        )
    )
