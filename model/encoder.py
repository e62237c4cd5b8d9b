"""From pictures to features: the whole frame as raw pixels, or a CNN stem over a grid of cells."""

from __future__ import annotations

import hashlib
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EncoderName = Literal["stem", "pixels"]


class Encoder(nn.Module):
    """Pictures -> one feature vector a cell. Frozen: it never learns after it is built.

    Attributes:
        grid: rows and columns of cells.
        channels: length of a cell's feature vector.
        multiple: both sides of the input are a multiple of this, pixels.
    """

    grid: tuple[int, int]
    channels: int

    def forward(self, images: Tensor) -> Tensor:
        """uint8 N×H×W luma or N×H×W×3 BGR -> float32 N×cells×channels."""
        raise TypeError("an Encoder is StemEncoder or PixelEncoder")

    @property
    def cells(self) -> int:
        return self.grid[0] * self.grid[1]

    def fingerprint(self) -> str:
        """SHA-256 of what decides the features: streams whose encoders agree in it can share a batch."""
        digest = hashlib.sha256(repr((type(self).__name__, self.grid, self.channels)).encode())
        for name, value in sorted(self.state_dict().items()):
            digest.update(name.encode())
            digest.update(value.detach().float().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()


class PixelEncoder(Encoder):
    """The project's seed: the whole frame is one cell, its features are the pixels in [0, 1]."""

    def __init__(self, height: int, width: int, *, colour: bool) -> None:
        super().__init__()
        self.grid = (1, 1)
        self.channels = height * width * (3 if colour else 1)

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1).unsqueeze(1).float() / 255.0


class SamePadConv(nn.Conv2d):
    """Convolution with TensorFlow's "same" padding, as EfficientNet's weights expect: the odd pixel goes right."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int = 1, *, depthwise: bool = False) -> None:
        super().__init__(
            inputs,
            outputs,
            size,
            stride,
            padding=0 if stride > 1 else size // 2,
            groups=inputs if depthwise else 1,
        )

    def forward(self, x: Tensor) -> Tensor:
        stride = self.stride[0]
        if stride > 1:
            pads = []
            for length, kernel in zip(x.shape[:1:-1], self.kernel_size[::-1], strict=True):
                total = max((-(-length // stride) - 1) * stride + kernel - length, 0)
                pads += [total // 2, total - total // 2]
            x = F.pad(x, pads)
        return super().forward(x)


class InvertedResidual(nn.Module):
    """MobileNet's block as EfficientNet-Lite has it: expand, depthwise, project; batch norm folded in."""

    def __init__(self, inputs: int, outputs: int, *, expand: int, size: int, stride: int) -> None:
        super().__init__()
        hidden = inputs * expand
        self.expand = SamePadConv(inputs, hidden, 1) if expand > 1 else None
        self.depthwise = SamePadConv(hidden, hidden, size, stride, depthwise=True)
        self.project = SamePadConv(hidden, outputs, 1)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.expand is None else F.relu6(self.expand(x), inplace=True)
        y = self.project(F.relu6(self.depthwise(y), inplace=True))
        return y + x if self.residual else y


class StemEncoder(Encoder):
    """Stem and first five blocks of EfficientNet-Lite0 (Tan et al.), averaged over square cells.

    Stride 8, 40 channels. Luma goes through a one-channel first convolution whose weights are the sums over the
    colour channels: the same numbers as luma replicated to three channels, at a third of the work.
    """

    STRIDE = 8
    CHANNELS = 40

    def __init__(self, height: int, width: int, *, cell: int = 16, colour: bool = False) -> None:
        super().__init__()
        if cell % self.STRIDE or height % cell or width % cell:
            raise ValueError(
                f"input {width}x{height} with cells of {cell}: a cell must be a multiple of {self.STRIDE} "
                "and both sides a multiple of the cell"
            )
        self.grid = (height // cell, width // cell)
        self.channels = self.CHANNELS
        self.pool = cell // self.STRIDE
        self.first = SamePadConv(3 if colour else 1, 32, 3, 2)
        self.blocks = nn.Sequential(
            InvertedResidual(32, 16, expand=1, size=3, stride=1),
            InvertedResidual(16, 24, expand=6, size=3, stride=2),
            InvertedResidual(24, 24, expand=6, size=3, stride=1),
            InvertedResidual(24, 40, expand=6, size=5, stride=2),
            InvertedResidual(40, 40, expand=6, size=5, stride=1),
        )
        self.requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        weight = self.first.weight
        if images.ndim == 3:
            x = images.unsqueeze(1)
        else:  # the weights expect RGB
            x = images.flip(3).permute(0, 3, 1, 2)
        x = ((x.float() - 127.0) / 128.0).to(dtype=weight.dtype, memory_format=torch.channels_last)
        x = self.blocks(F.relu6(self.first(x), inplace=True))
        if self.pool > 1:
            x = F.avg_pool2d(x, self.pool)
        return x.flatten(2).transpose(1, 2).float()
