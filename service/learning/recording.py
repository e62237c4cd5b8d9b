"""Footage of one camera on disk, for training: pictures thinned to what that needs, in clips of bounded length."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from model.pictures import Image, PictureError, decode_image, image_size

FPS: Final = 1000.0
"""The pictures are numbered in milliseconds of their clip: time stamps without a table of them."""

_LINES: Final = 480  # twice the lines that a network sees
_LARGEST: Final = 1280 * 720  # pixels of a JPEG that is kept as it came
_QUALITY: Final = 92
_FEWEST: Final = 16  # pictures of a clip, two windows
_EARLY: Final = 0.1  # of an interval: what comes a little early is taken


@dataclass(frozen=True, slots=True)
class RecordingLimits:
    """What is kept.

    Attributes:
        bytes: of all pictures together.
        rate: pictures a second.
        clip: seconds of a clip.
        gap: seconds without a picture after which a new clip begins.
    """

    bytes: int
    rate: float = 10.0
    clip: float = 30.0
    gap: float = 1.0


class RecordingFull(Exception):
    """As much is recorded as may be."""


class Recording:
    """A folder of clips, each a folder of pictures. One that is there already goes on, with a new clip.

    Attributes:
        seconds: of footage, without the gaps.
        frames: pictures.
        bytes: of them.
    """

    def __init__(self, folder: Path, limits: RecordingLimits) -> None:
        """Opens or makes a folder.

        Raises:
            OSError: it cannot be made or read.
        """
        self.seconds = 0.0
        self.frames = 0
        self.bytes = 0
        self._folder = folder
        self._limits = limits
        self._clip: Path | None = None
        self._clips = 0
        self._start = 0.0  # time stamp of the clip's first picture
        self._last = 0.0  # and of its newest
        self._due = 0.0
        self._size = (0, 0)
        folder.mkdir(parents=True, exist_ok=True)
        for clip in sorted(folder.iterdir()):
            self._count(clip)

    def add(self, pts: float, data: bytes | Image) -> bool:
        """Keeps a picture if it is its turn.

        Args:
            pts: seconds; may jump.
            data: JPEG or PNG, or uint8 H×W luma or H×W×3 BGR.

        Returns:
            Whether it was kept.

        Raises:
            RecordingFull: the limit in bytes is reached.
            PictureError: it is no picture.
            OSError: it cannot be written.
        """
        interval = 1 / self._limits.rate
        size = image_size(data) if isinstance(data, bytes) else (data.shape[1], data.shape[0])
        new = self._clip is None or not 0 <= pts - self._last <= self._limits.gap or size != self._size
        if not new and pts < self._due - _EARLY * interval:
            return False
        picture = storable(data)
        if self.bytes + len(picture) > self._limits.bytes:
            raise RecordingFull(f"{self._limits.bytes / 1e9:.3g} GB")
        if new or pts - self._start >= self._limits.clip:
            self._begin(pts, size)
        step = pts - self._last
        (self._place() / f"{round((pts - self._start) * FPS):09d}.jpg").write_bytes(picture)
        self._last = pts
        self._due = max(self._due + interval, pts)
        self.seconds += step
        self.frames += 1
        self.bytes += len(picture)
        return True

    def tidy(self) -> None:
        """Removes clips that are too short for windows to fit in, as a shaky connection leaves them."""
        clips = {clip: sorted(clip.iterdir()) for clip in self._folder.iterdir()}
        for clip, files in clips.items():
            if len(files) < _FEWEST:
                shutil.rmtree(clip)
                self.frames -= len(files)
                self.seconds -= int(files[-1].stem) / FPS if files else 0.0

    def _begin(self, pts: float, size: tuple[int, int]) -> None:
        self._clips += 1
        self._clip = self._folder / f"clip-{self._clips:05d}"
        self._clip.mkdir()
        self._start = self._last = pts
        self._due = pts
        self._size = size

    def _place(self) -> Path:
        if self._clip is None:
            raise RuntimeError("no clip has begun")
        return self._clip

    def _count(self, clip: Path) -> None:
        """Takes over a clip of an earlier run; an empty picture is one that a crash has cut off."""
        last = 0
        for file in clip.iterdir():
            size = file.stat().st_size
            if not size:
                file.unlink()
                continue
            self.frames += 1
            self.bytes += size
            last = max(last, int(file.stem))
        self.seconds += last / FPS
        self._clips = max(self._clips, int(clip.name.removeprefix("clip-")))


def storable(data: bytes | Image) -> bytes:
    """A picture as a JPEG of at most 480 lines; one that came as a JPEG of up to 1280×720 stays as it is.

    Raises:
        PictureError: it cannot be decoded.
    """
    if isinstance(data, bytes):
        width, height = image_size(data)
        if data.startswith(b"\xff\xd8") and width * height <= _LARGEST:
            return data
        data = decode_image(data, colour=True)
    height, width = data.shape[:2]
    if height > _LINES:
        wide = max(1, round(width * _LINES / height))
        data = np.asarray(cv2.resize(data, (wide, _LINES), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    done, encoded = cv2.imencode(".jpg", data, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        raise PictureError(f"{width}×{height} pixels cannot be encoded")
    return encoded.tobytes()
