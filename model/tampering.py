"""Whether a camera still shows its scene: covered, frozen, flipped or moved pictures, judged against a reference.

Two looks, several times a second, at pictures that are decoded anyway. The structure of a small picture is compared
with a reference (`model.likeness`) as it is, turned and shifted: what passes by, however large, hides part of the scene
and puts nothing in its place that fits better; light and noise leave the structure as it is. And a picture in which
nothing at all changes from one look to the next, not even noise, is frozen, if that is unusual for this camera.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np

from model.frames import REFERENCE_SIZE, Geometry, luma, reference_of
from model.likeness import Mask, Small, Structure, kept, share, shift_between
from model.pictures import Image
from model.stillness import Stillness

LASTS = 5.0
"""Seconds that a picture must be tampered with before it is said."""

EVERY = 0.4
"""Seconds between two looks."""

CLEARS = 2
"""Looks at an untampered picture that end it."""

FOLLOWS = 300.0
"""Seconds (time constant) in which the reference follows a scene that changes: dusk, snow, a parked car."""

_SURE = 0.75  # so much kept is no tampering, whatever else would fit
_ENOUGH = 0.5  # so much kept is none if nothing else fits better
_FITS = 0.5  # what another hypothesis must keep
_BETTER = 0.2  # and by how much more than the picture as it is
_UNRELATED = 0.4  # less kept of what stands still: another scene
_STILL_PART = 0.4  # of the picture that must stand still to say so: a train that fills it does not
_STIR = 4.0  # change of a pixel from look to look, of 255, above which it is in motion
_NOISES = 6.0  # times the noise that a window's variance must have to show something
_LOST = 0.25  # less kept, and
_SMOOTH = 0.75  # so much of the picture without structure: covered
_FLAT = 0.15  # part of the reference's variance below which structure is gone
_SHORTEST_SHIFT = 2.5  # pixels of 64: a mast in the wind moves less
_TEXTURED = 0.15  # part of the reference that must show something, or nothing can be judged
_LONGEST_STEP = 2.0  # seconds between looks after which time is not counted


class Tampering(StrEnum):
    """What is wrong with a picture."""

    NONE = ""
    COVERED = "covered"
    FROZEN = "frozen"
    FLIPPED = "flipped"
    MOVED = "moved"


class _Look(StrEnum):
    """What one look at a picture tells, beside the kinds of tampering."""

    CLEAR = "clear"
    UNCLEAR = "unclear"
    STRANGE = "another scene"


@dataclass(frozen=True, slots=True)
class Reference:
    """What is kept of a stream, over restarts.

    Attributes:
        picture: uint8 36×64 luma.
        matched: it is known to be this camera's scene.
        longest_still: seconds that the picture stood still without being frozen, at the longest.
    """

    picture: Image
    matched: bool
    longest_still: float = 0.0


class Guard:
    """Judges the pictures of one stream. For one thread at a time.

    Attributes:
        tampering: what is wrong since over five seconds.
    """

    def __init__(self, reference: Reference | None = None) -> None:
        """Begins without tampering.

        Args:
            reference: as an earlier guard kept it.
        """
        self.tampering = Tampering.NONE
        self._stillness = Stillness(0.0 if reference is None else reference.longest_still)
        self._own: Small | None = None if reference is None else reference.picture.astype(np.float32)
        self._matched = reference is not None and reference.matched
        self._origin: Structure | None = None  # of the checkpoint
        self._reference: Structure | None = None
        self._last_pts: float | None = None
        self._last: Small | None = None
        self._looks: deque[tuple[float, _Look | Tampering]] = deque()
        self._clear = 0
        self._shift = (0.0, 0.0)

    @property
    def reference(self) -> Reference | None:
        """What to keep; None: nothing was seen yet."""
        if self._own is None:
            return None
        picture = np.rint(self._own).astype(np.uint8)
        return Reference(picture, self._matched, self._stillness.longest)

    def follow_model(self, reference: Image, geometry: Geometry) -> None:
        """Takes a checkpoint's reference: the scene that the scores rest on.

        Args:
            reference: uint8 36×64, mean luma of the training footage.
            geometry: of the network's input, which is a part of that picture.
        """
        picture = _cropped(reference, geometry).astype(np.float32)
        self._origin = Structure.of(picture)
        if self._own is None:
            self._own = picture

    def accept(self) -> None:
        """The picture is right as it is: the reference begins anew from the next one."""
        self._own = self._origin = self._reference = None
        self._matched = False
        self._forget(self._last_pts or 0.0)
        self.tampering = Tampering.NONE

    def push(self, pts: float, image: Image) -> Tampering:
        """Looks at a picture, if it is time to.

        Args:
            pts: seconds; may jump.
            image: uint8 H×W luma or H×W×3 BGR, at least 8×8; nobody may change it afterwards.

        Returns:
            What is wrong now.
        """
        step = math.inf if self._last_pts is None else pts - self._last_pts
        if 0 <= step < EVERY - 1e-6:
            return self.tampering
        self._last_pts = pts
        seamless = 0 <= step <= _LONGEST_STEP
        frozen = self._stillness.push(step if seamless else None, image)
        picture = reference_of(luma(image)).astype(np.float32)
        if not seamless:
            self._forget(pts)
        look = self._look(picture)
        self._last = picture
        self._note(pts, look)
        if look is _Look.CLEAR and not frozen:
            self._follow(picture, step if seamless else EVERY)
        self.tampering = self._concluded(pts, frozen)
        return self.tampering

    def _forget(self, pts: float) -> None:
        """Time has jumped: what was seen counts, for how long it lasted does not."""
        self._last = None
        if self.tampering is Tampering.NONE:
            self._looks.clear()
        else:
            self._looks = deque((pts - LASTS, look) for _, look in self._looks)

    def _look(self, picture: Small) -> _Look | Tampering:
        now = Structure.of(picture)
        reference = self._structure(picture)
        textured = reference.textured
        if textured.mean() < _TEXTURED:
            return _Look.CLEAR  # a dark or empty reference: nothing can be judged, it follows
        same = kept(now, reference)
        if share(same, textured) < _SURE and self._matched and self._origin is not None:
            same = max(same, kept(now, self._origin), key=lambda found: share(found, textured))
        part = share(same, textured)
        if part >= _SURE:
            self._matched = True
            return _Look.CLEAR
        if any(self._fits(now, reference.turned(*way), part) for way in ((True, False), (False, True), (True, True))):
            return Tampering.FLIPPED
        if self._has_moved(now, reference, same):
            return Tampering.MOVED
        if part >= _ENOUGH:
            return _Look.CLEAR
        smooth = now.variance < np.maximum(_FLAT * reference.variance, 1.0)
        if part < _LOST and share(smooth, textured) >= _SMOOTH:
            return Tampering.COVERED
        still = textured & ~smooth & self._still(picture, now)
        if still.mean() >= _STILL_PART * textured.mean() and share(same, still) < _UNRELATED:
            return Tampering.MOVED if self._matched else _Look.STRANGE
        return _Look.UNCLEAR

    def _structure(self, picture: Small) -> Structure:
        if self._own is None:
            self._own = picture
        if self._reference is None:
            self._reference = Structure.of(self._own)
        return self._reference

    def _fits(self, now: Structure, hypothesis: Structure, part: float) -> bool:
        found = share(kept(now, hypothesis), hypothesis.textured)
        return found >= _FITS and found >= part + _BETTER

    def _has_moved(self, now: Structure, reference: Structure, same: Mask) -> bool:
        """Whether the scene is found elsewhere in the picture: where it seems to be now, or where it was found last."""
        for right, down in (shift_between(reference, now), self._shift):
            if math.hypot(right, down) < _SHORTEST_SHIFT:
                continue
            moved, seen = reference.shifted(right, down)
            among = moved.textured & seen
            found = share(kept(now, moved), among)
            if among.mean() > _TEXTURED and found >= _FITS and found >= share(same, among) + _BETTER:
                self._shift = (right, down)
                return True
        return False

    def _still(self, picture: Small, now: Structure) -> Mask:
        """Where something can be seen that stands still and is no noise."""
        if self._last is None:
            return np.zeros(picture.shape, dtype=np.bool_)
        change = cv2.absdiff(picture, self._last)
        noise = float(np.median(change)) ** 2
        return np.asarray((cv2.blur(change, (3, 3)) < _STIR) & (now.variance > _NOISES * noise))

    def _note(self, pts: float, look: _Look | Tampering) -> None:
        if look is _Look.CLEAR:
            self._clear += 1
            if self._clear >= CLEARS:
                self._looks.clear()
            return
        self._clear = 0
        if look is not _Look.UNCLEAR or self._looks:
            self._looks.append((pts, look))
        while len(self._looks) > 2 and self._looks[1][0] <= pts - LASTS:
            self._looks.popleft()

    def _concluded(self, pts: float, frozen: bool) -> Tampering:
        known = [look for _, look in self._looks if look is not _Look.UNCLEAR]
        lasted = bool(self._looks) and pts - self._looks[0][0] >= LASTS - 1e-6
        if lasted and 2 * len(known) >= len(self._looks):
            look, _ = Counter(known).most_common(1)[0]
            if isinstance(look, Tampering):
                return look
            self._adopt()
        elif self._looks and self.tampering not in (Tampering.NONE, Tampering.FROZEN):
            return self.tampering
        return Tampering.FROZEN if frozen else Tampering.NONE

    def _adopt(self) -> None:
        """The reference never was of this camera: its own picture takes the place."""
        self._own = self._last
        self._origin = self._reference = None
        self._looks.clear()

    def _follow(self, picture: Small, step: float) -> None:
        if self._own is None:
            return
        self._own = self._own + (picture - self._own) * np.float32(-math.expm1(-step / FOLLOWS))
        self._reference = None


def _cropped(reference: Image, geometry: Geometry) -> Image:
    """The part of a checkpoint's reference that the network's input shows."""
    height, width = geometry.scaled
    top, left = ((whole - part) // 2 for whole, part in zip(geometry.scaled, geometry.input, strict=True))
    if (top, left) == (0, 0):
        return reference
    large = cv2.resize(reference, (width, height), interpolation=cv2.INTER_LINEAR)
    part = large[top : top + geometry.input[0], left : left + geometry.input[1]]
    return np.asarray(cv2.resize(part, REFERENCE_SIZE[::-1], interpolation=cv2.INTER_AREA), dtype=np.uint8)
