"""The options that several verbs of the command line share, and what they accept."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer


def _alarms(value: float) -> float:
    if not 1e-6 <= value <= 1e6:
        raise typer.BadParameter(f"{value:g}: expected false alarms an hour, from 0.000001 to 1000000")
    return value


def _seed(value: int) -> int:
    if value >= 2**63:  # more than torch takes
        raise typer.BadParameter(f"{value}: expected a whole number of 63 bits")
    return value


def _not_negative(value: float | None) -> float | None:
    if value is not None and not (math.isfinite(value) and 0 <= value <= 3600):
        raise typer.BadParameter(f"{value:g}: expected a number of seconds from 0 to 3600")
    return value


def _rate(value: float | None) -> float | None:
    if value is not None and not 1 / 3600 <= value <= 1000:
        raise typer.BadParameter(f"{value:g}: expected frames a second, from one an hour (0.000278) to 1000")
    return value


def _repair(value: str) -> str:
    from model.frames import Repair

    try:
        return str(Repair.parse(value))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _smooth(value: str | None) -> str | None:
    from model.smoothing import parse_smoothing

    try:
        return None if value is None else str(parse_smoothing(value))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


Footage = Annotated[
    list[Path],
    typer.Argument(
        metavar="FOOTAGE",
        help="Folders of frames (each folder that holds pictures is a clip), videos, folders of videos, zips of these.",
        show_default=False,
    ),
]
Model = Annotated[
    Path,
    typer.Option(
        "--model",
        "-m",
        metavar="FILE",
        envvar="FRAMEWATCH_MODEL",
        help="Checkpoint that `framewatch train` made; demo: the one of the drawn street that ships with framewatch.",
        show_default=False,
    ),
]
Fps = Annotated[
    float | None,
    typer.Option(
        metavar="F",
        callback=_rate,
        help="Frames a second of numbered pictures (10 if not given); videos have time stamps of their own.",
        show_default=False,
    ),
]
RepairNames = Annotated[
    str,
    typer.Option(
        "--repair",
        metavar="flip,noise|none",
        callback=_repair,
        help="noise: blur frames that are noisy. flip: turn frames that are upside down. Both: flip,noise.",
    ),
]
SmoothName = Annotated[
    str | None,
    typer.Option(
        "--smooth",
        metavar="HOW",
        callback=_smooth,
        help="rolling:SECONDS (mean of the last seconds), gaussian:SECONDS (looks ahead) or none; "
        "if not given, the model's own rolling mean.",
        show_default=False,
    ),
]
SkipBad = Annotated[
    bool,
    typer.Option(
        "--skip-bad",
        help="Leave out frames and files that cannot be read; in scoring also stray pictures of another aspect.",
    ),
]
Device = Annotated[
    str, typer.Option(metavar="auto|cpu|cuda", help="What computes; auto takes a GPU where there is one.")
]
Precision = Annotated[
    str,
    typer.Option(
        metavar="auto|float32|bfloat16|float16",
        help="Number format of the encoder; auto takes what is fast here (to learn on a CPU: float32, the most exact).",
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, max=1024, help="CPU threads; if not given, one a core.", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
Seed = Annotated[int, typer.Option(metavar="N", min=0, callback=_seed, help="The same seed gives the same result.")]

Rate = Annotated[
    float | None,
    typer.Option(
        metavar="R",
        callback=_rate,
        help="Score at most so many frames a second; if not given, as many as the footage has.",
        show_default=False,
    ),
]
AlarmsPerHour = Annotated[
    float,
    typer.Option(metavar="A", callback=_alarms, help="False alarms an hour the threshold may cost; fewer miss more."),
]
SmoothingSeconds = Annotated[
    float | None,
    typer.Option(
        metavar="S",
        callback=_not_negative,
        help="Seconds of the rolling mean over the scores; if not given, 0.8.",
        show_default=False,
    ),
]
