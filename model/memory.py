"""Telling a lack of memory from other errors, so that a smaller batch can be tried, or the user told."""

from __future__ import annotations

_CLASSES = frozenset(["builtins.MemoryError", "torch.OutOfMemoryError"])
"""By name: a help text needs no torch."""

_SAID = ("can't allocate memory", "out of memory", "Failed to allocate memory")
"""By torch's allocator of the CPU, by CUDA, and by ONNX Runtime: none of them has a class of its own for it."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether Python, a GPU, torch's CPU allocator or ONNX Runtime had too little memory."""
    if any(f"{kind.__module__}.{kind.__qualname__}" in _CLASSES for kind in type(error).__mro__):
        return True
    library = isinstance(error, RuntimeError) or type(error).__module__.startswith("onnxruntime.")
    return library and any(words in str(error) for words in _SAID)
