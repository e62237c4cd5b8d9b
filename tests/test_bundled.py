"""What comes inside packages: the builds of FFmpeg that PyAV and OpenCV bring have no known faults."""

from __future__ import annotations

import re

import av
import cv2
import pytest

LIBAVCODEC = (62, 28, 102)
"""Of FFmpeg 8.1.2, the first without CVE-2026-8461 (a write out of bounds while decoding)."""


def opencv_libavcodec() -> tuple[int, ...]:
    found = re.search(r"avcodec: +YES \(([\d.]+)\)", cv2.getBuildInformation())
    assert found is not None
    return tuple(map(int, found[1].split(".")))


@pytest.mark.parametrize(
    "version", [av.library_versions["libavcodec"], opencv_libavcodec()], ids=["PyAV's", "OpenCV's"]
)
def test_ffmpeg_is_new_enough(version: tuple[int, ...]) -> None:
    assert version >= LIBAVCODEC
