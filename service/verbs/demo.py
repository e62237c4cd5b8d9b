"""`framewatch demo`: all of it on drawn footage."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from service.verbs import COMMAND, options


def demo(
    ctx: typer.Context,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", help="Folder to write; an older demo's is replaced.")
    ] = Path("framewatch-demo"),
    seed: options.Seed = 0,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    threads: options.Threads = None,
    json: options.Json = False,
) -> None:
    """Try it all on drawn footage, in two minutes.

    Needs no footage and no GPU (two minutes are for two CPU cores). Draws normal footage of a street, trains on it,
    and scores unseen clips with a cyclist, a runner, someone going the wrong way, a thrown object and a fall.
    """
    from service.commands import demo as verb
    from service.commands import opening

    machine = opening.Machine(device, precision, threads)
    verb.run(out, seed=seed, machine=machine, as_json=json, command=ctx.meta[COMMAND])
