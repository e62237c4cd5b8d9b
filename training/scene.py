"""A synthetic street under a fixed camera, with frame and pixel labels: footage for whoever has no camera at hand.

The street's seed picks what stands still, a clip's seed who passes by and the light, so all clips of a street are
footage of one camera.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from heapq import merge
from itertools import takewhile

import cv2
import numpy as np
from numpy.typing import NDArray

from training.backdrop import Backdrop, draw_backdrop
from training.performers import LANES, Anomaly, Entrance, Shot, passers_by, stage
from training.perspective import Camera, Floats
from training.sprites import Sprite, draw_shadow, draw_sprite, place

__all__ = ["Anomaly", "SceneFrame", "Street"]

SMALLEST = 2e-4
"""Share of the picture's pixels that an anomaly must cover to count as visible: 15 pixels of 240×320."""

_NOISE = 1.6  # sensor noise of the luma, standard deviation of 255
_CHROMA = 0.9  # and what each channel has on top
_FADE = 3.0  # seconds in which the end of a loop goes over into its beginning
_SHADOW = 0.45  # how much light a shadow takes away


@dataclass(frozen=True, slots=True)
class SceneFrame:
    """One drawn frame.

    Attributes:
        image: uint8 H×W×3 BGR.
        label: whether an anomaly is visible and under way.
        mask: bool H×W, the anomalous actor's visible pixels without its shadow; empty where `label` is false.
    """

    image: NDArray[np.uint8]
    label: bool
    mask: NDArray[np.bool_]


@dataclass(frozen=True)
class Street:
    """A street and its camera.

    Attributes:
        height, width: of the picture, pixels.
        fps: frames a second.
        seed: of everything that stands still.
    """

    height: int = 240
    width: int = 320
    fps: float = 10.0
    seed: int = 0

    def clip(self, seconds: float, *, seed: int, anomaly: Anomaly | None = None) -> Iterator[SceneFrame]:
        """Draws `round(seconds * fps)` frames one by one (`math.inf`: without end).

        An anomaly happens once, with normal footage before and after it where the clip is long enough (18 s is
        enough for all of them), and begins a fifth into the clip where it is not.

        Args:
            seconds: length of the clip.
            seed: picks people, light and noise. The same seed with and without an anomaly shows the same passers-by.
            anomaly: what happens, or None for normal footage.
        """
        events: list[Entrance] = []
        if anomaly is not None:
            rng = np.random.default_rng([seed, 1])
            performers = stage(anomaly, self.camera, rng)
            begin = min(performer.begin for performer in performers)
            span = max(performer.end for performer in performers) - begin
            spare = min(seconds, 60.0) - span
            onset = max(spare * float(rng.uniform(0.4, 0.6)), 0.2 * min(seconds, 60.0))
            events = [Entrance(onset - begin, performer) for performer in performers]
        count = None if math.isinf(seconds) else round(seconds * self.fps)
        return itertools.islice(self._draw(seed, self._with_passers_by(seed, iter(events))), count)

    def live(self, seed: int) -> Iterator[SceneFrame]:
        """Frames without end, with an anomaly of any kind every 30 to 60 seconds."""
        return self._draw(seed, self._with_passers_by(seed, self._events(np.random.default_rng([seed, 1]))))

    def loop(self, seconds: float, *, seed: int, anomalies: Sequence[tuple[float, Anomaly]]) -> Iterator[SceneFrame]:
        """Draws `round(seconds * fps)` frames that can follow themselves: whoever comes has gone before the end.

        In its last seconds nobody is there, and the light goes over into that of the beginning.

        Args:
            seconds: length; everything that happens has to fit into it.
            seed: picks people, light and noise.
            anomalies: what happens, each with the second in which it begins.

        Raises:
            ValueError: an anomaly does not fit.
        """
        events: list[Entrance] = []
        for number, (onset, anomaly) in enumerate(anomalies):
            performers = stage(anomaly, self.camera, np.random.default_rng([seed, 1, number]))
            begin = min(performer.begin for performer in performers)
            events += [Entrance(onset + _FADE - begin, performer) for performer in performers]
        events.sort(key=lambda entrance: entrance.time)
        bounds = _FADE, seconds
        if not all(_is_within(entrance, *bounds) for entrance in events):
            raise ValueError(f"not all anomalies are over {_FADE:g} s before the end at {seconds:g} s")
        lanes = [
            (entrance for entrance in takewhile(lambda one: one.time < seconds, lane) if _is_within(entrance, *bounds))
            for lane in self._lanes(seed)
        ]
        count, fade = round(seconds * self.fps), round(_FADE * self.fps)
        frames = self._draw(seed, merge(events, *lanes, key=lambda entrance: entrance.time))
        first = list(itertools.islice(frames, fade))
        yield from itertools.islice(frames, count - fade)
        for number, (old, new) in enumerate(zip(itertools.islice(frames, fade), first, strict=True), 1):
            image = cv2.addWeighted(old.image, 1 - number / (fade + 1), new.image, number / (fade + 1), 0)
            yield SceneFrame(np.asarray(image, np.uint8), False, new.mask)

    def _events(self, rng: np.random.Generator) -> Iterator[Entrance]:
        time = 0.0
        while True:
            time += float(rng.uniform(30, 60))
            performers = stage(Anomaly(str(rng.choice(list(Anomaly)))), self.camera, rng)
            begin = min(performer.begin for performer in performers)
            yield from (Entrance(time - begin, performer) for performer in performers)

    @cached_property
    def camera(self) -> Camera:
        """Where the camera stands."""
        rng = np.random.default_rng([self.seed, 0])
        turn = float(rng.uniform(0.1, 0.2)) * float(rng.choice([-1, 1]))
        return Camera(self.height, self.width, turn)

    @cached_property
    def backdrop(self) -> Backdrop:
        """What the camera sees when nobody is there, drawn once (about half a second)."""
        return draw_backdrop(self.camera, np.random.default_rng([self.seed, 1]))

    def _lanes(self, seed: int) -> list[Iterator[Entrance]]:
        return [passers_by(lane, self.camera, np.random.default_rng([seed, 2, n])) for n, lane in enumerate(LANES)]

    def _with_passers_by(self, seed: int, events: Iterator[Entrance]) -> Iterator[Entrance]:
        return merge(events, *self._lanes(seed), key=lambda entrance: entrance.time)

    def _draw(self, seed: int, entrances: Iterator[Entrance]) -> Iterator[SceneFrame]:
        light = _Light(self.camera, self.backdrop, np.random.default_rng([seed, 3]))
        on_stage: list[Entrance] = []
        coming = next(entrances, None)
        for number in itertools.count():
            time = number / self.fps
            while coming is not None and coming.time <= time:
                on_stage.append(coming)
                coming = next(entrances, None)
            on_stage = [entrance for entrance in on_stage if time - entrance.time <= entrance.performer.end]
            shots = [entrance.performer.at(time - entrance.time) for entrance in on_stage]
            yield self._frame([shot for shot in shots if shot is not None], time, light)

    def _frame(self, shots: list[Shot], time: float, light: _Light) -> SceneFrame:
        shadow = np.zeros((self.height, self.width), np.uint8)
        sprites: list[tuple[Sprite, bool]] = []
        for shot in shots:
            world = place(shot.figure, shot.spot, shot.heading)
            draw_shadow(shot.figure, world, self.camera, shadow)
            sprite = draw_sprite(shot.figure, world, self.camera)
            if sprite is not None:
                sprites.append((sprite, shot.abnormal))
        gain = light.gain(time)
        shade = np.asarray(cv2.GaussianBlur(shadow, (0, 0), self.height / 200), np.float32) * (_SHADOW / 255)
        image = light.windows(time) * (gain * (1 - shade * self.backdrop.ground))[..., None]
        mask = np.zeros((self.height, self.width), np.bool_)
        for sprite, abnormal in sorted(sprites, key=lambda pair: -pair[0].depth):
            rows, columns = sprite.box
            seen = self.backdrop.depth[rows, columns] > sprite.depth
            cover = sprite.cover * seen
            level = gain[rows, columns]
            image[rows, columns] *= (1 - cover)[..., None]
            image[rows, columns] += sprite.colour * (seen * level)[..., None]
            part = mask[rows, columns]
            part[cover >= 0.5] = abnormal
        if np.count_nonzero(mask) < SMALLEST * mask.size:
            mask[:] = False
        return SceneFrame(light.expose(image), bool(mask.any()), mask)


