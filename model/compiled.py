"""Networks that are compiled for the CPU, and again when their weights have changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from torch import Tensor

N = TypeVar("N")


class Compiled(Generic[N]):
    """What a network was compiled to last."""

    def __init__(self) -> None:
        self._last: tuple[object, N] | None = None

    def get(self, compile: Callable[[], N], weights: Iterable[Tensor], *settings: object) -> N:
        """The last one, or a new one where anything that it was made of has changed; for any thread.

        Args:
            compile: makes a new one.
            weights: that it is made of.
            settings: whatever else.
        """
        state = (settings, tuple((weight.data_ptr(), weight._version) for weight in weights))
        last = self._last
        if last is None or last[0] != state:  # two threads may both compile: either result is good
            last = self._last = (state, compile())
        return last[1]
