"""Telling a lack of memory from other errors, so that a smaller batch can be tried."""

from __future__ import annotations

import torch

_CPU = "can't allocate memory"  # torch raises a bare RuntimeError where the CPU's memory runs out


def is_out_of_memory(error: BaseException) -> bool:
    """Whether Python, a GPU or torch's CPU allocator had too little memory."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and _CPU in str(error)
    )
