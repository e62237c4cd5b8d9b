"""What sources give: pictures, and word of those that cannot be used."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Protocol

from model.pictures import Image


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a source.

    Attributes:
        pts: seconds by the source's own clock; None: it has none, and its arrival counts.
        data: a JPEG file, or uint8 H×W luma or H×W×3 BGR.
        number: its own number among the source's pictures; None: it is the next one.
    """

    pts: float | None
    data: bytes | Image
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Bad:
    """A picture that cannot be used.

    Attributes:
        reason: why.
    """

    reason: str


class Source(Protocol):
    """Something that gives pictures until it ends or fails."""

    live: bool
    """Whether it gives them at a pace of its own, so that its end is a failure."""

    def pictures(self) -> Generator[Picture | Bad, None, None]:
        """The pictures from now on; once.

        Raises:
            ReadError: it cannot be read, or not any further.
        """

    def interrupt(self) -> None:
        """Make `pictures` end or fail soon; from any thread."""
