"""A source in the care of the service, and who wants to know of it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from service.readers.protocol import Condition, Order
from service.records import Dropped, IncomingFrame


class Listener(Protocol):
    """Who wants to know of the sources. Called from the crews' threads, for one source in order; must not block."""

    def frame(self, stream: str, frame: IncomingFrame) -> bool:
        """A frame came; False if it was not taken (policy `every`: it is offered again after `Crew.room`)."""

    def condition(self, stream: str, condition: Condition) -> None:
        """Its health is another one."""

    def dropped(self, stream: str, cause: Dropped, count: int) -> None:
        """Frames were dropped before they were handed over."""

    def still(self, stream: str, captured: float, data: bytes) -> None:
        """A JPEG for people came, of a source whose frames come decoded."""


@dataclass(eq=False)
class Charge:
    """A source in the care of a crew.

    Attributes:
        stream: id of its stream.
        order: as it is to be read; `first` moves on with its frames.
        removed: nothing more is to be said of it.
        losses: children that were lost while they read it, of late.
        lost_at: when that happened last.
        held: what came and could not be handed over yet.
    """

    stream: str
    order: Order
    removed: bool = False
    losses: int = 0
    lost_at: float = 0.0
    held: deque[IncomingFrame | Condition] = field(default_factory=deque)
