"""Which exception ends the command how: exit code, and what the user reads."""

from __future__ import annotations

import errno
import os
import traceback

from model.memory import is_out_of_memory

OK, INPUT, USAGE, BUG, HUNG, INTERRUPTED, TERMINATED, PIPE = 0, 1, 2, 70, 75, 130, 143, 141
"""Exit codes: done; a problem with what was given; wrong usage (typer's); a bug; the service's engine hung; Ctrl-C;
SIGTERM; nobody reads on."""

INPUT_ERRORS = frozenset(
    [
        "model.checkpoint.CheckpointError",
        "model.clips.FootageError",
        "model.device.DeviceError",
        "model.frames.PictureSizeError",
        "model.tables.TableError",
        "service.faults.InputError",
        "service.models.ModelError",
        "training.demo_folder.DemoError",
        "training.fit.ResumeError",
        "training.label_matching.LabelError",
        "training.settings.TrainError",
    ]
)
"""Exceptions whose message is meant for the user. By name: importing them would load torch to print a help text."""

_WHERE = "FRAMEWATCH_DEBUG=1 shows where"
_OUT_OF_MEMORY = "out of memory: close other programs, train with a smaller --size, or use a machine with more"


class InputError(Exception):
    """Something the user gave cannot be used; the message says what, and what to do."""


def debugging() -> bool:
    """Whether tracebacks are wanted: `FRAMEWATCH_DEBUG` is set to anything but 0."""
    return os.environ.get("FRAMEWATCH_DEBUG", "0") not in ("", "0")


def explain(error: BaseException) -> tuple[int, str]:
    """Exit code and message for an exception that ended a command; the traceback too where it is wanted."""
    code, message = _explain(error)
    if debugging() and code in (INPUT, BUG):
        message += "\n" + "".join(traceback.format_exception(error)).rstrip()
    return code, message


def _explain(error: BaseException) -> tuple[int, str]:
    names = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__}
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED, "; ".join(["interrupted", *map(str, error.args)])
    if names & INPUT_ERRORS:
        return INPUT, str(error)
    if is_out_of_memory(error):
        return INPUT, _OUT_OF_MEMORY
    if isinstance(error, OSError) and error.strerror:
        if error.filename:
            return INPUT, f"{error.filename}: {error.strerror}"
        plain = debugging() or error.errno in (errno.ENOSPC, errno.EDQUOT)
        return INPUT, error.strerror if plain else f"{error.strerror} ({_WHERE})"
    said = " ".join(str(error).split())[:300]
    kind = type(error).__name__
    hint = "" if debugging() else f"; {_WHERE}"
    return BUG, f"{kind}: {said or 'no message'} (this is a bug, please report it{hint})"
