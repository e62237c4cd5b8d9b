"""Small moving footage on disk for the tests of training and of the command line."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
from av.video.stream import VideoStream

from tests.model.detectors import HEIGHT, WIDTH, pictures


def write_clip(
    folder: Path, frames: int, *, seed: int = 0, first: int = 0, height: int = HEIGHT, width: int = WIDTH
) -> Path:
    """A folder of pictures `frame_00000.jpg` ..., numbered from `first`."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(pictures(frames, seed=seed, height=height, width=width), start=first):
        assert cv2.imwrite(str(folder / f"frame_{number:05d}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 95])
    return folder


def write_clips(root: Path, clips: int = 6, frames: int = 30, *, seed: int = 0) -> Path:
    """A folder of clip folders `01`, `02`, ...; each shows other things moving in the same scene."""
    for clip in range(1, clips + 1):
        write_clip(root / f"{clip:02d}", frames, seed=seed + clip)
    return root


def write_moving_video(path: Path, frames: int = 60, *, seed: int = 0, rate: int = 10) -> Path:
    """A video of the same scene."""
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "18"})
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number, image in enumerate(pictures(frames, seed=seed)):
            frame = av.VideoFrame.from_ndarray(image, format="gray").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