def _is_within(entrance: Entrance, begin: float, end: float) -> bool:
    return begin <= entrance.time and entrance.time + entrance.performer.end <= end


class _Light:
    """Clouds, window lights and sensor noise of one clip."""

    def __init__(self, camera: Camera, backdrop: Backdrop, rng: np.random.Generator) -> None:
        self._backdrop, self._rng = backdrop, rng
        self._size = camera.width, camera.height
        rows, columns = np.mgrid[0:1:9j, 0:1:12j].astype(np.float32)
        self._waves = []
        for amplitude in (0.045, 0.03, 0.02):
            across, down, start = rng.uniform(-3, 3), rng.uniform(-3, 3), rng.uniform(0, 2 * math.pi)
            self._waves.append((amplitude, columns * across + rows * down + start, 2 * math.pi / rng.uniform(18, 45)))
        self._switches = [(float(rng.uniform(20, 60)), float(rng.uniform(0, 60))) for _ in backdrop.windows]
        # noise is cut from a larger sheet at a random place each frame: drawing it anew would cost most of the time
        sheet = np.empty((camera.height + 128, camera.width + 128, 3), np.float32)
        sheet[:] = _NOISE * rng.standard_normal((*sheet.shape[:2], 1), np.float32)
        sheet += _CHROMA * rng.standard_normal(sheet.shape, np.float32)
        self._sheet = np.round(sheet * 16) / 16

    def gain(self, time: float) -> Floats:
        """float32 H×W: the light at each pixel, about 1; changes by less than 0.002 in a tenth of a second."""
        waves = [amplitude * np.sin(phase + time * speed) for amplitude, phase, speed in self._waves]
        low = np.asarray(1 + np.sum(waves, axis=0), np.float32)
        return np.asarray(cv2.resize(low, self._size, interpolation=cv2.INTER_LINEAR), np.float32)

    def windows(self, time: float) -> Floats:
        """float32 H×W×3: the backdrop with the windows that are lit now; a light comes on within half a second."""
        picture = self._backdrop.picture.copy()
        for (rows, columns, glow), (period, start) in zip(self._backdrop.windows, self._switches, strict=True):
            wave = math.sin(2 * math.pi * (time + start) / period)
            level = min(1.0, max(0.0, 0.5 + wave * period / math.pi))
            if level > 0:
                picture[rows, columns] += level * glow
        return picture

    def expose(self, image: Floats) -> NDArray[np.uint8]:
        """The 8-bit picture the sensor gives."""
        row, column = self._rng.integers(0, 128, 2)
        height, width = image.shape[:2]
        noise = self._sheet[row : row + height, column : column + width]
        return np.asarray(cv2.add(image, noise, dtype=cv2.CV_8U), np.uint8)
