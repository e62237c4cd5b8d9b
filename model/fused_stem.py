"""The stem on oneDNN through torch, for a CPU that multiplies in bfloat16."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from model.encoder import InvertedResidual, StemEncoder

Network = Callable[[Tensor], Tensor]


def can_fuse() -> bool:
    """Whether this build of torch and this processor have what `fuse_stem` needs.

    They are the operations that `torch.compile` puts in place of a convolution; itself it would need a compiler
    wherever the service runs. Torch does not document them: a release without them is as slow as before, and no worse.
    """
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    names = ("_is_mkldnn_bf16_supported", "_reorder_convolution_weight", "_convolution_pointwise")
    return all(hasattr(torch.ops.mkldnn, name) for name in names) and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def fuse_stem(encoder: StemEncoder) -> Network:
    """The convolutions of a stem, N×C×H×W -> N×40×H/8×W/8 in bfloat16.

    ReLU6 is part of the convolution before it, so that the wide layers are written once and not read again: half of
    the time of one operation after the other.
    """
    first = _convolution(encoder.first, clip=True)
    blocks = [_block(block) for block in encoder.inverted]

    def stem(x: Tensor) -> Tensor:
        x = first(x.contiguous(memory_format=torch.channels_last))
        for block in blocks:
            x = block(x)
        return x

    return stem


def _block(block: InvertedResidual) -> Network:
    layers = [] if block.expand is None else [_convolution(block.expand, clip=True)]
    layers += [_convolution(block.depthwise, clip=True), _convolution(block.project, clip=False)]

    def convolve(x: Tensor) -> Tensor:
        y = x
        for layer in layers:
            y = layer(y)
        return y + x if block.residual else y

    return convolve


def _convolution(layer: nn.Conv2d, *, clip: bool) -> Network:
    """A convolution, and ReLU6 behind it where it is to be clipped."""
    settings = (list(layer.padding), list(layer.stride), list(layer.dilation), layer.groups)
    # Put into oneDNN's own order once, and not at each call.
    weight = torch.ops.mkldnn._reorder_convolution_weight(layer.weight.detach(), *settings)
    bias = None if layer.bias is None else layer.bias.detach()
    behind = ("hardtanh", [0.0, 6.0], "") if clip else ("none", [], "")

    def convolve(x: Tensor) -> Tensor:
        y: Tensor = torch.ops.mkldnn._convolution_pointwise.default(x, weight, bias, *settings, *behind)
        return y

    return convolve
