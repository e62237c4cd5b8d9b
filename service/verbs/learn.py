"""`framewatch learn`: a camera is recorded and learned."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from service.verbs import COMMAND, options

EXAMPLES = """\b
Examples:
  framewatch learn rtsp://user:password@10.0.0.5/live --for 30m --out door.safetensors
  framewatch learn 0 --for 10m

\b
Beside FILE it writes FILE's name with .log.jsonl, .loss.png and .report.txt.
"""


def learn(
    ctx: typer.Context,
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="The camera: a URL (rtsp, rtsps, http, https), the number of a webcam, or a video file.",
            show_default=False,
        ),
    ],
    duration: Annotated[
        str, typer.Option("--for", metavar="TIME", help="How much to record, such as 90s, 30m or 1h30m.")
    ] = "30m",
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="Checkpoint to write (.safetensors). One that exists is replaced when training ends, not before.",
        ),
    ] = Path("learned.safetensors"),
    device: options.Device = "auto",
    threads: options.Threads = None,
    json: options.Json = False,
) -> None:
    """Record a camera while all is normal, and learn from that.

    The footage is deleted when the checkpoint is written. A service learns its own streams while it scores them:
    POST /v1/streams/ID/learn.
    """
    from service.commands import learn as verb
    from service.commands import opening

    seconds = verb.parse_duration(duration)
    machine = opening.Machine(device, "float32", threads)
    verb.run(verb.Request(source, seconds, out, machine, json, ctx.meta[COMMAND]))
