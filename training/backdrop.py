"""The synthetic street without its people: the picture of everything that stands still."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from training.perspective import PATH, PAVEMENT, SUN, Camera, Colour, Floats, bgr
from training.props import Brush, paint_bench, paint_car, paint_post, paint_tree

Box = tuple[slice, slice]
"""Rows and columns."""

_LAWN, _ROAD, _WALL = 13.55, 17.85, PAVEMENT[1]
_FINE = 3  # the backdrop is drawn this many times finer, then averaged down


@dataclass(frozen=True, slots=True)
class Backdrop:
    """What the camera sees when nobody is there.

    Attributes:
        picture: float32 H×W×3 BGR, 0..255.
        depth: float32 H×W, metres to the tree, post or car that stands before whoever walks behind it; else infinite.
        ground: float32 H×W, 1 where shadows can fall.
        windows: house windows whose light can be switched: rows, columns, and float32 h×w×3 to add when lit.
    """

    picture: Floats
    depth: Floats
    ground: Floats
    windows: tuple[tuple[slice, slice, Floats], ...]


def draw_backdrop(camera: Camera, rng: np.random.Generator) -> Backdrop:
    """Draws the street that `rng` picks, as seen by `camera`."""
    return _Painter(camera, rng).paint()


class _Painter:
    """Paints in a finer grid: `colour` H×W×3 and `depth` H×W, both `_FINE` times the picture's size."""

    def __init__(self, camera: Camera, rng: np.random.Generator) -> None:
        self.camera, self.rng = camera, rng
        fine = Camera(camera.height * _FINE, camera.width * _FINE, camera.turn)
        self.fine = fine
        rows, columns = np.mgrid[0 : fine.height, 0 : fine.width].astype(np.float32)
        slope = (columns - fine.width / 2) / fine.focal
        drop = (rows - fine.horizon) / fine.focal
        cos, sin = math.cos(camera.turn), math.sin(camera.turn)
        # the ground where the ray meets it before the wall, the wall elsewhere
        wall_depth = _WALL / (cos - slope * sin)
        self.up = camera.eye - drop * wall_depth
        self.is_ground = self.up < 0
        depth = np.where(self.is_ground, camera.eye / np.maximum(drop, 1e-3), wall_depth)
        self.s = (depth * (slope * cos + sin)).astype(np.float32)
        self.d = (depth * (cos - slope * sin)).astype(np.float32)
        self.drop = drop
        self.colour = np.zeros((fine.height, fine.width, 3), np.float32)
        self.depth = np.full((fine.height, fine.width), np.inf, np.float32)
        grain = rng.standard_normal((512, 512)).astype(np.float32)
        self.grains = [_smooth(grain, 1), _smooth(grain, 5)]
        self.shades = rng.uniform(-0.5, 0.5, 1021).astype(np.float32)

    def paint(self) -> Backdrop:
        self._ground()
        boxes = self._houses()
        trees = self._tree_places()
        left, right = self.camera.edges(17.2)
        posts = [(left + share * (right - left), 17.2) for share in (0.38, 0.86)]
        car = float(self.rng.uniform(-2.5, 3.5)) + 19 * math.tan(self.camera.turn)
        paints = [(60.0, 50.0, 160.0), (150.0, 90.0, 50.0), (190.0, 192.0, 195.0), (60.0, 62.0, 64.0)]
        paint = paints[int(self.rng.integers(len(paints)))]
        self._shade(trees, posts, car)
        lit = self.colour.copy()
        for box in boxes:
            glow = bgr(*self.rng.choice([(95, 175, 225), (120, 190, 230), (150, 190, 205)]))
            lit[box] = lit[box] * 0.25 + glow * float(self.rng.uniform(0.6, 0.8))
        state = self.rng.bit_generator.state
        pictures = []
        for colour in (self.colour, lit):
            self.rng.bit_generator.state = state  # the same trees before lit and dark windows
            brush = Brush(self.fine, colour, self.depth)
            paint_car(brush, car, 18.15, paint)
            for s, d in posts:
                paint_post(brush, s, d)
            for s, d in trees:
                paint_tree(brush, s, d, self.rng)
            paint_bench(brush, 14.2 * math.tan(self.camera.turn) + 2.0, 14.2)
            # the softness of a lens; without it edges would pass for noise
            pictures.append(np.asarray(cv2.GaussianBlur(self._coarse(colour), (0, 0), 0.6), np.float32))
        depth = np.asarray(cv2.resize(self.depth, self._size, interpolation=cv2.INTER_NEAREST), np.float32)
        ground = self._coarse((self.is_ground & np.isinf(self.depth)).astype(np.float32))
        windows = []
        for rows, columns in boxes:
            y, x = (slice(side.start // _FINE, -(-side.stop // _FINE)) for side in (rows, columns))
            windows.append((y, x, pictures[1][y, x] - pictures[0][y, x]))
        return Backdrop(pictures[0], depth, ground, tuple(windows))

    @property
    def _size(self) -> tuple[int, int]:
        return self.camera.width, self.camera.height

    def _coarse(self, image: Floats) -> Floats:
        return np.asarray(cv2.resize(image, self._size, interpolation=cv2.INTER_AREA), np.float32)

    def _texture(
        self, level: int, per_metre: float, along: Floats | None = None, across: Floats | None = None
    ) -> Floats:
        """Unit-variance noise fixed to the ground (or to any two coordinates)."""
        u = (self.s if along is None else along) * per_metre % 512
        v = (self.d if across is None else across) * per_metre % 512
        sampled = cv2.remap(self.grains[level], u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        return np.asarray(sampled, np.float32)

    def _tiles(self, along: Floats, across: Floats, length: float, width: float) -> tuple[Floats, NDArray[np.bool_]]:
        """A brightness for each staggered tile, and where the joints between tiles are."""
        row = np.floor(across / width)
        column = along / length + (row % 2) / 2
        joint = (column % 1 * length < 0.05) | (across / width % 1 * width < 0.05)
        tile = (np.floor(column) * 31 + row * 197).astype(np.int64)
        return self.shades[tile % len(self.shades)], joint

    def _ground(self) -> None:
        s, d = self.s, self.d
        rough, soft = self._texture(0, 22), self._texture(1, 12)
        blades = self._texture(0, 44, across=d * 0.7)
        grass = self._mix((52, 112, 84), 13 * blades + 8 * soft + 8 * rough)
        mown = np.where(d / 0.9 % 2 < 1, 6, -6)
        grass += mown[..., None] * bgr(0.5, 1, 0.7)
        shade, joint = self._tiles(s, d, 0.9, 0.62)
        slabs = self._mix((140, 150, 158), 26 * shade + 6 * rough + 5 * soft - 34 * joint)
        middle = np.abs(d - sum(PATH) / 2) < 0.11  # a row of dark stones parts the two directions
        slabs[middle] *= 0.72
        asphalt = self._mix((92, 90, 88), 9 * rough + 7 * soft)
        dash = (np.abs(d - 20.1) < 0.09) & (s % 3 < 1.6)
        asphalt[dash] = asphalt[dash] * 0.3 + 150
        shade, joint = self._tiles(s, d, 0.7, 0.7)
        pavement = self._mix((150, 152, 154), 20 * shade + 7 * rough - 26 * joint)
        stone = self._mix((178, 180, 182), 7 * rough - 60 * (s % 1.0 < 0.05))
        bands = [(PATH[0] - 0.16, grass), (PATH[0], stone), (PATH[1], slabs), (_LAWN, stone), (_ROAD - 0.25, grass)]
        bands += [(_ROAD, stone), (PAVEMENT[0] - 0.25, asphalt), (PAVEMENT[0], stone), (np.inf, pavement)]
        for far, surface in reversed(bands):
            part = self.is_ground & (d < far)
            self.colour[part] = surface[part]
        for edge in (_ROAD, PAVEMENT[0] - 0.3):  # gutters
            self.colour[self.is_ground & (np.abs(d - edge - 0.05) < 0.06)] *= 0.62

    def _mix(self, colour: ArrayLike, change: NDArray[np.floating]) -> Floats:
        return np.asarray(np.asarray(colour, np.float32) + change[..., None], np.float32)

    def _houses(self) -> list[Box]:
        """Paints sky and houses; returns the pixel boxes of the windows whose light can be switched."""
        height = np.clip((self.fine.horizon - np.arange(self.fine.height)) / self.fine.horizon, 0, 1)[:, None]
        cloud = self._texture(1, 60, self.s / 20, self.drop * 3)
        sky = bgr(225, 205, 185) + height[..., None] * bgr(10, -25, -55) + 9 * cloud[..., None]
        self.colour[~self.is_ground] = sky[~self.is_ground]
        hedge = ~self.is_ground & (self.up < 2.2 + 0.25 * self._texture(1, 16, across=self.up))
        leaves = self._mix((44, 88, 66), 16 * self._texture(0, 16, across=self.up) - 12 * (self.up < 0.3))
        self.colour[hedge] = leaves[hedge]
        left, right = self.camera.edges(_WALL)
        paints = [(88, 104, 152), (172, 192, 206), (150, 142, 134), (120, 158, 190), (104, 118, 128), (190, 196, 190)]
        order = self.rng.permutation(len(paints))
        boxes: list[Box] = []
        start, index = left - 2.0, 0
        while start < right:
            end = start + float(self.rng.uniform(5.5, 8.5))
            floors = int(self.rng.integers(2, 4))
            boxes += self._house(start, end, floors, paints[order[index % len(paints)]], brick=index % 2 == 0)
            start, index = end + (1.4 if index % 3 == 1 else 0.0), index + 1
        return boxes

    def _house(self, start: float, end: float, floors: int, paint: Colour, *, brick: bool) -> list[Box]:
        s, up = self.s, self.up
        top = 0.9 + 2.7 * floors
        wall = ~self.is_ground & (s >= start) & (s < end) & (up < top)
        rough, soft = self._texture(0, 14, across=up), self._texture(1, 10, across=up)
        change = 3 * rough + 5 * soft - 12 * np.exp(-np.maximum(up, 0) * 3)
        if brick:
            shade, joint = self._tiles(s, up, 0.55, 0.22)
            change = change + 20 * shade - 12 * joint
        face = self._mix(paint, change)
        self.colour[wall] = face[wall]
        self.colour[wall & (up > top - 0.3)] = bgr(*paint) * 0.6 + 85
        self.colour[wall & (np.abs(up - top + 0.36) < 0.06)] *= 0.55
        self.colour[wall & ((s - start < 0.07) | (up < 0.35))] *= 0.68
        columns = max(2, int((end - start) / 2.0))
        pitch = (end - start) / columns
        door = int(self.rng.integers(columns))
        boxes = []
        for floor in range(floors):
            for column in range(columns):
                middle, foot = start + (column + 0.5) * pitch, 0.95 + 2.7 * floor
                if floor == 0 and column == door:
                    self._panel(middle, 0.5, 0.0, 2.1, bgr(*self.rng.uniform(30, 95, 3)))
                    continue
                glass = bgr(118, 100, 84) * float(self.rng.uniform(0.5, 0.95))
                box = self._panel(middle, 0.52, foot, foot + 1.45, glass)
                if box is not None and self.rng.random() < 0.3:
                    boxes.append(box)
        return boxes

    def _panel(self, middle: float, half: float, low: float, high: float, fill: Floats) -> Box | None:
        """A framed pane or door on the wall; returns its pixel box where it is wholly in the picture."""
        inside = ~self.is_ground & (np.abs(self.s - middle) < half) & (self.up > low) & (self.up < high)
        frame = ~self.is_ground & (np.abs(self.s - middle) < half + 0.1)
        frame &= (self.up > low - 0.12) & (self.up < high + 0.1)
        self.colour[frame] = self.colour[frame] * 0.35 + 140
        shine = 28 * ((self.s - middle + self.up - low) % 1.3 < 0.45) + 14 * (self.up - low)
        self.colour[inside] = fill + shine[inside, None]
        bars = inside & ((np.abs(self.s - middle) < 0.04) | (np.abs(self.up - (low + high) / 2 - 0.2) < 0.04))
        self.colour[bars] = 165
        rows, columns = np.nonzero(inside)
        if len(rows) == 0 or rows.min() == 0 or columns.min() == 0 or columns.max() == self.fine.width - 1:
            return None
        # shrunk by a fraction of a pane, since the street is turned and the pane no exact box
        return slice(int(rows.min()) + 2, int(rows.max()) - 1), slice(int(columns.min()) + 1, int(columns.max()))

    def _tree_places(self) -> list[tuple[float, float]]:
        left, right = self.camera.edges(16.2)
        spots = np.array([0.08, 0.43, 0.9]) + self.rng.uniform(-0.05, 0.05, 3)
        return [(left + float(spot) * (right - left), float(self.rng.uniform(15.8, 16.8))) for spot in spots]

    def _shade(self, trees: list[tuple[float, float]], posts: list[tuple[float, float]], car: float) -> None:
        """Lays the shadows of what stands there on the ground."""
        shadow = np.zeros(self.depth.shape, np.float32)
        project = Brush(self.fine, self.colour, self.depth).project
        turns = np.linspace(0, 2 * math.pi, 24, endpoint=False)

        def blob(s: float, d: float, y: float, half_s: float, half_d: float) -> None:
            s, d = s + y * SUN[0], d + y * SUN[1]
            ring = [(s + half_s * math.cos(turn), d + half_d * math.sin(turn), 0.0) for turn in turns]
            cv2.fillPoly(shadow, [project(ring)[0]], (1.0,), cv2.LINE_8, 4)

        def line(s: float, d: float, y: float, thick: int) -> None:
            first, last = project([(s, d, 0), (s + y * SUN[0], d + y * SUN[1], 0)])[0].tolist()
            cv2.line(shadow, first, last, (1.0,), thick * _FINE, cv2.LINE_8, 4)

        for s, d in trees:
            blob(s, d, 3.4, 1.3, 0.9)
            blob(s, d, 4.2, 1.2, 0.9)
            line(s, d, 3.4, 5)
        for s, d in posts:
            line(s, d, 4.0, 1)
        blob(car, 19.0, 0.5, 2.4, 1.1)
        soft = np.asarray(cv2.GaussianBlur(shadow, (0, 0), 1.4 * _FINE), np.float32)
        self.colour *= 1 - 0.42 * (soft * self.is_ground)[..., None]


def _smooth(grain: Floats, blur: float) -> Floats:
    """Blurred noise of unit variance that goes on seamlessly when repeated."""
    height, width = grain.shape
    array = cv2.GaussianBlur(np.tile(grain, (3, 3)), (0, 0), blur)[height : 2 * height, width : 2 * width]
    return np.asarray((array - array.mean()) / array.std(), np.float32)
