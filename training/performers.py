"""Who moves through the synthetic street, where and how: passers-by on their lanes, and the five anomalies."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

import numpy as np

from training.figures import BALL_RADIUS, Figure, Look, Pose, ball, person, ride, run, stride, topple, walk
from training.perspective import PATH, PAVEMENT, Camera, Colour

_MARGIN = 1.3  # metres beyond the picture's edge where people come and go: their shadows end outside as well
_MIDDLE = sum(PATH) / 2


class Anomaly(StrEnum):
    """What normal footage of the street never shows."""

    CYCLIST = "cyclist"
    RUNNER = "runner"
    WRONG_WAY = "wrong_way"
    THROWN_OBJECT = "thrown_object"
    FALL = "fall"


class Shot(NamedTuple):
    """A performer at one moment.

    Attributes:
        figure: in its own frame.
        spot: metres along the street and away from the camera.
        heading: unit vector in the same coordinates.
        abnormal: whether what it does now is the anomaly.
    """

    figure: Figure
    spot: tuple[float, float]
    heading: tuple[float, float]
    abnormal: bool


class Performer(Protocol):
    """Somebody or something that crosses the street's picture once.

    Attributes:
        begin: seconds after the entrance at which an anomaly begins; 0 for passers-by.
        end: seconds after the entrance at which it is gone.
    """

    @property
    def begin(self) -> float: ...

    @property
    def end(self) -> float: ...

    def at(self, seconds: float) -> Shot | None:
        """The performer so many seconds after its entrance; None where there is nothing to see."""


@dataclass(frozen=True, slots=True)
class Course:
    """A straight way at constant speed: start and unit heading (along, away), metres, metres a second."""

    start: tuple[float, float]
    heading: tuple[float, float]
    length: float
    speed: float

    @classmethod
    def between(cls, start: tuple[float, float], goal: tuple[float, float], speed: float) -> Course:
        along, away = goal[0] - start[0], goal[1] - start[1]
        length = math.hypot(along, away)
        return cls(start, (along / length, away / length), length, speed)

    @classmethod
    def across(cls, camera: Camera, distance: float, direction: int, speed: float) -> Course:
        """Through the whole picture at one distance from the camera, to the right (1) or the left (-1)."""
        left, right = camera.edges(distance)
        ends = (left - _MARGIN, distance), (right + _MARGIN, distance)
        start, goal = ends if direction > 0 else ends[::-1]
        return cls.between(start, goal, speed)

    def spot(self, walked: float) -> tuple[float, float]:
        return self.start[0] + walked * self.heading[0], self.start[1] + walked * self.heading[1]


@dataclass(frozen=True, slots=True)
class Walker:
    """Somebody who walks; `phase` is where in the gait they enter."""

    look: Look
    course: Course
    phase: float
    abnormal: bool = False
    begin: float = 0.0

    @property
    def end(self) -> float:
        return self.course.length / self.course.speed

    def at(self, seconds: float) -> Shot | None:
        walked = seconds * self.course.speed
        return Shot(self.gait(walked), self.course.spot(walked), self.course.heading, self.abnormal)

    def gait(self, walked: float) -> Figure:
        swing = 0.26 + 0.13 * self.course.speed
        return person(self.look, walk(self.phase + 2 * math.pi * walked / stride(swing), swing))


@dataclass(frozen=True, slots=True)
class Runner(Walker):
    """Somebody who runs: 2.4 metres a cycle of two steps."""

    def gait(self, walked: float) -> Figure:
        return person(self.look, run(self.phase + 2 * math.pi * walked / 2.4))


@dataclass(frozen=True, slots=True)
class Cyclist(Walker):
    """Somebody on a bicycle: 4.5 metres a turn of the cranks."""

    paint: Colour = (60.0, 60.0, 190.0)

    def gait(self, walked: float) -> Figure:
        return ride(self.look, self.phase + 2 * math.pi * walked / 4.5, self.paint)


@dataclass(frozen=True, slots=True)
class Faller:
    """A walker who trips at `begin`, lies there moving a little, gets up and walks on."""

    walker: Walker
    begin: float
    lying: float = 3.0

    tripping = 0.7
    rising = 1.6

    @property
    def _down(self) -> float:
        return self.tripping + self.lying + self.rising

    @property
    def end(self) -> float:
        return self.walker.end + self._down

    def at(self, seconds: float) -> Shot | None:
        since = seconds - self.begin
        if since < 0 or since >= self._down:
            return self.walker.at(seconds - self._down if since > 0 else seconds)
        walked = self.begin * self.walker.course.speed
        return Shot(self._figure(since), self.walker.course.spot(walked), self.walker.course.heading, True)

    def _figure(self, since: float) -> Figure:
        swing = 0.45 * math.sin(7.0 * since)  # the arms and legs of somebody who tries to get up
        if since < self.tripping:
            share = since / self.tripping
            tilt, crouch, reach = 1.5 * share**2, 0.5 * math.sin(math.pi * share), 0.4 + 1.8 * share
        elif since < self.tripping + self.lying:
            tilt, crouch, reach = 1.5, 0.25 + 0.25 * math.sin(5.0 * since), 2.2
        else:
            share = (since - self.tripping - self.lying) / self.rising
            tilt, crouch, reach = 1.5 * (1 - share) ** 2, 1.3 * math.sin(math.pi * share), 2.2 * (1 - share)
        legs = (crouch + 0.5 * swing, 1.6 * crouch + 0.4), (crouch - 0.5 * swing, 1.6 * crouch + 0.1)
        arms = (reach + swing, 0.5), (reach - swing, 0.3)
        return topple(person(self.walker.look, Pose(0.1 + 0.3 * crouch, legs, arms)), tilt)


@dataclass(frozen=True, slots=True)
class Ball:
    """A ball thrown through the street: thrown at height `up`, rising at `rise` metres a second, bouncing."""

    course: Course
    up: float
    rise: float
    begin: float = 0.0

    @property
    def end(self) -> float:
        return self.begin + self.course.length / self.course.speed

    def at(self, seconds: float) -> Shot | None:
        flown = seconds - self.begin
        if flown < 0:
            return None
        height, rise, left = self.up, self.rise, flown
        while True:
            landing = (rise + math.sqrt(rise * rise + 2 * 9.81 * (height - BALL_RADIUS))) / 9.81
            if left <= landing or landing < 0.05:
                break
            height, rise, left = BALL_RADIUS, 0.72 * (9.81 * landing - rise), left - landing
        height = max(BALL_RADIUS, height + rise * left - 9.81 / 2 * left * left)
        walked = flown * self.course.speed
        figure = ball(5.0 * flown)
        figure.points = [(ahead, side, up + height) for ahead, side, up in figure.points]
        return Shot(figure, self.course.spot(walked), self.course.heading, True)


class Entrance(NamedTuple):
    """A performer and the time of its entrance in seconds."""

    time: float
    performer: Performer


@dataclass(frozen=True, slots=True)
class Lane:
    """Where people walk in one direction: metres from the camera, 1 right or -1 left, seconds between entrances."""

    distance: float
    direction: int
    spread: float
    gap: tuple[float, float]


LANES = (
    Lane(_MIDDLE - 1.2, 1, 0.6, (3.0, 9.0)),
    Lane(_MIDDLE + 1.15, 1, 0.6, (3.0, 9.0)),
    Lane(PAVEMENT[0] + 0.9, 1, 0.3, (7.0, 17.0)),
    Lane(PAVEMENT[0] + 2.2, 1, 0.4, (7.0, 17.0)),
)
"""All to the right, as on the way out of a station: a cell does not know where it is, so a way is wrong only where
nobody goes that way."""


def passers_by(lane: Lane, camera: Camera, rng: np.random.Generator) -> Iterator[Entrance]:
    """Endless normal walkers of a lane, in order of entrance, at 0.8 to 1.6 m/s; begins a minute before time 0."""
    time = -60.0
    while True:
        time += float(rng.uniform(*lane.gap))
        speed = float(rng.uniform(0.8, 1.6))
        distance = lane.distance + float(rng.uniform(-lane.spread, lane.spread))
        pair = rng.random() < 0.2
        for beside in (0.0, 0.65) if pair else (0.0,):
            toward = beside if distance < lane.distance else -beside
            course = Course.across(camera, distance + toward, lane.direction, speed)
            yield Entrance(time, Walker(Look.draw(rng), course, float(rng.uniform(0, 2 * math.pi))))


def stage(anomaly: Anomaly, camera: Camera, rng: np.random.Generator) -> list[Performer]:
    """The performers of one occurrence of an anomaly, all entering together."""
    look, phase = Look.draw(rng), float(rng.uniform(0, 2 * math.pi))
    direction = int(rng.choice([-1, 1]))
    lane = _MIDDLE - 1.1 * direction
    match anomaly:
        case Anomaly.CYCLIST:
            course = Course.across(camera, _MIDDLE - 0.6 * direction, direction, float(rng.uniform(3.4, 4.6)))
            paint: Colour = (60.0, 60.0, 190.0) if rng.random() < 0.5 else (170.0, 120.0, 40.0)
            return [Cyclist(look, course, phase, abnormal=True, paint=paint)]
        case Anomaly.RUNNER:
            course = Course.across(camera, lane, 1, float(rng.uniform(2.8, 3.6)))
            return [Runner(look, course, phase, abnormal=True)]
        case Anomaly.WRONG_WAY:
            course = Course.across(camera, lane, -1, float(rng.uniform(1.2, 1.6)))
            return [Walker(look, course, phase, abnormal=True)]
        case Anomaly.THROWN_OBJECT:
            speed, rise = float(rng.uniform(5.5, 7.5)), float(rng.uniform(1.5, 3.5))
            there = Ball(Course.across(camera, _MIDDLE + 0.5, direction, speed), 1.6, rise)
            back = Course.across(camera, _MIDDLE - 0.5, -direction, speed * 0.9)
            return [there, Ball(back, 1.8, rise + 0.5, begin=there.end + 0.4)]
        case Anomaly.FALL:
            course = Course.across(camera, lane, 1, float(rng.uniform(1.0, 1.5)))
            share = float(rng.uniform(0.38, 0.6))
            return [Faller(Walker(look, course, phase), begin=share * course.length / course.speed)]
