"""The figures of the synthetic street: jointed people, a bicycle, a ball.

A figure is made of strokes between points of its own frame, in metres: forward, to its left, up. Projecting the points
(and not a flat picture of the figure) is what makes every heading, the fall and the shadows come out right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from training.perspective import Colour

Point = tuple[float, float, float]
"""Forward, left, up: metres."""

_THIGH, _SHIN, _UPPER_ARM, _FOREARM, _TRUNK = 0.43, 0.42, 0.29, 0.27, 0.5
BALL_RADIUS = 0.3
"""Metres."""


class Stroke(NamedTuple):
    """A thick line through the points `first` to `last` (exclusive) of a figure, or an area with a thick outline."""

    first: int
    last: int
    width: float
    colour: Colour
    area: bool

    @property
    def length(self) -> int:
        """How many points."""
        return self.last - self.first


@dataclass(slots=True)
class Figure:
    """Points in metres and the strokes between them."""

    points: list[Point] = field(default_factory=list)
    strokes: list[Stroke] = field(default_factory=list)

    def add(self, points: list[Point], width: float, colour: Colour, *, area: bool = False) -> None:
        """Adds a stroke of `width` metres."""
        self.strokes.append(Stroke(len(self.points), len(self.points) + len(points), width, colour, area))
        self.points += points


@dataclass(frozen=True, slots=True)
class Look:
    """What somebody wears, and how tall they are (metres)."""

    height: float
    jacket: Colour
    trousers: Colour
    skin: Colour
    hair: Colour
    shoes: Colour
    stripe: Colour | None
    bag: Colour | None

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Look:
        """Somebody picked by `rng`: clothes clearly darker or brighter than the paving (luma about 150)."""

        def cloth(dark: float) -> Colour:
            level = rng.uniform(18, 75) if rng.random() < dark else rng.uniform(195, 235)
            blue, green, red = np.clip(level + rng.uniform(-28, 28, 3), 5, 250).tolist()
            return blue, green, red

        skin = float(rng.uniform(0.45, 1.0))
        hair = float(rng.uniform(0.25, 1.3))
        shoe = float(rng.choice([30.0, 225.0], p=[0.7, 0.3]))
        return cls(
            height=float(rng.uniform(1.6, 1.9)),
            jacket=cloth(0.55),
            trousers=cloth(0.8),
            skin=(140 * skin, 170 * skin, 220 * skin),
            hair=(40 * hair, 58 * hair, 80 * hair),
            shoes=(shoe, shoe, shoe),
            stripe=cloth(0.4) if rng.random() < 0.35 else None,
            bag=cloth(0.6) if rng.random() < 0.3 else None,
        )


@dataclass(frozen=True, slots=True)
class Pose:
    """Joint angles in radians, positive forward.

    Attributes:
        lean: of the trunk.
        legs: left and right: thigh from the vertical, and how far the knee bends back.
        arms: left and right: upper arm from the vertical, and how far the elbow bends forward.
        hip: forward and up, metres; None: the lower foot stands on the ground.
    """

    lean: float
    legs: tuple[tuple[float, float], tuple[float, float]]
    arms: tuple[tuple[float, float], tuple[float, float]]
    hip: tuple[float, float] | None = None


def stride(swing: float) -> float:
    """Metres a full cycle of two steps takes at a leg swing of `swing` radians, so that feet do not skate."""
    return 4 * (_THIGH + _SHIN) * math.sin(swing)


def walk(phase: float, swing: float) -> Pose:
    """The gait at `phase` (radians, a cycle is two steps) with a leg swing of `swing` radians."""
    sin, cos = math.sin(phase), math.cos(phase)
    legs = (swing * sin, 0.1 + 1.9 * swing * max(0.0, cos)), (-swing * sin, 0.1 + 1.9 * swing * max(0.0, -cos))
    arms = (-0.95 * swing * sin, 0.15 + 0.4 * swing), (0.95 * swing * sin, 0.15 + 0.4 * swing)
    return Pose(0.04, legs, arms)


def run(phase: float) -> Pose:
    """Running at `phase`: long swings, bent elbows, both feet off the ground between steps."""
    sin, cos = math.sin(phase), math.cos(phase)
    legs = (0.2 + 0.8 * sin, 0.35 + 1.5 * max(0.0, cos)), (0.2 - 0.8 * sin, 0.35 + 1.5 * max(0.0, -cos))
    arms = (-0.1 - 0.9 * sin, 1.5), (-0.1 + 0.9 * sin, 1.5)
    return Pose(0.22, legs, arms, hip=(0.0, 0.86 + 0.07 * abs(sin)))


def person(look: Look, pose: Pose) -> Figure:
    """A standing, walking or riding person."""
    figure = Figure()
    feet = [_limb((0.0, 0.0, 0.0), thigh, -knee, _THIGH, _SHIN) for thigh, knee in pose.legs]
    hip_at, hip_up = pose.hip or (0.0, 0.08 - min(ankle[2] for _, ankle in feet))
    for side, (thigh, knee) in zip((0.1, -0.1), pose.legs, strict=True):
        hip = hip_at, side, hip_up
        middle, ankle = _limb(hip, thigh, -knee, _THIGH, _SHIN)
        figure.add([hip, middle], 0.19, look.trousers)
        figure.add([middle, ankle], 0.14, look.trousers)
        heel, toe = (ankle[0] - 0.03, side, ankle[2] - 0.03), (ankle[0] + 0.15, side, ankle[2] - 0.04)
        figure.add([heel, toe], 0.1, look.shoes)
    sin, cos = math.sin(pose.lean), math.cos(pose.lean)

    def trunk(up: float, left: float, ahead: float = 0.0) -> Point:
        return hip_at + up * sin + ahead * cos, left, hip_up + up * cos - ahead * sin

    outline = [trunk(0.02, 0.08), trunk(_TRUNK - 0.05, 0.13), trunk(_TRUNK - 0.05, -0.13), trunk(0.02, -0.08)]
    figure.add(outline, 0.2, look.jacket, area=True)
    if look.stripe:
        figure.add([trunk(0.3, 0.13), trunk(0.3, -0.13)], 0.1, look.stripe)
    if look.bag:
        figure.add([trunk(0.2, 0.06, -0.17), trunk(0.38, 0.06, -0.17), trunk(0.38, -0.06, -0.17)], 0.19, look.bag)
    for side, (shoulder, elbow) in zip((0.21, -0.21), pose.arms, strict=True):
        top = trunk(_TRUNK - 0.06, side)
        middle, hand = _limb(top, shoulder + pose.lean, elbow, _UPPER_ARM, _FOREARM)
        figure.add([top, middle], 0.12, look.jacket)
        figure.add([middle, hand], 0.1, look.jacket)
        figure.add([hand, hand], 0.1, look.skin)
    figure.add([trunk(_TRUNK, 0), trunk(_TRUNK + 0.12, 0)], 0.11, look.skin)
    figure.add([trunk(_TRUNK + 0.23, 0, -0.02), trunk(_TRUNK + 0.25, 0, -0.02)], 0.22, look.hair)
    figure.add([trunk(_TRUNK + 0.17, 0, 0.04), trunk(_TRUNK + 0.2, 0, 0.04)], 0.18, look.skin)
    size = look.height / 1.75
    figure.points = [(ahead * size, left * size, up * size) for ahead, left, up in figure.points]
    figure.strokes = [stroke._replace(width=stroke.width * size) for stroke in figure.strokes]
    return figure


def topple(figure: Figure, angle: float) -> Figure:
    """The figure turned forward about its feet by `angle` radians and laid on the ground."""
    sin, cos = math.sin(angle), math.cos(angle)
    turned = [(ahead * cos + up * sin, left, up * cos - ahead * sin) for ahead, left, up in figure.points]
    lowest = min(up for _, _, up in turned)
    lift = max(0.0, 0.07 - lowest) * sin
    return Figure([(ahead, left, up + lift) for ahead, left, up in turned], figure.strokes)


def ride(look: Look, phase: float, paint: Colour) -> Figure:
    """A cyclist whose cranks stand at `phase` radians."""
    figure = Figure()
    rim = np.linspace(0, 2 * math.pi, 17)
    for axle in (-0.52, 0.52):
        wheel = [(axle + 0.33 * math.cos(turn), 0.0, 0.34 + 0.33 * math.sin(turn)) for turn in rim]
        figure.add(wheel, 0.055, (28.0, 28.0, 28.0))
        spoke = 0.32 * math.cos(phase), 0.32 * math.sin(phase)
        ends = [(axle + spoke[0], 0.0, 0.34 - spoke[1]), (axle - spoke[0], 0.0, 0.34 + spoke[1])]
        figure.add(ends, 0.02, (150.0, 150.0, 150.0))
    crank, saddle, head = (-0.08, 0.0, 0.3), (-0.22, 0.0, 0.88), (0.36, 0.0, 0.88)
    figure.add([crank, saddle, head, crank, (-0.52, 0.0, 0.34), saddle], 0.055, paint)
    figure.add([(0.52, 0.0, 0.34), head, (0.38, 0.0, 1.02)], 0.055, paint)
    figure.add([(0.4, 0.24, 1.04), (0.38, 0.0, 1.02), (0.4, -0.24, 1.04)], 0.05, (30.0, 30.0, 30.0))
    figure.add([(-0.34, 0.0, 0.92), (-0.1, 0.0, 0.92)], 0.09, (25.0, 25.0, 30.0))
    hip = -0.2, 0.98
    feet = [(-0.08 + 0.17 * math.cos(phase + turn), 0.38 - 0.17 * math.sin(phase + turn)) for turn in (0, math.pi)]
    left, right = (_reach(hip, foot) for foot in feet)
    rider = person(look, Pose(0.62, (left, right), ((0.35, 0.25), (0.35, 0.25)), hip))
    # the bicycle comes first: at equal depth the rider's legs are drawn over it
    offset = len(figure.points)
    figure.points += rider.points
    figure.strokes += [s._replace(first=s.first + offset, last=s.last + offset) for s in rider.strokes]
    return figure


def ball(spin: float) -> Figure:
    """A large light ball around the origin, turned by `spin` radians."""
    figure = Figure()
    figure.add([(0.0, 0.0, 0.0), (0.0, 0.0, 0.0)], 2 * BALL_RADIUS, (40.0, 70.0, 215.0))
    sin, cos = BALL_RADIUS / 2 * math.sin(spin), BALL_RADIUS / 2 * math.cos(spin)
    figure.add([(cos, 0.0, sin), (-cos, 0.0, -sin)], 0.6 * BALL_RADIUS, (235.0, 235.0, 235.0))
    return figure


def _limb(top: Point, upper: float, bend: float, first: float, second: float) -> tuple[Point, Point]:
    """Middle and lower joint of a limb that hangs from `top`; angles from the vertical, forward."""
    middle = top[0] + first * math.sin(upper), top[1], top[2] - first * math.cos(upper)
    lower = upper + bend
    return middle, (middle[0] + second * math.sin(lower), top[1], middle[2] - second * math.cos(lower))


def _reach(hip: tuple[float, float], foot: tuple[float, float]) -> tuple[float, float]:
    """Thigh angle and knee bend that bring the ankle from `hip` to `foot` (both forward, up)."""
    ahead, down = foot[0] - hip[0], hip[1] - foot[1]
    reach = min(math.hypot(ahead, down), _THIGH + _SHIN - 1e-6)
    knee = math.pi - math.acos((_THIGH**2 + _SHIN**2 - reach**2) / (2 * _THIGH * _SHIN))
    lift = math.acos((_THIGH**2 + reach**2 - _SHIN**2) / (2 * _THIGH * reach))
    return math.atan2(ahead, down) + lift, knee
