from __future__ import annotations

import numpy as np
import pytest

from model.frames import luma
from model.pictures import Image
from service.readers.failures import ErrorClass
from service.readers.pictures import Picture
from service.readers.webcam import WebcamSource
from tests.model.drawn import picture
from tests.service.readers.servers import read_out


class FakeDevice:
    """A webcam that gives so many pictures."""

    def __init__(self, count: int) -> None:
        self.left = count
        self.released = False

    def isOpened(self) -> bool:
        return self.left > 0

    def read(self) -> tuple[bool, Image]:
        self.left -= 1
        return self.left >= 0, picture(max(self.left, 0))

    def release(self) -> None:
        self.released = True


@pytest.mark.parametrize("colour", [False, True])
def test_pictures_come_until_the_webcam_is_pulled_out(colour: bool) -> None:
    device = FakeDevice(3)
    found, error = read_out(WebcamSource(0, colour=colour, open_it=lambda index: device))
    assert error.error_class is ErrorClass.TIMEOUT and not error.permanent
    for one, at in zip(found, (2, 1, 0), strict=True):
        assert isinstance(one, Picture) and one.pts is None
        assert np.array_equal(np.asarray(one.data), picture(at) if colour else luma(picture(at)))
    assert device.released


def test_an_absent_webcam_is_tried_again() -> None:
    device = FakeDevice(0)
    found, error = read_out(WebcamSource(7, open_it=lambda index: device))
    assert found == [] and not error.permanent and "webcam 7 cannot be opened" in str(error)
    assert device.released


def test_a_number_without_a_webcam_behind_it_is_no_crash() -> None:
    _, error = read_out(WebcamSource(63))
    assert error.error_class is ErrorClass.CONNECTION
