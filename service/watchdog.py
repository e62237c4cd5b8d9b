"""Ends the process whose engine hangs, so that whatever started it starts it anew: no thread can be made to return."""

from __future__ import annotations

import faulthandler
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from service.faults import HUNG

_LOOK = 1.0  # seconds between two looks
_BEYOND = 5.0  # seconds after which the interpreter's own watch acts, where Python runs no more at all

log = logging.getLogger(__name__)


def end(seconds: float) -> None:
    """Says so in the log, on standard error where every thread is, and ends the process at once with `HUNG`.

    Nothing can be put in order: what waits for the engine would wait for ever. What was announced is stored.

    Args:
        seconds: that the engine has not moved.
    """
    log.critical(
        "the engine has not moved for %.0f s: this process ends with exit code %d, to be started anew; its threads:",
        *(seconds, HUNG),
    )
    logging.shutdown()
    faulthandler.dump_traceback(sys.__stderr__ or 2)  # not by way of a file: the disk may be read-only
    os._exit(HUNG)


class Watch:
    """Counts how long an engine has not moved, by its own looks: when the whole process stood still, none is due."""

    def __init__(self, stuck: Callable[[], float], limit: float) -> None:
        """Begins with nothing counted.

        Args:
            stuck: gives the seconds since the engine moved; 0: it need not.
            limit: seconds after which it hangs.
        """
        self._stuck = stuck
        self._limit = limit
        self._still = 0.0

    def look(self, passed: float) -> bool:
        """Whether the engine hangs; `passed` seconds have gone by since the last look."""
        self._still = self._still + min(passed, 2 * _LOOK) if self._stuck() >= passed else 0.0
        return self._still >= self._limit


@contextmanager
def watched(stuck: Callable[[], float], limit: float, end: Callable[[float], None] = end) -> Iterator[None]:
    """Has a thread look at an engine meanwhile, and end the process when it hangs.

    A native call that holds the interpreter's lock stops this thread too. Then the interpreter's own watch, which needs
    no lock, writes the threads' places to standard error and ends the process with exit code 1. It goes by the clock
    alone, so it also ends a process that was stopped as a whole (SIGSTOP, a frozen container) for longer than that,
    when it goes on: nothing inside a process can tell one from the other.

    Args:
        stuck: see `Watch`.
        limit: likewise; 0: nobody looks.
        end: called when it hangs.
    """
    if not limit:
        yield
        return
    over = threading.Event()

    def work() -> None:
        watch = Watch(stuck, limit)
        before = monotonic()
        while not over.wait(_LOOK):
            faulthandler.dump_traceback_later(limit + _BEYOND, exit=True, file=sys.__stderr__ or 2)
            now = monotonic()
            if watch.look(now - before):
                end(stuck())
                return
            before = now

    thread = threading.Thread(target=work, name="framewatch-watchdog", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        faulthandler.cancel_dump_traceback_later()
