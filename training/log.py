"""The log of a training run: one JSON object a line."""

from __future__ import annotations

import fcntl
import json
import time
from contextlib import suppress
from pathlib import Path

from training.fit import LossPoint


class TrainLog:
    """What happened, and how many seconds after the start; each line is written at once.

    A context manager, since the file stays open; it is locked meanwhile, so that two runs never write the same files.
    """

    def __init__(self, path: Path, *, goes_on: bool = False) -> None:
        """Opens the log.

        Args:
            path: of the file.
            goes_on: keep the lines of an earlier run, which this one continues.

        Raises:
            BlockingIOError: another run writes it.
            OSError: it cannot be written.
        """
        self._out = path.open("a", encoding="utf-8")
        try:
            fcntl.flock(self._out, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._out.close()
            raise
        except OSError:  # a file system without locks
            pass
        if not goes_on:
            self._out.truncate(0)
        self._started = time.monotonic()

    def __enter__(self) -> TrainLog:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._out.close()

    def write(self, event: str, **facts: object) -> None:
        """Adds a line."""
        line = {"event": event, "seconds": round(time.monotonic() - self._started, 3), **facts}
        self._out.write(json.dumps(line, default=str) + "\n")
        self._out.flush()

    def point(self, point: LossPoint) -> None:
        """Adds a look at the held-out windows."""
        self.write("look", step=point.step, train=point.train, held_out=point.held_out)
