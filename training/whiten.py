"""Whitening of features, and weights of their errors, from windows of normal footage."""

from __future__ import annotations

import torch
from torch import Tensor

from model.detector import Detector
from model.whitening import Whitening

_FLAT = 1e-6
"""Standard deviation below which a channel says nothing."""


def fit_whitening(whitening: Whitening, windows: Tensor) -> None:
    """Standardises each channel and keeps the strongest principal components, with one common scale.

    The relative variance of the components is kept: dividing each by its own variance made detection worse.

    Args:
        whitening: C×K, filled in place.
        windows: float32 M×T×C, encoder features of moving cells.
    """
    features = windows.flatten(0, 1).double()
    mean, deviation = features.mean(0), features.std(0)
    inverse = torch.where(deviation > _FLAT, 1 / deviation.clamp_min(_FLAT), 0.0)
    standard = (features - mean) * inverse
    values, vectors = torch.linalg.eigh(standard.T @ standard / max(1, len(standard)))
    keep = min(whitening.matrix.shape[1], len(values))
    values, vectors = values.flip(0)[:keep], vectors.flip(1)[:, :keep]
    # the sign of an eigenvector is arbitrary; fixed, so that the same footage gives the same model everywhere
    vectors = vectors * torch.where(vectors.gather(0, vectors.abs().argmax(0, keepdim=True)) < 0, -1.0, 1.0)
    matrix = inverse.unsqueeze(1) * vectors / values.clamp_min(0).mean().sqrt().clamp_min(_FLAT)
    with torch.no_grad():
        whitening.mean.copy_(mean)
        whitening.matrix.zero_()
        whitening.matrix[:, :keep] = matrix


@torch.inference_mode()
def fit_error_weight(detector: Detector, features: Tensor) -> None:
    """Weights each feature of the last steps by one over its mean squared error on normal footage.

    So every feature counts alike, a normal window's error is about 1, and the unit of `raw` does not depend on how
    well the autoencoder learned.

    Args:
        detector: its weight is filled in place.
        features: float32 M×T×K, whitened, of the footage that was learned from.
    """
    recent = detector.config.recent
    total = torch.zeros_like(detector.error_weight, dtype=torch.float64)
    for part in torch.split(features, 8192):
        windows = part.to(detector.device)
        total += (detector.autoencoder(windows) - windows)[:, :, -recent:].double().square().mean(0).sum(0)
    error = total / max(1, len(features))
    detector.error_weight.copy_(1 / error.clamp_min(_FLAT * float(error.mean()) + 1e-12))
