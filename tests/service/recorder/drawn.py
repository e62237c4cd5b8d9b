"""Pictures that say which they are, and clips read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from service.recorder.ring import Still

T0 = 1_700_000_000.0


def picture(number: int, *, width: int = 64, height: int = 48) -> bytes:
    """A JPEG that is as bright as its number."""
    return cv2.imencode(".jpg", np.full((height, width, 3), brightness(number), np.uint8))[1].tobytes()


def brightness(number: int) -> int:
    return 20 + 3 * (number % 70)


def stills(count: int, *, step: float = 0.1, first: float = T0) -> list[Still]:
    return [Still(first + number * step, picture(number)) for number in range(count)]


def seen(clip: Path) -> list[tuple[float, int]]:
    """For each picture of a clip when it is shown, in seconds, and how bright it is."""
    with av.open(str(clip)) as container:
        found: list[tuple[float, int]] = []
        for frame in container.decode(video=0):
            shown: Any = frame.to_ndarray(format="bgr24")
            assert frame.pts is not None and frame.time_base is not None
            found.append((float(frame.pts * frame.time_base), round(float(shown.mean()))))
        return found


def shows(clip: Path, expected: list[tuple[float, int]]) -> None:
    """Asserts that a clip has exactly these pictures: seconds from its begin, and number."""
    found = seen(clip)
    assert [round(at, 3) for at, _ in found] == [round(at, 3) for at, _ in expected]
    assert all(abs(level - brightness(number)) <= 3 for (_, level), (_, number) in zip(found, expected, strict=True))
