"""Clips are encoded in one child process, one after the other: whatever a picture does to it, one clip is lost."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from service.children import Child
from service.recorder.mp4 import ClipError, Written
from service.wire import Message, WireError

PATIENCE: Final = 600.0
"""Seconds that a clip may take: a low priority may have to wait."""

_MODULE: Final = "service.recorder.child"
log = logging.getLogger(__name__)


class Encoder:
    """The child, started when there is something to do. For one thread, but for `stop`."""

    def __init__(self, *, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._child: Child | None = None
        self._stopped = False

    @property
    def pid(self) -> int | None:
        """Of the child, while there is one."""
        return None if self._child is None else self._child.pid

    def encode(self, spool: Path, clip: Path, until: float | None) -> Written:
        """Encodes a clip; see `service.recorder.child.encode`.

        Raises:
            ClipError: there is none; says why.
        """
        if self._stopped:
            raise ClipError("the service is stopping")
        try:
            if self._child is None:
                self._child = Child(_MODULE)
            self._child.wire.send(Message("encode", {"spool": str(spool), "clip": str(clip), "until": until}))
            answer = self._child.wire.receive(self._patience)
            if answer is not None and answer.kind == "written":
                return Written(**answer.head)
            if answer is not None:
                raise ClipError(answer.text("reason")[:200])
        except TimeoutError:
            self.rest(kill=True)
            raise ClipError(f"encoding it took longer than {self._patience:.0f} s") from None
        except (OSError, WireError, TypeError) as error:
            log.warning("the process that encodes clips cannot be used: %s", error)
        ending = "cannot be started" if self._child is None else self._child.ending()
        self.rest(kill=True)
        raise ClipError(f"the process that encodes clips {ending}")

    def rest(self, *, kill: bool = False) -> None:
        """Ends the child until there is something to do again."""
        child, self._child = self._child, None
        if child is not None:
            if kill:
                child.kill()
            else:
                child.stop()

    def stop(self) -> None:
        """Ends what goes on, from any thread; nothing is encoded after that."""
        self._stopped = True
        child = self._child
        if child is not None:
            child.wire.hang_up()
