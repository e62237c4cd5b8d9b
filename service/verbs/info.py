"""`framewatch info`: what a checkpoint is, or this installation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from service.verbs import options


def info(
    model: Annotated[
        Path | None,
        typer.Argument(
            metavar="MODEL",
            help="Checkpoint to describe; demo: the one that ships with framewatch.",
            show_default=False,
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Describe a checkpoint or, without one, this installation.

    Of a checkpoint: what it is made of, what its threshold rests on, what it was trained on and by which command.
    """
    from service.commands import info as verb
    from service.commands import opening

    verb.run(None if model is None else opening.find_model(model), as_json=json)
