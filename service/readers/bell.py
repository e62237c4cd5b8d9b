"""A bell that wakes a thread which polls."""

from __future__ import annotations

import os
import threading
from contextlib import suppress


class Bell:
    """Something to poll together with descriptors, that any thread can ring."""

    def __init__(self) -> None:
        """Makes one that is silent."""
        self._out, self._in = os.pipe()
        os.set_blocking(self._in, False)
        self._lock = threading.Lock()  # a number of a closed descriptor may soon be somebody else's
        self._closed = False

    def fileno(self) -> int:
        """For polling; readable once it was rung."""
        return self._out

    def ring(self) -> None:
        """Wake whoever polls; also after it was closed, when nobody does."""
        with self._lock, suppress(BlockingIOError):  # full: it is ringing
            if not self._closed:
                os.write(self._in, b"\0")

    def hush(self) -> None:
        """Be silent again."""
        os.read(self._out, 4096)

    def close(self) -> None:
        """Give the descriptors back."""
        with self._lock:
            self._closed = True
            os.close(self._out)
            os.close(self._in)
