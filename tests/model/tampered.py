"""What is done to a camera, and what only looks like it, as changes of its pictures; for the tests of tampering."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np

from model.pictures import Image

Change = Callable[[Image, int], Image]
"""A picture and its number since the change began -> the picture as it comes in."""


def covered(image: Image, at: int) -> Image:
    return np.full_like(image, 30)


def covered_in_the_dark(image: Image, at: int) -> Image:
    return _bounded(np.random.default_rng(at).normal(12, 4, image.shape))


def upside_down(image: Image, at: int) -> Image:
    return np.ascontiguousarray(image[::-1])


def mirrored(image: Image, at: int) -> Image:
    return np.ascontiguousarray(image[:, ::-1])


def turned(image: Image, at: int) -> Image:
    return np.ascontiguousarray(image[::-1, ::-1])


def moved_right(image: Image, at: int, part: float = 0.15) -> Image:
    by = round(image.shape[1] * part)
    return np.concatenate([image[:, by:], image[:, -2 : -by - 2 : -1]], axis=1)


def moved_down(image: Image, at: int, part: float = 0.15) -> Image:
    by = round(image.shape[0] * part)
    return np.concatenate([image[by:], image[-2 : -by - 2 : -1]], axis=0)


def frozen(images: Sequence[Image]) -> list[Image]:
    return [images[0]] * len(images)


def frozen_and_encoded_anew(images: Sequence[Image]) -> list[Image]:
    """A camera that hangs, behind an encoder that sends a key frame every fourth look."""
    made = []
    for quality in (95, 90):
        data = cv2.imencode(".jpg", images[0], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        made.append(np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), dtype=np.uint8))
    return [made[at // 4 % 2] for at in range(len(images))]


def under_a_lamp(gain: float, offset: float = 0.0) -> Change:
    """Another light: `gain` below 1 is a lamp turned off, above 1 one turned on."""

    def change(image: Image, at: int) -> Image:
        noise = np.random.default_rng(at).normal(0, 3, image.shape)
        return _bounded(image * gain + offset + noise)

    return change


def at_dusk(image: Image, seconds: float) -> Image:
    """So many seconds after sunset: the light halves every four minutes, to a twentieth, and noise rises."""
    light = max(0.05, 0.5 ** (seconds / 240))
    noise = np.random.default_rng(round(seconds)).normal(0, 2 + 2 * (1 - light), image.shape)
    return _bounded(image * light + 4 + noise)


def exposure(image: Image, at: int) -> Image:
    """Auto-exposure that hunts."""
    return _bounded(image * (1 + 0.7 * np.sin(at / 2)))


def headlight(image: Image, at: int) -> Image:
    """A car's lamp turns towards the camera and washes out half the picture."""
    height, width = image.shape[:2]
    rows, columns = np.mgrid[:height, :width]
    away = np.hypot(rows - height / 2, columns - width * (0.2 + 0.02 * at))
    glare = 400 * np.exp(-((away / (0.35 * width)) ** 2))
    return _bounded(image + glare)


def noisy(image: Image, at: int) -> Image:
    noise = np.random.default_rng(at).integers(-35, 36, image.shape)
    return _bounded(image.astype(np.int16) + noise)


def compressed(image: Image, at: int) -> Image:
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 8])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), dtype=np.uint8)


def train(image: Image, at: int) -> Image:
    """Coaches with windows and bare doors roll by, over 80 % of the picture."""
    height, width = image.shape[:2]
    long = np.full((round(0.8 * height), 4 * width), 170, dtype=np.uint8)
    for left in range(10, long.shape[1], 40):
        cv2.rectangle(long, (left, long.shape[0] // 4), (left + 20, long.shape[0] // 2), 40, -1)
    offset = (at * 17) % (2 * width)
    result = image.copy()
    top = round(0.1 * height)
    result[top : top + long.shape[0]] = long[:, offset : offset + width]
    return result


def bare_train(image: Image, at: int) -> Image:
    """The same without anything on it that could be seen to move."""
    height = image.shape[0]
    result = image.copy()
    result[round(0.15 * height) : round(0.8 * height)] = 180
    return result


def _bounded(values: np.ndarray[tuple[int, ...], np.dtype[Any]]) -> Image:
    return np.asarray(np.clip(values, 0, 255), dtype=np.uint8)
