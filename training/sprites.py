"""Figures as the camera sees them: placed in the street, projected and drawn, with their shadows on the ground."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.figures import Figure
from training.perspective import SUN, Camera, Colour, Floats

_SUPER = 4  # a sprite is drawn this many times finer, then averaged down: soft edges, and motion finer than a pixel
_SHIFT = 4  # binary digits of OpenCV's fixed-point coordinates


@dataclass(frozen=True, slots=True)
class Sprite:
    """A figure as the camera sees it.

    Attributes:
        row, column: of its upper left pixel in the picture.
        colour: float32 h×w×3 BGR, already multiplied by `cover`.
        cover: float32 h×w, 0..1.
        depth: metres.
    """

    row: int
    column: int
    colour: Floats
    cover: Floats
    depth: float

    @property
    def box(self) -> tuple[slice, slice]:
        """Rows and columns of the picture it covers."""
        height, width = self.cover.shape
        return slice(self.row, self.row + height), slice(self.column, self.column + width)


def place(figure: Figure, spot: tuple[float, float], heading: tuple[float, float]) -> Floats:
    """N×3 world points of a figure that stands at `spot` and faces along the unit vector `heading`."""
    local = np.array(figure.points, np.float32)
    (along, away), world = heading, np.empty_like(local)
    world[:, 0] = spot[0] + local[:, 0] * along - local[:, 1] * away
    world[:, 1] = spot[1] + local[:, 0] * away + local[:, 1] * along
    world[:, 2] = local[:, 2]
    return world


def draw_sprite(figure: Figure, world: Floats, camera: Camera) -> Sprite | None:
    """Draws a placed figure; None where it is wholly outside the picture."""
    pixels, depths = camera.project(world)
    depth = float(depths.mean())
    scale = camera.focal / depth
    margin = 0.25 * scale + 1
    left, top = (max(0, math.floor(float(low) - margin)) for low in pixels.min(axis=0))
    right = min(camera.width, math.ceil(float(pixels[:, 0].max()) + margin))
    bottom = min(camera.height, math.ceil(float(pixels[:, 1].max()) + margin))
    if left >= right or top >= bottom:
        return None
    canvas = np.zeros(((bottom - top) * _SUPER, (right - left) * _SUPER, 4), np.uint8)
    fixed = _fixed((pixels - (np.array([left, top], np.float32) - 0.5)) * _SUPER)
    deep = depths.tolist()
    for stroke in sorted(figure.strokes, key=lambda stroke: -sum(deep[stroke.first : stroke.last]) / stroke.length):
        points = fixed[stroke.first : stroke.last]
        width = stroke.width * scale * _SUPER
        # shaded, then the lit side towards the sun
        _draw(canvas, points, width, _lit(stroke.colour, 0.7), stroke.area)
        lit = points - np.array([2, 1], np.int32) * round(0.06 * width * (1 << _SHIFT))
        _draw(canvas, lit, 0.66 * width, _lit(stroke.colour, 1.08), stroke.area)
    size = (right - left, bottom - top)
    small = np.asarray(cv2.resize(canvas, size, interpolation=cv2.INTER_AREA), np.float32)
    return Sprite(top, left, small[..., :3], small[..., 3] * np.float32(1 / 255), depth)


def draw_shadow(figure: Figure, world: Floats, camera: Camera, shadow: NDArray[np.uint8]) -> None:
    """Adds a placed figure's shadow on the ground to `shadow`, uint8 H×W."""
    flat = np.empty_like(world)
    flat[:, 0] = world[:, 0] + world[:, 2] * SUN[0]
    flat[:, 1] = world[:, 1] + world[:, 2] * SUN[1]
    flat[:, 2] = 0
    pixels, depths = camera.project(flat)
    scale = camera.focal / float(depths.mean())
    fixed = _fixed(pixels)
    for stroke in figure.strokes:
        if stroke.width > 0.05:
            _draw(shadow, fixed[stroke.first : stroke.last], 0.8 * stroke.width * scale, (255.0,), stroke.area)


def _fixed(pixels: Floats) -> NDArray[np.int32]:
    return np.round(pixels * (1 << _SHIFT)).astype(np.int32)


def _lit(colour: Colour, light: float) -> tuple[float, ...]:
    """Opaque BGRA."""
    blue, green, red = colour
    return min(255.0, blue * light), min(255.0, green * light), min(255.0, red * light), 255.0


def _draw(
    canvas: NDArray[np.uint8], points: NDArray[np.int32], width: float, colour: tuple[float, ...], area: bool
) -> None:
    if area:
        cv2.fillPoly(canvas, [points], colour, cv2.LINE_8, _SHIFT)
    cv2.polylines(canvas, [points], area, colour, max(1, round(width)), cv2.LINE_8, _SHIFT)
