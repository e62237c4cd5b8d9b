"""The stem on oneDNN through torch, for a CPU that multiplies in bfloat16."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Optional, Union

import torch
from torch import Tensor

from model.stem_ends import stem_features, stem_input

if TYPE_CHECKING:
    from model.encoder import StemEncoder

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
    """A stem with weights in bfloat16, uint8 N×H×W or N×H×W×3 -> float32 N×cells×40; its weights are copied.

    ReLU6 is part of the convolution before it, so that the wide layers are written once and not read again: half of
    the time of one operation after the other.
    """
    layers, begins, adds = [(encoder.first, True)], [False], [False]
    for block in encoder.inverted:
        layers += block.convolutions
        begins += [True, *[False] * (len(block.convolutions) - 1)]
        adds += [*[False] * (len(block.convolutions) - 1), block.residual]
    # In oneDNN's own order once, and not at each call.
    weights = [
        torch.ops.mkldnn._reorder_convolution_weight(
            layer.weight.detach(), list(layer.padding), list(layer.stride), list(layer.dilation), layer.groups
        )
        for layer, _ in layers
    ]
    biases = [layer.get_parameter("bias").detach() for layer, _ in layers]
    pads = [int(layer.padding[0]) for layer, _ in layers]
    strides = [layer.stride[0] for layer, _ in layers]
    groups = [layer.groups for layer, _ in layers]
    clips = [clip for _, clip in layers]

    def stem(images: Tensor) -> Tensor:
        y: Tensor = _in_one(
            images, encoder.SHIFT, weights, biases, pads, strides, groups, clips, begins, adds, encoder.pool
        )
        return y

    return stem


def _encode(
    images: Tensor,
    shift: int,
    weights: list[Tensor],
    biases: list[Tensor],
    pads: list[int],
    strides: list[int],
    groups: list[int],
    clips: list[bool],
    begins: list[bool],
    adds: list[bool],
    pool: int,
) -> Tensor:
    """From pictures to features, one layer behind the other.

    Of each layer: `clips`, whether there is a ReLU6 behind it; `begins`, whether it is the first of its block; `adds`,
    whether what its block was given is added to what it gives.
    """
    limits: list[Optional[Union[int, float, complex]]] = [0.0, 6.0]  # noqa: UP007, UP045  # as a script spells a number
    nothing: list[Optional[Union[int, float, complex]]] = []  # noqa: UP007, UP045
    x = stem_input(images, shift, torch.bfloat16)
    kept = x
    for at in range(len(weights)):
        if begins[at]:
            kept = x
        x = torch.ops.mkldnn._convolution_pointwise(
            x,
            weights[at],
            biases[at],
            [pads[at], pads[at]],
            [strides[at], strides[at]],
            [1, 1],
            groups[at],
            "hardtanh" if clips[at] else "none",
            limits if clips[at] else nothing,
            "",
        )
        if adds[at]:
            x = x + kept
    return stem_features(x, pool)


# As a script a frame is one call, and not forty, after each of which its thread would have to get the interpreter back:
# a seventh more frames of live cameras. It is deprecated in favour of `torch.compile` (see `can_fuse`); a torch that
# cannot does the same as plain Python.
_in_one: Callable[..., Tensor] = _encode
with warnings.catch_warnings(), suppress(Exception):
    warnings.simplefilter("ignore")
    _in_one = torch.jit.script(_encode)
