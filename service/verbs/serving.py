"""The verbs that run the service and look after its keys: their options and help texts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from service.flags import SettingsCommand, given

SERVE_EXAMPLES = """\b
Examples:
  framewatch serve --model demo                                on this machine only, without keys
  framewatch serve --model door.safetensors --host 0.0.0.0     for others: `framewatch key show` prints the first key
  framewatch serve --config framewatch.toml                    `framewatch settings` prints such a file

\b
SIGTERM or Ctrl-C ends it in order: frames that came in are scored, clients are told.
"""

DataFolder = Annotated[
    Path,
    typer.Option(
        "--data-dir",
        metavar="FOLDER",
        envvar="FRAMEWATCH_DATA_DIR",
        help="Data folder of the service.",
    ),
]
DEFAULT_FOLDER = Path("framewatch-data")


def serve(
    ctx: typer.Context,
    workers: Annotated[
        int, typer.Option(metavar="1", min=1, help="Processes: one, as it owns the device; run one for each GPU.")
    ] = 1,
) -> None:
    """Score cameras and videos as a service, live.

    Takes camera streams, pushed frames and uploaded videos, and pushes the scores to whoever follows them, over HTTP
    and websockets; /docs describes both. Every flag can also be a variable or stand in a file.
    """
    if workers != 1:
        raise typer.BadParameter(
            f"--workers {workers}: one process owns the device and all streams, and batches them together; for another "
            "GPU start another service with --device cuda:1, its own --data-dir and --port"
        )
    from service.commands import serve as verb
    from service.configuration import load_settings

    verb.run(load_settings(given(ctx)))


def settings(ctx: typer.Context) -> None:
    """Show all settings of the service as a file.

    Prints each with its present value and what it does; --config reads such a file.
    """
    from service.configuration import describe, load_settings

    typer.echo(describe(load_settings(given(ctx))), nl=False)


key = typer.Typer(no_args_is_help=True, help="Make, list and revoke the keys that clients need.")


@key.command("create")
def create_key(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What people call it.", show_default=False)],
    scope: Annotated[
        list[str] | None,
        typer.Option(
            metavar="read|ingest|admin",
            help="What it may do; may be given more than once. If not given, read.",
            show_default=False,
        ),
    ] = None,
    data_dir: DataFolder = DEFAULT_FOLDER,
) -> None:
    """Make a key and print it."""
    from service.auth import SCOPES
    from service.commands import key as verb

    scopes = scope or ["read"]
    wrong = [one for one in scopes if one not in SCOPES]
    if wrong:
        raise typer.BadParameter(f"--scope {wrong[0]}: expected {', '.join(SCOPES)}")
    verb.create(data_dir, name, [one for one in SCOPES if one in scopes])


@key.command("list")
def list_keys(data_dir: DataFolder = DEFAULT_FOLDER) -> None:
    """List the keys, without the keys themselves."""
    from service.commands import key as verb

    verb.show_all(data_dir)


@key.command("revoke")
def revoke_key(
    id: Annotated[str, typer.Argument(metavar="ID", help="As `framewatch key list` shows it.", show_default=False)],
    data_dir: DataFolder = DEFAULT_FOLDER,
) -> None:
    """End a key for good; a running service sees it within a second."""
    from service.commands import key as verb

    verb.revoke(data_dir, id)


@key.command("show")
def show_key(data_dir: DataFolder = DEFAULT_FOLDER) -> None:
    """Print the key that the first start made."""
    from service.commands import key as verb

    verb.show_first(data_dir)


def register(app: typer.Typer) -> None:
    """Adds the verbs to the command line."""
    app.command(cls=SettingsCommand, epilog=SERVE_EXAMPLES)(serve)
    app.command(cls=SettingsCommand)(settings)
    app.add_typer(key, name="key")
