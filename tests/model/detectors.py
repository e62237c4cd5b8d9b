"""Tiny detectors with random but fixed weights, and footage in memory in which something moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import torch

from model.clips import Frame, OnBad
from model.detector import Detector, DetectorConfig
from model.encoder import EncoderName
from model.frames import Geometry, luma, reference_of
from model.pictures import Image

HEIGHT, WIDTH = 64, 96
INTERVAL = 0.1
ENCODERS: tuple[EncoderName, ...] = ("stem", "pixels")


def config(encoder: EncoderName = "stem", **changes: Any) -> DetectorConfig:
    """The default settings for pictures of 64×96."""
    if encoder == "stem":
        geometry = Geometry.of_cells((HEIGHT, WIDTH), height=HEIGHT, cell=changes.get("cell", 16))
    else:
        geometry = Geometry.of_frame((HEIGHT, WIDTH), size=16)
    return DetectorConfig(**{"encoder": encoder, "geometry": geometry, "frame_interval": INTERVAL, **changes})


def detector(encoder: EncoderName = "stem", *, seed: int = 0, **changes: Any) -> Detector:
    """Nothing is learned, so nothing is known either: errors are large wherever something moves."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = Detector(config(encoder, **changes))
        if made.whitening is not None:
            torch.nn.init.normal_(made.whitening.mean, std=0.1)
            torch.nn.init.normal_(made.whitening.matrix)
        torch.nn.init.uniform_(made.error_weight, 0.5, 1.5)
    made.theta.fill_(0.5)
    made.reference.copy_(torch.from_numpy(reference_of(luma(scene()))))
    return made


def scene(height: int = HEIGHT, width: int = WIDTH) -> Image:
    """The background, uint8 H×W: smooth texture, brighter at the top, as a street under the sky is."""
    texture = np.random.default_rng(0).normal(0, 60, (height, width)).astype(np.float32)
    smooth = cv2.GaussianBlur(texture, (0, 0), 4) * 4
    return np.clip(smooth + np.linspace(190, 70, height)[:, None], 0, 255).astype(np.uint8)


def pictures(count: int, *, seed: int = 0, height: int = HEIGHT, width: int = WIDTH) -> list[Image]:
    """uint8 H×W frames: two textured squares walk over the scene, turning back at its edges."""
    generator = np.random.default_rng([seed, 1])
    side = height // 4
    sprites = generator.integers(0, 256, (2, side, side), dtype=np.uint8)
    places = generator.uniform(0, 1, (2, 2)) * [height - side, width - side]
    speeds = generator.uniform(2, 6, (2, 2)) * generator.choice([-1, 1], (2, 2))
    background, frames = scene(height, width), []
    for _ in range(count):
        frame = background.copy()
        for sprite, (top, left) in zip(sprites, places.astype(int), strict=True):
            frame[top : top + side, left : left + side] = sprite
        frames.append(frame)
        ahead = places + speeds
        speeds = np.where((ahead < 0) | (ahead > [height - side, width - side]), -speeds, speeds)
        places = np.clip(places + speeds, 0, [height - side, width - side])
    return frames


def stacked(images: Sequence[Image]) -> torch.Tensor:
    """uint8 N×H×W."""
    return torch.from_numpy(np.stack(images))


@dataclass(frozen=True)
class MemoryClip:
    """A clip of pictures in memory.

    Attributes:
        shots: (time stamp, picture) in order.
        name: of the clip.
        on_read: called with the frame's number before each frame is handed out; it may raise.
        on_end: called when the reading ends, however it ends.
    """

    shots: Sequence[tuple[float, Image]]
    name: str = "01"
    on_read: Callable[[int], object] = lambda number: None
    on_end: Callable[[], object] = lambda: None

    @property
    def frame_count(self) -> int | None:
        return len(self.shots)

    @property
    def interval(self) -> float | None:
        steps = [after - before for (before, _), (after, _) in pairwise(self.shots)]
        return float(np.median(steps)) if steps else None

    def frames(self, *, colour: bool = False, skip_bad: bool = False, on_bad: OnBad | None = None) -> Iterator[Frame]:
        try:
            for number, (pts, image) in enumerate(self.shots):
                self.on_read(number)
                yield Frame(number, pts, image)
        finally:
            self.on_end()

    def check(self) -> list[str]:
        return []


def clip(count: int, *, step: float = INTERVAL, seed: int = 0, name: str = "01") -> MemoryClip:
    """A clip of `count` frames, `step` seconds apart."""
    return MemoryClip([(n * step, image) for n, image in enumerate(pictures(count, seed=seed))], name)
