"""The LSTM autoencoder: a window of features through a narrow latent and back."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LSTMAutoencoder(nn.Module):
    """Encoder LSTM -> narrow latent -> decoder LSTM fed the latent at every step -> linear.

    Source: Srivastava et al., "Unsupervised Learning of Video Representations using LSTMs" (ICML 2015); the narrow
    latent is what keeps it from copying what it has never seen.
    """

    def __init__(self, features: int, hidden: int, latent: int) -> None:
        super().__init__()
        self.encoder = nn.LSTM(features, hidden, batch_first=True)
        self.to_latent = nn.Linear(hidden, latent)
        self.decoder = nn.LSTM(latent, hidden, batch_first=True)
        self.to_features = nn.Linear(hidden, features)

    def forward(self, windows: Tensor) -> Tensor:
        """float32 M×T×K -> its reconstruction, float32 M×T×K."""
        _, (hidden, _) = self.encoder(windows)
        latent = self.to_latent(hidden[-1])
        steps, _ = self.decoder(latent.unsqueeze(1).expand(-1, windows.shape[1], -1))
        rebuilt: Tensor = self.to_features(steps)
        return rebuilt

    def error(self, windows: Tensor, weight: Tensor | None = None) -> Tensor:
        """Mean squared error of each window.

        Args:
            windows: float32 M×T×K.
            weight: float32 R×K, of each feature in the last R steps; the steps before them do not count. None: all
                steps and features count alike.

        Returns:
            float32 M.
        """
        if not len(windows):
            return torch.zeros(0, device=windows.device)
        squares = (self(windows) - windows).square()
        error: Tensor = (squares if weight is None else squares[:, -len(weight) :] * weight).mean((1, 2))
        return error
