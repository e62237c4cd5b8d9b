"""Clips made worse, or abnormal, on purpose. Each is a clip to everyone else: it takes the one path to a score."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice, takewhile

import cv2
import numpy as np
from numpy.typing import NDArray

from model.clips import Clip, Frame, OnBad
from model.pictures import Image


@dataclass(frozen=True)
class Altered:
    """A clip whose frames are changed as they are read; the base of the alterations below.

    Attributes:
        clip: the clip as it is.
        seed: of this alteration alone; every reading draws the same.
    """

    clip: Clip
    seed: int = 0

    @property
    def name(self) -> str:
        return self.clip.name

    @property
    def frame_count(self) -> int | None:
        return self.clip.frame_count

    @property
    def interval(self) -> float | None:
        return self.clip.interval

    def check(self) -> list[str]:
        return self.clip.check()

    def generator(self) -> np.random.Generator:
        """A generator of its own for each kind of alteration, clip and seed."""
        kind = sum(map(ord, type(self).__name__))
        return np.random.default_rng([self.seed, kind, *self._key])

    @property
    def _key(self) -> bytes:
        return self.name.encode(errors="surrogateescape")  # a name of a file need not be valid UTF-8

    def frames(self, *, colour: bool = False, skip_bad: bool = False, on_bad: OnBad | None = None) -> Iterator[Frame]:
        return self.alter(self.clip.frames(colour=colour, skip_bad=skip_bad, on_bad=on_bad))

    def alter(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        raise TypeError("Altered is a base: use one of the alterations")


def add_noise(image: Image, amplitude: float, generator: np.random.Generator) -> Image:
    """Uniform noise of ±amplitude (of 255) on every value."""
    noise = generator.uniform(-amplitude, amplitude, image.shape).astype(np.float32)
    return np.asarray(np.clip(np.rint(image + noise), 0, 255), np.uint8)


@dataclass(frozen=True)
class Corrupted(Altered):
    """The competition's corruption: some frames stand on their head, others carry noise, never both.

    Source: measured on Pixel Play '26; additive noise of ±35 on 40 % of frames, top-bottom flips on 10 %.
    """

    flips: float = 0.1
    noise: float = 0.4
    amplitude: float = 35.0

    def alter(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        generator = self.generator()
        for frame in frames:
            draw = generator.random()
            if draw < self.flips:
                yield replace(frame, image=np.ascontiguousarray(frame.image[::-1]))
            elif draw < self.flips + self.noise:
                yield replace(frame, image=add_noise(frame.image, self.amplitude, generator))
            else:
                yield frame


@dataclass(frozen=True)
class Noisy(Altered):
    """The training augmentation: noise of ±10 to ±45 on half the frames."""

    share: float = 0.5
    amplitudes: tuple[float, float] = (10.0, 45.0)

    def alter(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        generator = self.generator()
        for frame in frames:
            if generator.random() < self.share:
                yield replace(frame, image=add_noise(frame.image, generator.uniform(*self.amplitudes), generator))
            else:
                yield frame


@dataclass(frozen=True)
class DoubleSpeed(Altered):
    """Every second frame, at the pace of all."""

    @property
    def frame_count(self) -> int | None:
        count = self.clip.frame_count
        return None if count is None else (count + 1) // 2

    def alter(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        origin: float | None = None
        for frame in islice(frames, 0, None, 2):
            origin = frame.pts if origin is None else origin
            yield replace(frame, pts=origin + (frame.pts - origin) / 2)


@dataclass(frozen=True)
class Backwards(Altered):
    """The first frames in reverse; they are held in memory, so there is a bound."""

    most: int = 600

    def alter(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        held = list(islice(frames, self.most))
        for frame, time in zip(reversed(held), held, strict=True):
            yield Frame(time.number, time.pts, frame.image)


@dataclass(frozen=True)
class ForeignObject(Altered):
    """A drawn shape moves through the picture from time to time.

    Shape, texture, size, place and speed are drawn anew for each pass. `labels` says on which frames it shows.
    """

    passes: tuple[int, int] = (15, 35)
    pauses: tuple[int, int] = (10, 30)

    def alter(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        textures = np.random.default_rng([self.seed, 1, *self._key])
        spans = self._spans()
        start, stop = next(spans)
        sprite: _Sprite | None = None
        for index, frame in enumerate(frames):
            if index == stop:
                sprite = None
                start, stop = next(spans)
            if index == start:
                sprite = _Sprite.draw(textures, (frame.image.shape[0], frame.image.shape[1]))
            yield frame if sprite is None else replace(frame, image=sprite.step(frame.image))

    def labels(self, count: int) -> NDArray[np.bool_]:
        """Whether the object shows, bool, one a frame."""
        labels = np.zeros(count, dtype=bool)
        for start, stop in takewhile(lambda span: span[0] < count, self._spans()):
            labels[start:stop] = True
        return labels

    def _spans(self) -> Iterator[tuple[int, int]]:
        generator, at = self.generator(), 0
        while True:
            start = at + int(generator.integers(*self.pauses))
            at = start + int(generator.integers(*self.passes))
            yield start, at


@dataclass
class _Sprite:
    texture: NDArray[np.float32]
    alpha: NDArray[np.float32]
    x: float
    y: float
    dx: float
    dy: float

    @classmethod
    def draw(cls, generator: np.random.Generator, size: tuple[int, int]) -> _Sprite:
        rows, columns = size
        unit = rows / 240  # sizes and speeds are those of a picture 240 rows high
        height, width = (max(4, int(generator.integers(18, 60) * unit)) for _ in range(2))
        corners = int(generator.integers(3, 9))
        angles = np.sort(generator.uniform(0, 2 * np.pi, corners))
        radii = generator.uniform(0.6, 1.0, corners) / 2
        points = np.stack([width * (0.5 + radii * np.cos(angles)), height * (0.5 + radii * np.sin(angles))], 1)
        alpha = cv2.fillPoly(np.zeros((height, width), np.uint8), [points.astype(np.int32)], 255)
        coarse = generator.uniform(-60, 60, generator.integers(2, 8, 2)).astype(np.float32)
        texture = generator.uniform(20, 235) + cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        return cls(
            np.asarray(np.clip(texture, 0, 255), np.float32),
            np.asarray(cv2.GaussianBlur(alpha, (3, 3), 0) / np.float32(255), np.float32),
            generator.uniform(0, max(1, columns - width)),
            generator.uniform(0, max(1, rows - height)),
            generator.uniform(2, 8) * unit * generator.choice([-1, 1]),
            generator.uniform(-1, 1) * unit,
        )

    def step(self, image: Image) -> Image:
        """Draws the sprite at its place, turned back at the picture's borders, and moves it on."""
        height, width = self.alpha.shape
        for axis, limit in (("x", image.shape[1] - width), ("y", image.shape[0] - height)):
            at, speed = getattr(self, axis) + getattr(self, f"d{axis}"), getattr(self, f"d{axis}")
            if not 0 <= at <= max(0, limit):
                speed, at = -speed, float(np.clip(at, 0, max(0, limit)))
            setattr(self, axis, at)
            setattr(self, f"d{axis}", speed)
        matrix = np.array([[1, 0, self.x], [0, 1, self.y]], np.float32)
        size = (image.shape[1], image.shape[0])
        alpha, texture = cv2.warpAffine(self.alpha, matrix, size), cv2.warpAffine(self.texture, matrix, size)
        if image.ndim == 3:
            alpha, texture = alpha[..., None], texture[..., None]
        return np.asarray(image * (1 - alpha) + texture * alpha, dtype=np.uint8)
