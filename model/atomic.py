"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Gives a temporary name in the folder of `path`; what was written there is synced to disk and renamed to `path`.

    On an error the temporary file is removed and an older file at `path` stays as it was. A device or a pipe
    (`/dev/null`, `/dev/stdout`) is handed out as it is: renaming would replace the device itself.

    Raises:
        OSError: where the folder is missing or not writable.
    """
    if path.exists() and not path.is_file():
        yield path
        return
    target = real_path(path)  # a link stays a link
    temporary = target.parent / f".framewatch-{secrets.token_hex(8)}{target.suffix[:16]}"
    try:
        yield temporary
        with open(temporary, "rb+") as written:  # renamed first, a power cut could leave an empty file
            os.fsync(written.fileno())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def open_atomic(path: Path) -> Iterator[TextIO]:
    """Opens a text file for writing that appears at `path` when the block ends without an error.

    UTF-8, line ends as written. Names that are no valid UTF-8 (`os.fsdecode`) keep their bytes.

    Raises:
        OSError: where the folder is missing or not writable.

    Example:
        >>> with open_atomic(Path("scores.csv")) as out:  # doctest: +SKIP
        ...     write_csv(rows, out)
    """
    with (
        atomic_path(path) as temporary,
        open(temporary, "w", encoding="utf-8", errors="surrogateescape", newline="") as out,
    ):
        yield out


def real_path(path: Path) -> Path:
    """The path without links. Not `Path.resolve`: that raises at a link in a circle, before anything can be said."""
    return Path(os.path.realpath(path))
