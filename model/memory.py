"""Telling a lack of memory from other errors, so that a smaller batch can be tried."""

from __future__ import annotations

import torch

_SAID = ("can't allocate memory", "out of memory", "Failed to allocate memory")
"""By torch's allocator of the CPU, by CUDA, and by ONNX Runtime: all three have no class of their own for it."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether Python, a GPU, torch's CPU allocator or ONNX Runtime had too little memory."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    library = isinstance(error, RuntimeError) or type(error).__module__.startswith("onnxruntime.")
    return library and any(words in str(error) for words in _SAID)
