"""On what machine a figure was measured."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path

import torch

from model import __version__
from model.device import choose_precision
from model.workers import available_cores


@dataclass(frozen=True, slots=True)
class Host:
    """What a figure depends on apart from the code.

    Attributes:
        processor: the CPU's own name for itself.
        cores: those that this process may use.
        memory: GiB.
        device: what computed, with the GPU's name where it is one.
        precision: the encoder's number format.
        versions: of framewatch, Python and torch.
    """

    processor: str
    cores: int
    memory: float
    device: str
    precision: str
    versions: str

    def __str__(self) -> str:
        on = "" if self.device == "cpu" else f", {self.device}"
        cores = "1 core" if self.cores == 1 else f"{self.cores} cores"
        return f"{self.processor}, {cores}, {self.memory:.0f} GiB{on}; {self.versions}; encoder in {self.precision}"


def this_host(device: torch.device, precision: str | None = None) -> Host:
    """The machine that this runs on; without a precision with the one that framewatch chooses there."""
    return Host(
        processor=_processor(),
        cores=available_cores(),
        memory=_memory(),
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        precision=precision or choose_precision("auto", device),
        versions=f"framewatch {__version__}, Python {platform.python_version()}, torch {torch.__version__}",
    )


def _processor() -> str:
    """Model name with family, model and stepping: virtual machines often say no more than the brand."""
    facts = _facts(Path("/proc/cpuinfo"))
    if "model name" not in facts:
        return platform.processor() or platform.machine()
    return f"{facts['model name']} (family {facts.get('cpu family', '?')}, model {facts.get('model', '?')})"


def _memory() -> float:
    """GiB; 0 where it is not known."""
    total = _facts(Path("/proc/meminfo")).get("MemTotal", "0 kB")
    return int(total.split()[0]) / 2**20


def _facts(path: Path) -> dict[str, str]:
    """`name: value` lines; of a name that comes twice, the first."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return {}
    pairs = (line.split(":", 1) for line in reversed(lines) if ":" in line)
    return {name.strip(): value.strip() for name, value in pairs}
