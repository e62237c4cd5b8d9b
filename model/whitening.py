"""From the encoder's features to what the autoencoders see."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Whitening(nn.Module):
    """Standardise each channel, rotate to principal components, one common scale: relative variance is kept."""

    mean: Tensor
    matrix: Tensor

    def __init__(self, channels: int, components: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("matrix", torch.zeros(channels, components))

    def forward(self, features: Tensor) -> Tensor:
        """float32 …×C -> float32 …×K."""
        whitened: Tensor = (features - self.mean) @ self.matrix
        return whitened
