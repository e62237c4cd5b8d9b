"""A training in a process of its own, which can be stopped at any time."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Self

from service.children import Child
from service.learning.records import LearningError
from service.wire import Message, WireError

NICE: Final = 19
"""How far a training steps back: whatever else wants the processor goes before it."""

_SILENCE: Final = 1800.0  # seconds that a stage may be silent: what a look at the first frame of a slow disk may take
_DYING: Final = 60.0  # seconds: at the lowest priority it may not even get its turn to be gone
log = logging.getLogger(__name__)


class Training:
    """One run of `service.learning.child`.

    Example:
        >>> with Training(folder) as training:  # doctest: +SKIP
        ...     report = training.run(clips, out, threads=1, command="", choices={}, on_progress=print)
    """

    def __init__(self, folder: Path) -> None:
        """Starts the child.

        Args:
            folder: its working folder.

        Raises:
            LearningError: no process can be started.
        """
        self._stopped = threading.Event()
        try:
            self._child = Child("service.learning.child", folder=folder)
        except OSError as error:
            raise LearningError(f"no process for the training can be started ({error.strerror})") from error

    @property
    def pid(self) -> int:
        return self._child.pid

    def run(
        self,
        clips: Path,
        out: Path,
        *,
        nice: int = NICE,
        threads: int,
        command: str,
        choices: dict[str, Any],
        on_progress: Callable[[float, str], object],
    ) -> dict[str, Any]:
        """Trains at a low priority, and gives the report; see `service.learning.child.learn`.

        Raises:
            LearningError: it failed, or was stopped.
        """
        wire = self._child.wire
        order = {"clips": str(clips), "out": str(out), "nice": nice, "threads": threads, "command": command}
        try:
            wire.send(Message("learn", order | {"choices": choices}))
            while (message := wire.receive(_SILENCE)) is not None:
                if message.kind == "progress":
                    on_progress(message.real("progress"), message.text("detail"))
                elif message.kind == "done":
                    report: dict[str, Any] = message.head["report"]
                    return report
                else:
                    if message.text("trace"):
                        log.error("a training failed: %s", message.text("trace"))
                    raise LearningError(message.text("reason"))
        except (OSError, WireError) as error:
            raise LearningError(self._too_early(error)) from error
        raise LearningError(self._too_early(None))

    def stop(self) -> None:
        """Ends it, from any thread."""
        self._stopped.set()
        self._child.signal(signal.SIGKILL)  # it may not get its turn for a while, to end by itself
        self._child.wire.hang_up()

    def _too_early(self, error: Exception | None) -> str:
        return f"the training has ended too early ({self._ending(error)}); begin anew"

    def _ending(self, error: Exception | None) -> str:
        if self._stopped.is_set():
            return "it was stopped"
        if isinstance(error, TimeoutError):
            return str(error)
        ending = self._child.ending()
        return f"{ending}, as by a system that is short of memory" if signal.SIGKILL.name in ending else ending

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.kill(_DYING)
