"""A stream's slot on the device, a frame that is to be scored in it, and what it scored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from model.pictures import Image
from service.models import Model

Heat = NDArray[np.float32]


@dataclass(slots=True, eq=False)
class Slot:
    """A stream's place in the bank of its model's lane.

    Attributes:
        model: scores the stream.
        region: bool cells that count; None: all.
        number: in the bank; None: not opened yet.
        broken: a frame was lost to a fault, so the next one begins a new window.
        pending: batches under way that hold frames of the stream.
        leaving: it is given back when there are none.
    """

    model: Model
    region: Tensor | None = None
    number: int | None = None
    broken: bool = False
    pending: int = 0
    leaving: bool = False


class Entry(Protocol):
    """A frame to be scored."""

    @property
    def slot(self) -> Slot:
        """Of its stream."""

    @property
    def image(self) -> Image:
        """uint8, H×W or H×W×3, the model's input."""

    @property
    def restart(self) -> bool:
        """Whether it begins a new window."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a frame scored.

    Attributes:
        raw: reconstruction error; None: its window is not full.
        heat: float32 2·rows×2·columns; None without `raw`.
        restarted: it began a new window.
        fault: why the service could not score it, or "".
    """

    raw: float | None = None
    heat: Heat | None = None
    restarted: bool = False
    fault: str = ""
