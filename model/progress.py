"""How work that takes long says how far it is, without knowing who shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Tick = Callable[[int], object]
"""Called with how many units are done since the last call."""


class Progress(Protocol):
    """Shows a piece of work; `total` is None where it is not known.

    Example:
        >>> with no_progress("encoding", 100, "frame") as tick:
        ...     tick(1)
    """

    def __call__(self, label: str, total: int | None, unit: str = "frame") -> AbstractContextManager[Tick]: ...


@contextmanager
def no_progress(label: str, total: int | None, unit: str = "frame") -> Iterator[Tick]:
    """Shows nothing."""
    yield lambda done: None
