"""From pictures to features: the whole frame as raw pixels, or a CNN stem over a grid of cells."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.cells import WHOLE, Cells
from model.compiled import Compiled
from model.fused_stem import Network, can_fuse, fuse_stem
from model.onnx_stem import compile_stem
from model.stem_ends import stem_features, stem_input

EncoderName = Literal["stem", "pixels"]


class Encoder(nn.Module):
    """Pictures -> one feature vector a cell. Frozen: it never learns after it is built.

    Attributes:
        takes: shape of the pictures: height and width, and 3 for colour.
        cells: where features are measured.
        channels: length of a cell's feature vector.
    """

    takes: tuple[int, ...]
    cells: Cells
    channels: int

    def forward(self, images: Tensor) -> Tensor:
        """uint8 N×H×W luma or N×H×W×3 BGR -> float32 N×cells×channels."""
        raise TypeError("an Encoder is StemEncoder or PixelEncoder")

    def fingerprint(self) -> str:
        """SHA-256 of what decides the features: streams whose encoders agree in it can share a batch."""
        digest = hashlib.sha256(repr((type(self).__name__, self.takes, self.cells)).encode())
        for name, value in sorted(self.state_dict().items()):
            digest.update(f"{name} {value.dtype}".encode())
            digest.update(value.detach().float().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()


class PixelEncoder(Encoder):
    """The project's seed: the whole frame is one cell, its features are the pixels in [0, 1]."""

    def __init__(self, height: int, width: int, *, colour: bool) -> None:
        super().__init__()
        self.takes = (height, width, 3) if colour else (height, width)
        self.cells = WHOLE
        self.channels = math.prod(self.takes)

    def forward(self, images: Tensor) -> Tensor:
        pixels: Tensor = images.flatten(1).unsqueeze(1).float() / 255.0
        return pixels


def _convolution(inputs: int, outputs: int, size: int, stride: int = 1, *, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, groups=groups)


class InvertedResidual(nn.Module):
    """MobileNet's block as EfficientNet-Lite has it: expand, depthwise, project; batch norm folded in."""

    def __init__(self, inputs: int, outputs: int, *, expand: int, size: int, stride: int) -> None:
        super().__init__()
        hidden = inputs * expand
        self.expand = _convolution(inputs, hidden, 1) if expand > 1 else None
        self.depthwise = _convolution(hidden, hidden, size, stride, groups=hidden)
        self.project = _convolution(hidden, outputs, 1)
        self.residual = stride == 1 and inputs == outputs

    @property
    def convolutions(self) -> list[tuple[nn.Conv2d, bool]]:
        """In their order, each with whether there is a ReLU6 behind it."""
        expand = [] if self.expand is None else [(self.expand, True)]
        return [*expand, (self.depthwise, True), (self.project, False)]

    def forward(self, x: Tensor) -> Tensor:
        wide = x if self.expand is None else F.relu6(self.expand(x), inplace=True)
        y: Tensor = self.project(F.relu6(self.depthwise(wide), inplace=True))
        return y + x if self.residual else y


class StemEncoder(Encoder):
    """Stem and first five blocks of EfficientNet-Lite0 (Tan et al.), averaged over the cells.

    Stride 8, 40 channels. Luma goes through a one-channel first convolution whose weights are the sums over the
    colour channels: the same numbers as luma replicated to three channels, at a third of the work.

    The three strided convolutions look at every eighth pixel, 4 pixels off the middle of each 8-pixel square; the
    picture is moved as much the other way, so that a cell's features and its motion belong to the same place.
    """

    STRIDE = 8
    CHANNELS = 40
    SHIFT = 4

    def __init__(self, height: int, width: int, *, cell: int = 16, colour: bool = False) -> None:
        super().__init__()
        if cell % (2 * self.STRIDE) or height % cell or width % cell:
            raise ValueError(
                f"input {width}x{height} with cells of {cell}: a cell must be a multiple of {2 * self.STRIDE} "
                "and both sides a multiple of the cell"
            )
        self.takes = (height, width, 3) if colour else (height, width)
        self.cells = Cells(height // cell, width // cell)
        self.channels = self.CHANNELS
        self.pool = cell // 2 // self.STRIDE
        self.first = _convolution(3 if colour else 1, 32, 3, 2)
        self.blocks = nn.Sequential(
            InvertedResidual(32, 16, expand=1, size=3, stride=1),
            InvertedResidual(16, 24, expand=6, size=3, stride=2),
            InvertedResidual(24, 24, expand=6, size=3, stride=1),
            InvertedResidual(24, 40, expand=6, size=5, stride=2),
            InvertedResidual(40, 40, expand=6, size=5, stride=1),
        )
        self.requires_grad_(False)
        self._compiled: Compiled[Network] = Compiled()

    @property
    def inverted(self) -> list[InvertedResidual]:
        """The blocks in their order."""
        return [block for block in self.blocks if isinstance(block, InvertedResidual)]

    def forward(self, images: Tensor) -> Tensor:
        return self._network()(images)

    def _network(self) -> Network:
        """From pictures to features, compiled where a CPU gains by it; anew where the weights have changed."""
        weight = self.first.weight
        if weight.device.type != "cpu" or weight.dtype not in _COMPILERS:
            return self._layers
        return self._compiled.get(lambda: _COMPILERS[weight.dtype](self), self.parameters())

    def _layers(self, images: Tensor) -> Tensor:
        x = stem_input(images, self.SHIFT, self.first.weight.dtype)
        x = self.blocks(F.relu6(self.first(x), inplace=True))
        return stem_features(x, self.pool)


_COMPILERS: dict[torch.dtype, Callable[[StemEncoder], Network]] = {torch.float32: compile_stem}
if can_fuse():
    _COMPILERS[torch.bfloat16] = fuse_stem
