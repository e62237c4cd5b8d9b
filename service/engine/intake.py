"""Which frames of a stream are decoded: decided by header, rate cap and time stamp, before anything is decoded."""

from __future__ import annotations

from model.detector import Detector
from model.frames import PictureSizeError, Prepared, Repair
from model.pictures import PictureError, decode_image, image_size
from model.sampler import Decision, Sampler
from service.records import IncomingFrame

_KINDS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")
_STILL = 30  # frames that have the time of the one before; of stamps in whole seconds fewer have it, as a rule
_TOLERANCE = 1e-6  # of a period: stamps that were computed as n / fps count as exact


class Intake:
    """Rate cap and sampler of one stream. Both go by time stamps alone, so a replay decides the same.

    Attributes:
        max_rate: frames a second that are let through at most, in the mean; None: no cap.
    """

    def __init__(self, interval: float, max_rate: float | None = None) -> None:
        """Makes the intake of a new stream.

        Args:
            interval: seconds between the frames that the model wants.
            max_rate: see the attribute.
        """
        self.max_rate = max_rate
        self._sampler = Sampler(interval)
        self._passed: float | None = None
        self._due = 0.0
        self._newest: float | None = None
        self._still = 0

    def copy(self) -> Intake:
        """An intake in the same state, to go back to."""
        twin = Intake.__new__(Intake)
        twin.__dict__.update(self.__dict__, _sampler=self._sampler.copy())
        return twin

    def offer(self, pts: float, size: tuple[int, int]) -> Decision | None:
        """Decides about the next frame; None: over the rate cap.

        Raises:
            ValueError: the time stamp is not finite; the intake is as before.
        """
        decision = None if self._capped(pts) else self._sampler.offer(pts, size)
        self._still = self._still + 1 if pts == self._newest else 0
        self._newest = pts
        if decision is None:
            return None
        if self.max_rate is not None:
            period = 1 / self.max_rate
            late = self._passed is None or decision.restart or pts - self._due > period
            self._due = (pts if late else self._due) + period
            self._passed = pts
        return decision

    def explain(self) -> str:
        """Why the stream cannot be scored at all ("" if it can)."""
        return self._sampler.explain()

    @property
    def standstill(self) -> str:
        """Why frames that come are all left out though their source seems to be well ("" if they are not)."""
        if self._still < _STILL:
            return ""
        return (
            f"time stamps stand still: {_STILL} frames and more have the time of the one before; "
            "send the capture time of each frame"
        )

    def _capped(self, pts: float) -> bool:
        if self.max_rate is None or self._passed is None:
            return False
        return self._passed <= pts < self._due - _TOLERANCE / self.max_rate


def picture_size(frame: IncomingFrame, most_pixels: int) -> tuple[int, int]:
    """Height and width of a frame, from its header alone where it came encoded.

    Raises:
        PictureError: neither JPEG nor PNG, or over the limit; or no luma or BGR picture.
    """
    if isinstance(frame.data, bytes):
        if not frame.data.startswith(_KINDS):
            raise PictureError("neither JPEG nor PNG" if frame.data else "empty")
        width, height = image_size(frame.data)
    else:
        shape = frame.data.shape
        if frame.data.dtype != "uint8" or not (len(shape) == 2 or (len(shape) == 3 and shape[2] == 3)):
            raise PictureError(f"{frame.data.dtype} {shape} is no uint8 picture of one or three channels")
        height, width = shape[0], shape[1]
    if not 0 < height * width <= most_pixels:
        raise PictureError(f"{width}×{height} pixels: expected 1 to {most_pixels}")
    return height, width


def decode(frame: IncomingFrame, size: tuple[int, int], detector: Detector, repair: Repair) -> Prepared:
    """A frame -> the model's input, the same as `model.scoring.ClipScorer` makes of it.

    Raises:
        PictureError: damaged, or not of the size that its header gave.
        PictureSizeError: its aspect is not the model's.
    """
    image = frame.data
    if isinstance(image, bytes):
        image = decode_image(image, colour=detector.config.colour)
    if image.shape[:2] != size:
        raise PictureError(f"its header says {size[1]}×{size[0]} pixels, it has {image.shape[1]}×{image.shape[0]}")
    return detector.prepare(image, repair)


UNUSABLE = (PictureError, PictureSizeError)
"""What a frame that cannot be used raises: a fault of the frame's, not of the service."""
