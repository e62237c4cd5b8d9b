"""The `framewatch` command: the verbs together, and how they end."""

from __future__ import annotations

import codecs
import io
import os
import re
import shlex
import signal
import sys
import warnings
from contextlib import suppress
from types import FrameType
from typing import Annotated, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from model import __version__
from service import faults
from service.addresses import redact
from service.verbs import COMMAND, demo, evaluate, info, learn, score, serving, train

_EXAMPLES = """\b
Examples:
  framewatch demo                                              the whole way on drawn footage, two minutes
  framewatch train normal/ --out model.safetensors             learn from normal footage of your camera
  framewatch score video.mp4 --model model.safetensors         score every frame into scores.csv
  framewatch evaluate test/ --labels labels.npz --model model.safetensors
  framewatch serve                                             score cameras live, over HTTP and websockets

\b
Exit codes: 0 done, 1 a problem with what was given, 2 wrong usage, 130 interrupted.
"""


class Verb(TyperCommand):
    """A verb, whose arguments are shown by name alone: the Python type that typer adds tells a user nothing."""

    def collect_usage_pieces(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        return [piece.replace("{", "").replace("}", "") for piece in super().collect_usage_pieces(ctx)]

    def get_help(self, ctx: typer.Context) -> str:  # type: ignore[override]
        return re.sub(r"(?m)^  \[?(\w+)\]? (<\S+>)", _name_alone, super().get_help(ctx))


def _name_alone(found: re.Match[str]) -> str:
    return f"  {found[1]}".ljust(len(found[0]))


class Verbs(TyperGroup):
    """The group of verbs; turns exceptions into one line and an exit code."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        ctx.meta[COMMAND] = shlex.join(["framewatch", *map(redact, args)])  # checkpoints keep it, and are passed on
        return super().parse_args(ctx, args)

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except (typer.Exit, typer.Abort, typer.TyperException):
            raise
        except BrokenPipeError:
            _drop_output()
            raise typer.Exit(faults.PIPE) from None
        except (Exception, KeyboardInterrupt) as error:
            code, message = faults.explain(error)
            typer.echo(f"framewatch: {message}", err=True)
            raise typer.Exit(code) from None
        return result


app = typer.Typer(
    cls=Verbs,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 100},
    epilog=_EXAMPLES,
)


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"framewatch {__version__}")
        raise typer.Exit


@app.callback()
def framewatch(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Streaming video anomaly monitor.

    Learns what normal looks like from normal footage of one fixed camera, then scores every frame of a video by how
    badly it fits. No labels and no examples of anomalies are needed.
    """


app.command(cls=Verb, epilog=train.EXAMPLES)(train.train)
app.command(cls=Verb, epilog=learn.EXAMPLES)(learn.learn)
app.command(cls=Verb, epilog=score.EXAMPLES)(score.score)
app.command(cls=Verb, epilog=evaluate.EXAMPLES)(evaluate.evaluate)
app.command(cls=Verb)(info.info)
app.command(cls=Verb)(demo.demo)
serving.register(app)


def _drop_output() -> None:
    """Whoever read the output has enough of it (`| head`): what is still buffered must not raise at the end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(faults.TERMINATED)


def _open_closed() -> None:
    """Gives what was closed (`2>&-`, a daemon) an end that takes all; else the next file opened would become it.

    In this order they take the numbers 0 to 2 again. `sys.__stdout__` stays None: a table for nobody is refused.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = open(os.devnull, mode)  # noqa: SIM115  # open to the end
            os.set_inheritable(stream.fileno(), True)  # the service's children write there too
            setattr(sys, name, stream)


def main() -> None:
    """Runs the command line, and exits."""
    _open_closed()
    signal.signal(signal.SIGTERM, _terminate)  # half-written files are removed on the way out
    if isinstance(sys.stdout, io.TextIOWrapper):
        # a file's name need not be valid UTF-8, nor a terminal know its letters
        known = codecs.lookup(sys.stdout.encoding).name == "utf-8"
        sys.stdout.reconfigure(errors="surrogateescape" if known else "backslashreplace")
    if not faults.debugging():
        warnings.simplefilter("ignore")
        for name in ("TORCH_CPP_LOG_LEVEL", "OPENCV_LOG_LEVEL"):
            os.environ.setdefault(name, "ERROR")
    app(prog_name="framewatch")


if __name__ == "__main__":
    main()
