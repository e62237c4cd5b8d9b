"""A webcam of this machine, by its number in the configuration."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from functools import partial
from typing import Protocol, cast

import cv2

from model.frames import luma
from model.pictures import Image
from service.readers.failures import ErrorClass, ReadError
from service.readers.pictures import Bad, Picture


class Device(Protocol):
    """What OpenCV gives for a webcam."""

    def isOpened(self) -> bool: ...

    def read(self) -> tuple[bool, Image]: ...

    def release(self) -> None: ...


def _same(image: Image) -> Image:
    return image


def open_device(index: int) -> Device:
    """The webcam of this number, by the system's own driver (a number is never taken for a file or pipeline)."""
    return cast(Device, cv2.VideoCapture(index, cv2.CAP_V4L2))


class WebcamSource:
    """One opening of a webcam."""

    live = True

    def __init__(self, index: int, *, colour: bool = False, open_it: Callable[[int], Device] = open_device) -> None:
        """Makes it; nothing is opened yet.

        Args:
            index: of the webcam.
            colour: BGR instead of luma.
            open_it: opens it.
        """
        self._index = index
        self._colour = colour
        self._open_it = open_it
        self._ended = threading.Event()

    def pictures(self) -> Generator[Picture | Bad, None, None]:
        device = self._open_it(self._index)
        try:
            if not device.isOpened():
                raise ReadError(ErrorClass.CONNECTION, f"webcam {self._index} cannot be opened: absent, or in use")
            while not self._ended.is_set():
                good, image = device.read()
                if not good:
                    raise ReadError(ErrorClass.TIMEOUT, f"webcam {self._index} gives no picture any more")
                yield Picture(None, image if self._colour else luma(image), colour=partial(_same, image))
        finally:
            device.release()

    def interrupt(self) -> None:
        self._ended.set()
