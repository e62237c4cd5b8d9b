"""A few threads that share the frames of a batch on a CPU.

Torch by default splits every operation over all cores. On frames of this size that costs more than it brings, and on
a machine with other work (decoders, say) every operation waits for its slowest part: 1,373 ms instead of 105 ms for
eight frames beside two busy processes on two cores. Here each frame is one thread's, from first to last.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch
from torch import Tensor


def available_cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Lets torch split its operations over so many threads meanwhile: good for large ones, such as learning."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


_SWITCH = 2e-4  # seconds


class Workers:
    """Threads with one core each; torch's own splitting of operations is switched off for the process.

    A frame's thread gives the interpreter away in each of its operations, and wants it back a moment later. Python lets
    whoever has it meanwhile keep it for 5 ms; here for less, so that cores do not stand still between two operations:
    a sixth more frames of live cameras.

    The result does not depend on how many there are.
    """

    def __init__(self, count: int | None = None) -> None:
        """Starts `count` threads (default: one for each core this process may use)."""
        self.count = count or available_cores()
        torch.set_num_threads(1)
        sys.setswitchinterval(min(_SWITCH, sys.getswitchinterval()))
        self._awaited, self._ahead = (
            ThreadPoolExecutor(
                self.count, thread_name_prefix=f"framewatch-{name}", initializer=torch.set_num_threads, initargs=(1,)
            )
            for name in ("scorer", "encoder")
        )

    @classmethod
    def for_device(cls, device: torch.device, count: int | None = None) -> Workers | None:
        """The threads that a device wants: a GPU takes a batch whole, so it wants none."""
        return cls(count) if device.type == "cpu" else None

    def map(self, function: Callable[[Tensor], Tensor], batch: Tensor, size: int = 1) -> Tensor:
        """Applies a function to each part of a batch: N×… -> N×…. It does not queue behind what was begun ahead.

        Args:
            function: treats the items of a batch one by one.
            batch: N items, frames or windows.
            size: items in a part; fixed, so that the result does not depend on the threads.
        """
        return _begin(self._awaited, function, batch, size)()

    def begin(self, function: Callable[[Tensor], Tensor], batch: Tensor, size: int = 1) -> Callable[[], Tensor]:
        """Like `map`, without waiting for it: calling what it returns waits. What was begun first is done first."""
        return _begin(self._ahead, function, batch, size)

    def close(self) -> None:
        """Ends the threads."""
        self._awaited.shutdown()
        self._ahead.shutdown()


def _begin(
    pool: ThreadPoolExecutor, function: Callable[[Tensor], Tensor], batch: Tensor, size: int
) -> Callable[[], Tensor]:
    def one(part: Tensor) -> Tensor:
        with torch.inference_mode():  # a thread has its own
            return function(part)

    parts = [pool.submit(one, part) for part in torch.split(batch, size)]
    return lambda: torch.cat([part.result() for part in parts])
