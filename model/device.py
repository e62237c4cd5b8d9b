"""Which device does the work, and in which number format."""

from __future__ import annotations

from pathlib import Path

import torch

from model.detector import Precision

_CPU_INFO = Path("/proc/cpuinfo")


class DeviceError(ValueError):
    """A device that is not there; the message says what to do."""


def choose_device(name: str = "auto") -> torch.device:
    """`auto` is the first CUDA device where there is one, else the CPU.

    Raises:
        DeviceError: for a name that torch does not know, or a device that is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise DeviceError(f"device {name!r}: expected auto, cpu, cuda or cuda:N") from error
    if device.type not in ("cpu", "cuda"):
        raise DeviceError(f"device {name!r}: expected auto, cpu, cuda or cuda:N")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(
            f"device {name!r} is not there: torch {torch.__version__} sees {torch.cuda.device_count()} CUDA devices; "
            "choose cpu or auto"
        )
    return device


def choose_precision(name: str, device: torch.device, *, learning: bool = False) -> Precision:
    """`auto` is half precision on CUDA, and bfloat16 on a CPU that computes in it (two thirds of the time there).

    Chosen by what the processor can do and not by a stopwatch: the same machine gives the same bits twice.

    Args:
        name: what was asked for.
        device: what is to compute.
        learning: a model is to learn, which on a CPU `auto` does in float32: how well it detects does not depend on
            the format in which it scores, but on that in which it learned (`docs/quality-notes.md`).

    Raises:
        DeviceError: for a name that is none of auto, float32, bfloat16, float16; float16 on a CPU.
    """
    if name == "auto":
        if device.type == "cuda":
            return "float16"
        return "bfloat16" if _cpu_has_bfloat16() and not learning else "float32"
    if name == "float32":
        return "float32"
    if name == "bfloat16":
        return "bfloat16"
    if name == "float16" and device.type == "cuda":
        return "float16"
    raise DeviceError(f"precision {name!r} on {device.type}: expected auto, float32, bfloat16, or float16 on CUDA")


def _cpu_has_bfloat16() -> bool:
    try:
        flags = _CPU_INFO.read_text(errors="replace")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
