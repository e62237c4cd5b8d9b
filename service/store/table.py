"""What the tables of the store have in common: how they read, and how they change something."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from service.store.readers import Readers
from service.store.writer import Apply


class Table:
    """One kind of thing in the store. Safe to call from any thread; made by the store.

    What changes something returns after the commit, and raises `StoreUnavailable` while nothing can be written.
    """

    def __init__(self, write: Callable[[Apply[Any]], Any], readers: Readers) -> None:
        """Makes it; `write` runs something in the writer's thread and waits for the commit."""
        self._write = write
        self._readers = readers
