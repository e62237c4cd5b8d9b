"""Where a camera's footage lies while it is learned from: a folder that does not stay."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

PREFIX: Final = ".framewatch-learn-"


@contextmanager
def scratch_folder(beside: Path) -> Iterator[Path]:
    """A new hidden folder in `beside`, removed at the end; first goes what killed runs have left there.

    A run holds a lock on its folder, which ends with its process: so nobody removes the folder of a run that lives.

    Raises:
        OSError: it cannot be made.
    """
    for left in beside.glob(f"{PREFIX}*"):
        _remove_abandoned(left)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=beside))
        lock = os.open(folder, os.O_RDONLY)
        try:
            with suppress(OSError):  # a file system without locks: then nobody else gets one either
                fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():  # another run has taken it for abandoned before it was locked
                continue
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            return
        finally:
            os.close(lock)


def _remove_abandoned(folder: Path) -> None:
    """Removes a folder that no living run has locked; what cannot be locked or removed stays."""
    with suppress(OSError):
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)
        finally:
            os.close(lock)
