"""The stem on ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto
from torch import nn

from model.onnx_graph import END, Graph, Session

if TYPE_CHECKING:
    from model.encoder import StemEncoder

_STRIP = 15
"""Rows that the first two blocks give at a time; 10 to 20 are equally fast."""


def compile_stem(encoder: StemEncoder) -> Session:
    """A stem with weights in float32, uint8 N×H×W or N×H×W×3 -> float32 N×cells×40; its weights are copied.

    It computes what `stem_ends` does before and behind the convolutions, too: so a frame is one call, after which its
    thread has to get the interpreter back.

    The second block's wide layer takes 8 MB for a frame of 352×240, which fits no core's cache. So the layers up to
    there go strip by strip over the picture, each strip through all of them: 15 % less time on two cores.
    """
    graph = _Convolutions()
    first, second, *others = encoder.inverted
    chain = [(encoder.first, True), *first.convolutions, *second.convolutions]
    x = graph.in_strips(graph.prepare("x", encoder), chain, encoder.takes[0])
    for block in others:
        y = x
        for layer, clip in block.convolutions:
            y = graph.convolve(y, layer, clip=clip)
        x = graph.operate("Add", [y, x]) if block.residual else y
    return Session(graph, ["n", *encoder.takes], graph.average(x, encoder), uint8=True, arena=True)


def _rows_of(layer: nn.Conv2d) -> tuple[int, int, int]:
    """Size, stride and padding of a convolution from row to row."""
    return int(layer.kernel_size[0]), int(layer.stride[0]), int(layer.padding[0])


class _Convolutions(Graph):
    def __init__(self) -> None:
        super().__init__()
        self.limits = [
            self.constant("zero", np.array(0, np.float32)),
            self.constant("six", np.array(6, np.float32)),
        ]
        self._weights: dict[nn.Conv2d, list[str]] = {}

    def prepare(self, x: str, encoder: StemEncoder) -> str:
        """See `stem_input`."""
        if len(encoder.takes) == 3:
            x = self.operate("Transpose", [x], perm=[0, 3, 1, 2])
            x = self.operate("Gather", [x, self.numbers(2, 1, 0)], axis=1)
        else:
            x = self.operate("Unsqueeze", [x, self.numbers(1)])
        x = self.cut(x, encoder.SHIFT, END, 2, 3)
        x = self.operate("Cast", [x], to=TensorProto.FLOAT)
        x = self.operate("Sub", [x, self.constant("middle", np.array(127, np.float32))])
        x = self.operate("Div", [x, self.constant("half", np.array(128, np.float32))])
        pads = self.numbers(0, 0, 0, 0, 0, 0, encoder.SHIFT, encoder.SHIFT)
        return self.operate("Pad", [x, pads], mode="edge")

    def average(self, x: str, encoder: StemEncoder) -> str:
        """See `stem_features`."""
        if encoder.pool > 1:
            x = self._pool(x, encoder.pool)
        flat = self.numbers(0, encoder.channels, -1)
        means = self.operate("Reshape", [self._pool(x, 2), flat])
        if min(encoder.cells.rows, encoder.cells.columns) > 1:
            inner = self.operate("Reshape", [self._pool(self.cut(x, 1, -1, 2, 3), 2), flat])
            means = self.operate("Concat", [means, inner], axis=2)
        return self.operate("Transpose", [means], perm=[0, 2, 1])

    def _pool(self, x: str, side: int) -> str:
        return self.operate("AveragePool", [x], kernel_shape=[side, side], strides=[side, side])

    def convolve(self, x: str, layer: nn.Conv2d, *, clip: bool, above: bool = True, below: bool = True) -> str:
        """A convolution, and ReLU6 behind it.

        Args:
            x: its input.
            layer: with its weights.
            clip: whether there is a ReLU6.
            above, below: whether the picture ends there, so that it is padded; else the strip has the rows it takes.
        """
        if layer not in self._weights:
            name = f"layer{len(self._weights) + 1}"
            parts = layer.named_parameters()
            self._weights[layer] = [self.constant(f"{name}.{part}", value) for part, value in parts]
        rows, columns = (int(pad) for pad in layer.padding)
        y = self.operate(
            "Conv",
            [x, *self._weights[layer]],
            kernel_shape=list(layer.kernel_size),
            strides=list(layer.stride),
            pads=[rows * above, columns, rows * below, columns],
            group=layer.groups,
        )
        return self.operate("Clip", [y, *self.limits]) if clip else y

    def in_strips(self, x: str, chain: Sequence[tuple[nn.Conv2d, bool]], height: int) -> str:
        """Convolutions one behind the other, on one strip of the picture after the other.

        Args:
            x: their input.
            chain: the convolutions, each with whether it is clipped.
            height: rows of `x`.
        """
        heights = [height]
        for layer, _ in chain:
            size, stride, pad = _rows_of(layer)
            heights.append((heights[-1] + 2 * pad - size) // stride + 1)
        count = max(1, round(heights[-1] / _STRIP))
        edges = [heights[-1] * number // count for number in range(count + 1)]
        strips = [self._strip(x, chain, heights, *edge) for edge in pairwise(edges)]
        return self.operate("Concat", strips, axis=2)

    def _strip(
        self, x: str, chain: Sequence[tuple[nn.Conv2d, bool]], heights: Sequence[int], start: int, stop: int
    ) -> str:
        """Rows `start` to `stop` of what the convolutions give."""
        ends: list[tuple[bool, bool]] = []  # whether the picture ends above and below; the last layer first
        for (layer, _), height in zip(reversed(chain), reversed(heights[:-1]), strict=True):
            size, stride, pad = _rows_of(layer)
            start, stop = start * stride - pad, (stop - 1) * stride - pad + size
            ends.append((start < 0, stop > height))
            start, stop = max(start, 0), min(stop, height)
        x = self.cut(x, start, stop, 2)
        for (layer, clip), (above, below) in zip(chain, reversed(ends), strict=True):
            x = self.convolve(x, layer, clip=clip, above=above, below=below)
        return x
