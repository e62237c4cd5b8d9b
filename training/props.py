"""Trees, lamp posts, a bench and a parked car: what people in the synthetic street walk behind."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.perspective import Camera, Colour, Floats, Place


@dataclass(slots=True)
class Brush:
    """Paints into a picture and its depth map at once.

    Attributes:
        camera: whose picture it is.
        colour: float32 H×W×3 BGR.
        depth: float32 H×W, metres.
    """

    camera: Camera
    colour: Floats
    depth: Floats

    def project(self, points: list[Place]) -> tuple[NDArray[np.int32], float]:
        """The points in sixteenths of a pixel, as OpenCV's `shift=4` takes them, and their mean depth in metres."""
        pixels, depth = self.camera.project(np.array(points, np.float32))
        return np.round(pixels * 16).astype(np.int32), float(depth.mean())

    def fill(self, points: list[Place], colour: Colour) -> None:
        """A flat area."""
        pixels, depth = self.project(points)
        cv2.fillPoly(self.colour, [pixels], colour, cv2.LINE_8, 4)
        cv2.fillPoly(self.depth, [pixels], (depth,), cv2.LINE_8, 4)

    def disc(self, middle: Place, radius: float, colour: Colour) -> None:
        """A disc that faces the camera, `radius` in metres."""
        pixels, depth = self.project([middle])
        size = round(radius * self.camera.focal / depth * 16)
        cv2.circle(self.colour, pixels[0].tolist(), size, colour, -1, cv2.LINE_8, 4)
        cv2.circle(self.depth, pixels[0].tolist(), size, (depth,), -1, cv2.LINE_8, 4)

    def rod(self, start: Place, end: Place, width: float, colour: Colour) -> None:
        """A round bar, brighter along its middle, `width` in metres."""
        pixels, depth = self.project([start, end])
        first, last = pixels.tolist()
        for share, light in ((1.0, 0.7), (0.45, 1.15)):
            thick = max(1, round(width * share * self.camera.focal / depth))
            shade = (colour[0] * light, colour[1] * light, colour[2] * light)
            cv2.line(self.colour, first, last, shade, thick, cv2.LINE_8, 4)
            cv2.line(self.depth, first, last, (depth,), thick, cv2.LINE_8, 4)


def paint_tree(brush: Brush, s: float, d: float, rng: np.random.Generator) -> None:
    """A tree of about five metres whose crown `rng` picks."""
    bark = (58.0, 74.0, 92.0)
    brush.rod((s, d, 0), (s + 0.1, d, 2.9), 0.34, bark)
    for side in (-0.6, 0.55):
        brush.rod((s + 0.08, d, 2.3), (s + side, d, 3.4), 0.14, bark)
    turn, reach = rng.uniform(0, 2 * math.pi, 260), np.sqrt(rng.random(260))
    for angle, radius, light in zip(turn, reach, np.linspace(0.45, 1.3, 260), strict=True):
        # later, brighter leaves sit up and to the left, where the sun is
        x, y = radius * math.cos(angle) - 0.28 * (light - 0.7), radius * math.sin(angle) * 0.8 + 0.3 * (light - 0.7)
        shade = light * float(rng.uniform(0.8, 1.2))
        size = float(rng.uniform(0.1, 0.26))
        brush.disc((s + 1.35 * x, d, 3.9 + 1.35 * y), size, (40 * shade, 104 * shade, 70 * shade))


def paint_post(brush: Brush, s: float, d: float) -> None:
    """A street lamp."""
    metal = (70.0, 74.0, 72.0)
    brush.rod((s, d, 0), (s, d, 4.6), 0.12, metal)
    brush.rod((s, d, 4.6), (s + 0.6, d, 4.75), 0.1, metal)
    brush.rod((s + 0.5, d, 4.68), (s + 0.85, d, 4.72), 0.2, (190.0, 205.0, 210.0))


def paint_bench(brush: Brush, s: float, d: float) -> None:
    """A bench that faces the path."""
    for leg in (0.1, 1.5):
        brush.rod((s + leg, d + 0.1, 0), (s + leg, d + 0.1, 0.85), 0.07, (50.0, 52.0, 55.0))
    for up in (0.45, 0.65, 0.85):
        brush.rod((s, d, up), (s + 1.6, d, up), 0.11, (58.0, 92.0, 132.0))


def paint_car(brush: Brush, s: float, d: float, paint: Colour) -> None:
    """A parked car, its near side at `d`."""
    near, far = d, d + 1.6
    window = (92.0, 78.0, 62.0)

    def panel(light: float, *points: Place) -> None:
        shade = (paint[0] * light, paint[1] * light, paint[2] * light)
        brush.fill([(s + x, away, up) for x, away, up in points], shade)

    def glass(*points: Place) -> None:
        brush.fill([(s + x, away, up) for x, away, up in points], window)

    panel(1.12, (-2.1, near, 0.88), (2.1, near, 0.88), (2.1, far, 0.88), (-2.1, far, 0.88))
    sill, inner, roof = near + 0.1, near + 0.2, 1.42
    glass((-1.75, sill, 0.88), (1.2, sill, 0.88), (0.6, inner, roof), (-1.35, inner, roof))
    glass((1.2, sill, 0.88), (1.2, far - 0.1, 0.88), (0.6, far - 0.2, roof), (0.6, inner, roof))
    panel(1.25, (-1.35, inner, roof), (0.6, inner, roof), (0.6, far - 0.2, roof), (-1.35, far - 0.2, roof))
    panel(0.9, (-0.36, sill, 0.88), (-0.26, sill, 0.88), (-0.3, inner, roof), (-0.4, inner, roof))
    panel(0.85, (-2.1, near, 0.3), (2.1, near, 0.3), (2.1, near, 0.66), (2.0, near, 0.9), (-2.1, near, 0.9))
    panel(0.6, (-2.1, near, 0.28), (2.1, near, 0.28), (2.1, near, 0.46), (-2.1, near, 0.46))
    for axle in (-1.35, 1.3):
        brush.disc((s + axle, near - 0.02, 0.33), 0.33, (34.0, 34.0, 34.0))
        brush.disc((s + axle, near - 0.02, 0.33), 0.17, (140.0, 140.0, 140.0))
