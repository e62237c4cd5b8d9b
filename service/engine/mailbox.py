"""What other threads ask of the engine's: done there, between two batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


class Mailbox:
    """Functions in the order in which they were posted. Thread-safe."""

    def __init__(self, nudge: Callable[[], object]) -> None:
        """Makes it empty.

        Args:
            nudge: called when there is something to read.
        """
        self._nudge = nudge
        self._posted: deque[Callable[[], object]] = deque()

    def post(self, function: Callable[[], object]) -> None:
        """For the engine to do; it must not raise."""
        self._posted.append(function)
        self._nudge()

    def ask(self, function: Callable[[], T]) -> Future[T]:
        """For the engine to do; what comes of it, also what it raises, is in the future."""
        answer: Future[T] = Future()

        def reply() -> None:
            if answer.set_running_or_notify_cancel():
                try:
                    answer.set_result(function())
                except Exception as error:
                    answer.set_exception(error)

        self.post(reply)
        return answer

    def read(self) -> None:
        """Does all that was posted."""
        while self._posted:
            self._posted.popleft()()
