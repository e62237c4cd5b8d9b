"""A thread that goes its rounds: whenever it is woken, and after a while by itself."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Rounds:
    """Does something in a thread of its own again and again, once more when it is stopped.

    Attributes:
        stopping: the round that follows is the last.
    """

    def __init__(self, name: str, work: Callable[[], float]) -> None:
        """Makes it; `start` begins.

        Args:
            name: of the thread.
            work: a round; gives the seconds until the next one, at most. It must not raise.
        """
        self.stopping = False
        self._work = work
        self._woken = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begins with the first round."""
        self._thread.start()

    def wake(self) -> None:
        """There is something to do: the next round begins at once. From any thread."""
        self._woken.set()

    def stop(self) -> None:
        """Ends after a last round, and waits for it."""
        self.stopping = True
        self._woken.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        last = False
        while not last:
            last = self.stopping
            wait = self._work()
            if not last:
                self._woken.wait(wait)
                self._woken.clear()  # before the round, which sees all that came until then
