"""The LSTM autoencoder: a window of features through a narrow latent and back; and a few of them together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from model.compiled import Compiled
from model.onnx_autoencoder import compile_errors
from model.onnx_graph import Session

if TYPE_CHECKING:
    from model.whitening import Whitening


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


class Ensemble(nn.Module):
    """Autoencoders that learn the same from different beginnings; a window's error is the mean of theirs.

    Where one fit happens to reconstruct what it never saw, another does not: the mean detects better than either, and
    depends less on the seed (`docs/quality-notes.md`).
    """

    def __init__(self, members: int, features: int, hidden: int, latent: int) -> None:
        super().__init__()
        self.members = nn.ModuleList(LSTMAutoencoder(features, hidden, latent) for _ in range(members))
        self._compiled: Compiled[Session] = Compiled()

    def forward(self, windows: Tensor) -> Tensor:
        """float32 M×T×K -> each member's reconstruction, float32 members×M×T×K."""
        return torch.stack([member(windows) for member in self.members])

    def error(self, windows: Tensor, weight: Tensor | None = None, whitening: Whitening | None = None) -> Tensor:
        """Mean squared error of each window, over the members.

        Args:
            windows: float32 M×T×K; M×T×C where they are to be whitened first.
            weight: float32 R×K, of each feature in the last R steps; the steps before them do not count. None: all
                steps and features count alike.
            whitening: what makes K features of C.

        Returns:
            float32 M.
        """
        if not len(windows):
            return torch.zeros(0, device=windows.device)
        if torch.is_inference_mode_enabled() and windows.device.type == "cpu":
            return self._onnx(windows.shape[1], weight, whitening)(windows)
        if whitening is not None:
            windows = whitening(windows)
        squares = (self(windows) - windows).square()
        error: Tensor = (squares if weight is None else squares[:, :, -len(weight) :] * weight).mean((0, 2, 3))
        return error

    def _onnx(self, steps: int, weight: Tensor | None, whitening: Whitening | None) -> Session:
        """All of it compiled for the CPU, anew where anything in it has changed."""
        given = [] if weight is None else [weight]
        buffers = [] if whitening is None else whitening.buffers()
        return self._compiled.get(
            lambda: compile_errors(self, steps, weight, whitening), [*self.parameters(), *given, *buffers], steps
        )
