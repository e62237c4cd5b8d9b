"""Small drawn footage for tests: pictures of a texture that slides, as files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.stream import VideoStream

from model.pictures import Image
from model.video import VideoClip


def picture(at: int = 0, width: int = 96, height: int = 64) -> Image:
    """Frame `at` of the scene, uint8 H×W×3 BGR, 0 to 255."""
    noise = np.random.default_rng(0).integers(0, 256, (height, width + 200, 3), dtype=np.uint8)
    blurred = cv2.GaussianBlur(noise, (0, 0), 2)
    scene = cv2.normalize(blurred, np.empty_like(blurred), 0, 255, cv2.NORM_MINMAX)
    return np.ascontiguousarray(scene[:, at : at + width], dtype=np.uint8)


def encoded(ending: str = ".jpg", at: int = 0, options: Sequence[int] = ()) -> bytes:
    return cv2.imencode(ending, picture(at), list(options))[1].tobytes()


def write_frames(folder: Path, names: Iterable[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for at, name in enumerate(names):
        (folder / name).write_bytes(encoded(Path(name).suffix, at))
    return folder


def write_video(
    path: Path,
    count: int = 30,
    *,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    rate: int = 10,
    start: int = 0,
    size: tuple[int, int] = (96, 64),
    options: dict[str, str] | None = None,
    codec_options: dict[str, str] | None = None,
) -> Path:
    """`count` frames; the first has the time stamp `start` (in frames)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(path, "w", container_options=options or {}) as container:
        stream = container.add_stream(codec, rate=rate)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = size
        stream.pix_fmt = pixels
        stream.options = dict(codec_options or {})
        for at in range(count):
            frame = av.VideoFrame.from_ndarray(picture(at, *size), format="bgr24")
            frame.pts, frame.time_base = start + at, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def clip_of(path: Path) -> VideoClip:
    """A video as a clip."""
    return VideoClip(path.stem, str(path), lambda: path.open("rb"))
