"""What sources give: pictures, and word of those that cannot be used."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Final, Protocol

import cv2

from model.pictures import Image

STILLS_A_SECOND: Final = 10.0
"""Pictures for people: event clips have no more."""

_STILL_HEIGHT: Final = 720
_STILL_QUALITY: Final = 85


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a source.

    Attributes:
        pts: seconds by the source's own clock; None: it has none, and its arrival counts.
        data: a JPEG file, or uint8 H×W luma or H×W×3 BGR.
        number: its own number among the source's pictures; None: it is the next one.
        colour: gives it as H×W×3 BGR, if it is asked before the next picture; None: `data` is all there is.
    """

    pts: float | None
    data: bytes | Image
    number: int | None = None
    colour: Callable[[], Image] | None = None


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


def jpeg(image: Image) -> bytes:
    """A picture for people: JPEG, 720 lines at most.

    Args:
        image: uint8 H×W luma or H×W×3 BGR.
    """
    if image.shape[0] > _STILL_HEIGHT:
        width = max(1, round(image.shape[1] * _STILL_HEIGHT / image.shape[0]))
        image = cv2.resize(image, (width, _STILL_HEIGHT), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _STILL_QUALITY])[1].tobytes()
