"""Clips that wait to be encoded: one at a time, in order, in a thread that does nothing else."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from model.atomic import atomic_path
from service.recorder.encoder import Encoder
from service.recorder.mp4 import ClipError, Written

MOST_WAITING: Final = 100
_IDLE: Final = 10.0  # seconds after which the process that encodes is sent home
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Order:
    """A clip to be encoded.

    Attributes:
        event, stream: ids.
        spool: its pictures.
        clip: the file.
        until: capture time of the last picture at most; None: all.
        reason: why it is not all that it should be, or "".
        bytes: of the pictures.
    """

    event: int
    stream: str
    spool: Path
    clip: Path
    until: float | None
    reason: str
    bytes: int


OnDone = Callable[[Order, Written | str], object]


class Bench:
    """The queue of clips and its thread."""

    def __init__(self, on_done: OnDone, encoder: Encoder | None = None) -> None:
        """Makes it; `start` begins.

        Args:
            on_done: called from its thread with what became of each: a clip, or why there is none. What is unfinished
                at `stop` is not told.
            encoder: encodes.
        """
        self._on_done = on_done
        self._encoder = encoder or Encoder()
        self._changed = threading.Condition()
        self._orders: deque[Order] = deque()
        self._working: Order | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="framewatch-clips", daemon=True)

    def __len__(self) -> int:
        return len(self._orders) + (self._working is not None)

    @property
    def pid(self) -> int | None:
        """Of the process that encodes, while there is one."""
        return self._encoder.pid

    def start(self) -> None:
        """Begins to encode."""
        self._thread.start()

    def stop(self) -> None:
        """Ends, also in the middle of a clip; its pictures are still there."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._encoder.stop()
        if self._thread.ident is not None:
            self._thread.join()

    def put(self, order: Order) -> bool:
        """Adds a clip; False: too many wait."""
        with self._changed:
            if len(self._orders) >= MOST_WAITING:
                return False
            self._orders.append(order)
            self._changed.notify_all()
            return True

    def _run(self) -> None:
        while (order := self._next()) is not None:
            outcome: Written | str
            try:
                with atomic_path(order.clip) as path:
                    outcome = self._encoder.encode(order.spool, path, order.until)
            except ClipError as error:
                outcome = str(error)
            except OSError as error:
                outcome = f"it could not be written ({error.strerror or error})"
            except Exception:
                log.exception("event %d: its clip could not be encoded", order.event)
                outcome = "the service failed on it; its log says why"
            self._working = None
            if not self._stopping:
                self._on_done(order, outcome)
        self._encoder.rest(kill=True)

    def _next(self) -> Order | None:
        with self._changed:
            while not self._orders and not self._stopping:
                if not self._changed.wait(_IDLE):
                    self._encoder.rest()
            if self._stopping:
                return None
            self._working = self._orders.popleft()
            return self._working
