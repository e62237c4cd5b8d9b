"""A decoded picture -> the network's input: luma, size, noise repair, flip repair."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from model.pictures import Image

REFERENCE_SIZE = (36, 64)
"""Height and width of the reference picture that flip repair compares with."""

NOISE_LIMIT = 5.0
"""Noise (standard deviation, of 255) above which a frame is blurred. Clean footage stays below 2, uniform noise of
±35 lies above 13; the network trains on footage put through the same blur."""

ASPECT_TOLERANCE = 0.03
"""How far (as a fraction) a picture's aspect may lie from the one the model was trained on."""

LONGEST_SIDE = 1 << 15
"""Pixels; more than any camera has."""

_LAPLACIAN = np.array([1, -2, 1], dtype=np.float32)


class PictureSizeError(ValueError):
    """A picture whose shape does not fit the model; the message says both shapes."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """One frame as the encoder takes it.

    Attributes:
        image: uint8, H×W luma, or H×W×3 BGR for a colour model, at the model's input size.
        noise: standard deviation of the picture's noise before repair, of 255.
        flipped: whether flip repair turned the picture.
        denoised: whether noise repair blurred it.
    """

    image: Image
    noise: float
    flipped: bool = False
    denoised: bool = False


@dataclass(frozen=True, slots=True)
class Repair:
    """Which repairs a frame gets on its way in.

    Attributes:
        noise: blur frames whose noise is above `NOISE_LIMIT`.
        flip: turn frames that stand on their head, judged against the checkpoint's reference picture.
    """

    noise: bool = True
    flip: bool = False

    @classmethod
    def parse(cls, text: str) -> Repair:
        """Reads `flip,noise`, `noise`, `flip` or `none`.

        Raises:
            ValueError: for anything else.
        """
        names = {name.strip() for name in text.split(",") if name.strip()}
        if names == {"none"}:
            return cls(noise=False, flip=False)
        if not names or names - {"flip", "noise"}:
            raise ValueError(f"repair {text!r}: expected flip, noise, both (flip,noise) or none")
        return cls(noise="noise" in names, flip="flip" in names)

    def __str__(self) -> str:
        return ",".join(name for name in ("flip", "noise") if getattr(self, name)) or "none"


def luma(image: Image) -> Image:
    """H×W luma of an H×W luma or H×W×3 BGR picture."""
    return image if image.ndim == 2 else np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), dtype=np.uint8)


def noise_sigma(gray: Image) -> float:
    """Standard deviation of a luma picture's noise, of 255 (Immerkaer, 1996).

    The mask is a second difference in both directions: it is blind to flat areas, ramps and straight edges, so what
    it sees is mostly noise.
    """
    height, width = gray.shape
    if height < 3 or width < 3:
        return 0.0
    response = cv2.sepFilter2D(gray, cv2.CV_16S, _LAPLACIAN, _LAPLACIAN)[1:-1, 1:-1]
    total = cv2.norm(response, cv2.NORM_L1)
    return float(math.sqrt(math.pi / 2) * total / (6.0 * (width - 2) * (height - 2)))


def denoise(image: Image) -> Image:
    """The blur that noisy frames get: 5×5 Gaussian, sigma 1.1 pixels."""
    return np.asarray(cv2.GaussianBlur(image, (5, 5), 1.1), dtype=np.uint8)


def reference_of(gray: Image) -> Image:
    """uint8 36×64: a luma picture at the size in which references are kept and compared."""
    height, width = REFERENCE_SIZE
    return np.asarray(cv2.resize(gray, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def is_flipped(gray: Image, reference: Image) -> bool:
    """Whether a luma picture correlates better with the reference turned top to bottom than upright."""
    small = reference_of(gray).astype(np.float32)
    upright = reference.astype(np.float32) - float(reference.mean())
    small -= small.mean()
    return float((small * upright[::-1]).sum()) > float((small * upright).sum())


@dataclass(frozen=True, slots=True)
class Geometry:
    """How pictures of a camera become inputs of the network: an area resize, then a crop of the borders.

    Attributes:
        source: height and width of the training footage's pictures.
        scaled: height and width after the resize; the aspect is kept.
        input: height and width of the network's input: the middle of `scaled`.
    """

    source: tuple[int, int]
    scaled: tuple[int, int]
    input: tuple[int, int]

    def __post_init__(self) -> None:
        """Raises ValueError for sizes that no picture has, or a crop larger than the picture."""
        for name in ("source", "scaled", "input"):
            height, width = getattr(self, name)
            if not (1 <= height <= LONGEST_SIDE and 1 <= width <= LONGEST_SIDE):
                raise ValueError(f"geometry.{name} is {width}x{height}: expected sides of 1 to {LONGEST_SIDE} pixels")
        if self.input[0] > self.scaled[0] or self.input[1] > self.scaled[1]:
            raise ValueError(f"geometry.input {self.input} does not lie within geometry.scaled {self.scaled}")

    @classmethod
    def of_cells(cls, source: tuple[int, int], *, height: int, cell: int) -> Geometry:
        """The whole picture at about `height` rows, cropped to whole cells.

        Cropped, not squeezed: resampling a picture that already has the right height blurs it, which the first
        layers of a network see (it cost 0.02 of ROC-AUC on UCSD Ped2; `docs/quality.md`).
        """
        rows = max(1, round(height / cell)) * cell
        scaled_width = max(cell, round(rows * source[1] / source[0]))
        return cls(source, (rows, scaled_width), (rows, scaled_width // cell * cell))

    @classmethod
    def of_frame(cls, source: tuple[int, int], *, size: int) -> Geometry:
        """The whole picture squeezed into a square."""
        return cls(source, (size, size), (size, size))

    def apply(self, image: Image) -> Image:
        """uint8 picture of any size -> uint8 picture of size `input`.

        It is halved while it is twice too large: an area resize by another factor takes several times longer, 5 ms
        for the luma of 1920×1080.
        """
        rows, columns = self.scaled
        while (
            image.shape[0] >= 2 * rows
            and image.shape[1] >= 2 * columns
            and not any(side % 2 for side in image.shape[:2])
        ):
            half = (image.shape[1] // 2, image.shape[0] // 2)
            image = np.asarray(cv2.resize(image, half, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        if image.shape[:2] != self.scaled:
            image = np.asarray(cv2.resize(image, self.scaled[::-1], interpolation=cv2.INTER_AREA), dtype=np.uint8)
        top, left = ((whole - part) // 2 for whole, part in zip(self.scaled, self.input, strict=True))
        return image[top : top + self.input[0], left : left + self.input[1]]

    def check(self, image: Image) -> None:
        """Refuses a picture whose aspect differs by over 3 % from the footage the model was trained on.

        Raises:
            PictureSizeError: naming both sizes.
        """
        self.check_size(image.shape[0], image.shape[1])

    def check_size(self, height: int, width: int) -> None:
        """Like `check`, of a picture that is not decoded yet."""
        off = abs((width / height) / (self.source[1] / self.source[0]) - 1)
        if off > ASPECT_TOLERANCE:
            raise PictureSizeError(
                f"picture is {width}x{height}, the model was trained on {self.source[1]}x{self.source[0]}: "
                f"the aspect differs by {off:.0%} (at most {ASPECT_TOLERANCE:.0%}); "
                "train a model on footage of this camera"
            )


def prepare(
    image: Image,
    geometry: Geometry,
    *,
    colour: bool = False,
    repair: Repair | None = None,
    reference: Image | None = None,
) -> Prepared:
    """Makes the network's input from a decoded picture.

    Args:
        image: uint8, H×W luma or H×W×3 BGR.
        geometry: how the picture is resized and cropped.
        colour: keep three channels (a luma picture is replicated).
        repair: which repairs to do (default: noise).
        reference: uint8 36×64 luma, needed for flip repair.
    """
    repair = repair or Repair()
    if not colour:
        image = luma(image)
    elif image.ndim == 2:
        image = np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), dtype=np.uint8)
    flipped = repair.flip and reference is not None and is_flipped(luma(image), reference)
    if flipped:
        image = image[::-1]
    image = geometry.apply(image)
    noise = noise_sigma(luma(image))
    noisy = repair.noise and noise > NOISE_LIMIT
    if noisy:
        image = denoise(image)
    return Prepared(np.ascontiguousarray(image), noise, flipped, noisy)
