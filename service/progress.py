"""How far work is: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from tqdm import tqdm

from model.progress import Tick

DELAY = 2.0
"""Seconds before a bar shows: what is quicker needs none."""

EVERY = 10.0
"""Seconds between the lines of a log."""


class Reporter:
    """Tells a person what goes on, on standard error, so that standard output stays fit for pipes.

    Args:
        stream: where to write; None: standard error, as it is at the time.
        clock: seconds, rising.
    """

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock

    @property
    def stream(self) -> TextIO:
        return sys.stderr if self._stream is None else self._stream

    def say(self, text: str) -> None:
        """Prints a message, above the bar where there is one."""
        with tqdm.external_write_mode(file=self.stream):
            self.stream.write(text + "\n")
            self.stream.flush()

    @contextmanager
    def progress(self, label: str, total: int | None, unit: str = "frame") -> Iterator[Tick]:
        """Shows a piece of work with its rate and the time left; see `model.progress.Progress`."""
        if not self.stream.isatty():
            yield _LogLines(label, total, unit, self.say, self._clock).tick
            return
        tqdm.monitor_interval = 0  # no thread that watches the bars
        with tqdm(
            total=total, desc=label, unit=f" {unit}", delay=DELAY, file=self.stream, leave=False, dynamic_ncols=True
        ) as bar:
            yield bar.update


class _LogLines:
    """The bar's stand-in where nobody watches: `scoring: 1200 of 2010 frames (60 %), 41 frames/s, 0:20 left`."""

    def __init__(
        self, label: str, total: int | None, unit: str, say: Callable[[str], None], clock: Callable[[], float]
    ) -> None:
        self._label, self._total, self._unit = label, total, unit
        self._say, self._clock = say, clock
        self._done = 0
        self._start = self._said = clock()

    def tick(self, done: int) -> None:
        self._done += done
        now = self._clock()
        if now - self._said < EVERY:
            return
        self._said = now
        rate = self._done / (now - self._start)
        amount = f"{self._done} {self._unit}s"
        left = ""
        if self._total and self._done <= self._total:  # a video's claim of its length may be wrong
            amount = f"{self._done} of {self._total} {self._unit}s ({self._done / self._total:.0%})"
            left = f", {tqdm.format_interval((self._total - self._done) / rate)} left" if rate else ""
        self._say(f"{self._label}: {amount}, {rate:.3g} {self._unit}s/s{left}")
