"""Whitening: what comes out is centred, uncorrelated, strongest first, and of unit variance in the mean."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from model.whitening import Whitening
from training.whiten import fit_whitening


def features(count: int = 400, steps: int = 3, channels: int = 6, *, flat: int | None = None) -> Tensor:
    """Correlated features of very different scales."""
    generator = torch.Generator().manual_seed(0)
    rotation = torch.randn(channels, channels, generator=generator)
    mixed = torch.randn(count, steps, channels, generator=generator) @ rotation
    mixed = mixed * torch.logspace(-2, 2, channels) + 7
    if flat is not None:
        mixed[..., flat] = 3.0
    return mixed


def fitted(windows: Tensor, components: int) -> Whitening:
    whitening = Whitening(windows.shape[-1], components)
    fit_whitening(whitening, windows)
    return whitening


def white(windows: Tensor, components: int) -> Tensor:
    whitened: Tensor = fitted(windows, components)(windows)
    return whitened.flatten(0, 1).double()


@pytest.mark.parametrize("components", [2, 4, 6])
def test_components_are_centred_uncorrelated_and_strongest_first(components: int) -> None:
    found = white(features(), components)
    covariance = torch.cov(found.T)
    variances = covariance.diagonal()
    assert found.mean(0).abs().max() < 1e-3
    assert (covariance - torch.diag(variances)).abs().max() < 1e-2
    assert bool((variances[:-1] >= variances[1:] - 1e-6).all())
    assert float(variances.mean()) == pytest.approx(1.0, rel=0.01)


def test_channels_count_alike_whatever_their_scale() -> None:
    windows = features()
    assert torch.allclose(white(windows, 6), white(windows * torch.logspace(2, -2, 6), 6), atol=1e-3)


def test_a_channel_that_never_changes_says_nothing() -> None:
    windows = features(flat=2)
    whitening = fitted(windows, 6)
    assert bool(torch.isfinite(whitening.matrix).all())
    assert not whitening.matrix[2].any()


def test_more_components_than_channels_leave_the_rest_at_zero() -> None:
    found = fitted(features(), 9)(features())
    assert found.shape[-1] == 9
    assert not found[..., 6:].any()


def test_the_same_windows_give_the_same_bits() -> None:
    first, second = fitted(features(), 4), fitted(features(), 4)
    assert torch.equal(first.matrix, second.matrix)
    assert torch.equal(first.mean, second.mean)
