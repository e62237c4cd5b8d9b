"""The stem on ONNX Runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from torch import nn

from model.onnx_graph import Graph, Session

if TYPE_CHECKING:
    from model.encoder import StemEncoder


def compile_stem(encoder: StemEncoder) -> Session:
    """The convolutions of a stem, float32 N×C×H×W -> float32 N×40×H/8×W/8; its weights are copied."""
    graph = _Convolutions()
    x = graph.convolve("x", encoder.first, clip=True)
    for block in encoder.inverted:
        wide = x if block.expand is None else graph.convolve(x, block.expand, clip=True)
        y = graph.convolve(graph.convolve(wide, block.depthwise, clip=True), block.project, clip=False)
        x = graph.operate("Add", [y, x]) if block.residual else y
    return Session(graph, ["n", encoder.first.in_channels, "h", "w"], x)


class _Convolutions(Graph):
    def __init__(self) -> None:
        super().__init__()
        self.limits = [
            self.constant("zero", np.array(0, np.float32)),
            self.constant("six", np.array(6, np.float32)),
        ]
        self._layers = 0

    def convolve(self, x: str, layer: nn.Conv2d, *, clip: bool) -> str:
        """A convolution, and ReLU6 behind it."""
        self._layers += 1
        weights = [self.constant(f"layer{self._layers}.{part}", value) for part, value in layer.named_parameters()]
        pads = [int(pad) for pad in layer.padding] * 2
        y = self.operate(
            "Conv",
            [x, *weights],
            kernel_shape=list(layer.kernel_size),
            strides=list(layer.stride),
            pads=pads,
            group=layer.groups,
        )
        return self.operate("Clip", [y, *self.limits]) if clip else y
