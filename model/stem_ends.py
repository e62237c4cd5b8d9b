"""What comes before and behind the convolutions of the stem, as functions that can be part of a script."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from model.cells import cell_means


def stem_input(images: Tensor, shift: int, dtype: torch.dtype) -> Tensor:
    """Pictures as the first convolution expects them.

    Args:
        images: uint8 N×H×W luma or N×H×W×3 BGR.
        shift: pixels by which the picture is moved up and left; its last row and column are repeated.
        dtype: of the result.

    Returns:
        N×C×H×W, RGB, [-1, 1] or so; channels last in memory.
    """
    x = images.unsqueeze(1) if images.ndim == 3 else images.flip([3]).permute(0, 3, 1, 2)
    x = (x[..., shift:, shift:].float() - 127.0) / 128.0
    x = F.pad(x, [0, shift, 0, shift], mode="replicate").to(dtype)
    return x.contiguous(memory_format=torch.channels_last)


def stem_features(x: Tensor, pool: int) -> Tensor:
    """Means over the cells.

    Args:
        x: N×C×height×width, what the last block gives.
        pool: side of half a cell, pixels of `x`.

    Returns:
        float32 N×cells×C.
    """
    if pool > 1:
        x = F.avg_pool2d(x, pool)
    return cell_means(x.float()).transpose(1, 2)
