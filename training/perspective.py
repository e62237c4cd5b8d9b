"""Where things are in the synthetic street, and where its camera sees them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Place = tuple[float, float, float]
"""Metres along the street, away from the camera, up."""

Colour = tuple[float, float, float]
"""Blue, green, red, 0..255."""

SUN = (0.75, 0.2)
"""Where the shadow of a point one metre up falls: metres along the street and away from the camera."""

PATH = (8.75, 13.4)
"""Near and far edge of the footpath: metres from the camera's foot."""

PAVEMENT = (22.45, 26.0)
"""Near and far edge of the pavement before the houses."""


@dataclass(frozen=True, slots=True)
class Camera:
    """A fixed pinhole camera 4.5 m above the ground, its upper edge shifted so that upright things stay upright.

    World points are (s, d, y) in metres: along the street to the right, away from the camera, up.

    Attributes:
        height: picture rows.
        width: picture columns.
        turn: radians by which the street is turned away from the picture plane.
    """

    height: int
    width: int
    turn: float

    @property
    def focal(self) -> float:
        """Pixels a metre at one metre's depth."""
        return 4 / 3 * self.height

    @property
    def horizon(self) -> float:
        """Row of the horizon."""
        return self.height / 4

    @property
    def eye(self) -> float:
        """Metres above the ground."""
        return 4.5

    def project(self, points: Floats) -> tuple[Floats, Floats]:
        """N×2 pixels (column, row) and N depths in metres of N×3 world points."""
        cos, sin = math.cos(self.turn), math.sin(self.turn)
        depth = points[:, 0] * sin + points[:, 1] * cos
        scale = self.focal / depth
        pixels = np.empty((len(points), 2), np.float32)
        pixels[:, 0] = self.width / 2 + (points[:, 0] * cos - points[:, 1] * sin) * scale
        pixels[:, 1] = self.horizon + (self.eye - points[:, 2]) * scale
        return pixels, depth

    def edges(self, distance: float) -> tuple[float, float]:
        """Left and right end, metres along the street, of what is seen at `distance`."""
        left, right = (self._along(side * self.width / 2 / self.focal, distance) for side in (-1, 1))
        return left, right

    def _along(self, slope: float, distance: float) -> float:
        cos, sin = math.cos(self.turn), math.sin(self.turn)
        return distance / (cos - slope * sin) * (slope * cos + sin)


def bgr(blue: float, green: float, red: float) -> Floats:
    """A colour as an array that broadcasts over H×W×3 pictures."""
    return np.array([blue, green, red], np.float32)
