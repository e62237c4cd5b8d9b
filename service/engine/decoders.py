"""The threads that decode: cv2 lets go of the interpreter while it works, so they run side by side."""

from __future__ import annotations

import logging
import threading
import time

import cv2

from model.workers import available_cores
from service.engine.batching import Batcher
from service.engine.intake import UNUSABLE
from service.records import Dropped

log = logging.getLogger(__name__)


class Decoders:
    """Takes frames from a batcher, decodes them and gives them back, until it is closed."""

    def __init__(self, batcher: Batcher, count: int | None = None) -> None:
        """Makes threads that are not started.

        Args:
            batcher: whose frames.
            count: of threads; None: one for each core.
        """
        self._batcher = batcher
        self._threads = [
            threading.Thread(target=self._work, name=f"framewatch-decoder-{number}", daemon=True)
            for number in range(count or available_cores())
        ]

    def start(self) -> None:
        cv2.setNumThreads(1)  # a decoder has one core; the pool that cv2 would share is in the way of the others
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Waits for the threads' end, after that of the batcher."""
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def _work(self) -> None:
        while self._decode():
            pass

    def _decode(self) -> bool:
        """Waits for a frame and decodes it; False: there will be no more. While it waits nothing holds the last one."""
        ticket = self._batcher.pull()
        if ticket is None:
            return False
        began = time.perf_counter()
        try:
            prepared = ticket.decode()
        except UNUSABLE as error:
            self._batcher.refused(ticket, Dropped.BAD, str(error))
        except Exception as error:
            log.exception("stream %s: frame %d could not be decoded", ticket.stream.id, ticket.frame.number)
            self._batcher.refused(ticket, Dropped.FAULT, str(error) or type(error).__name__)
        else:
            ticket.decode_seconds = time.perf_counter() - began
            self._batcher.decoded(ticket, prepared)
        return True
