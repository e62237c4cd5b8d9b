"""A window goes through a narrow latent and back; what it has never seen comes back wrong."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from model.autoencoder import Ensemble, LSTMAutoencoder
from model.whitening import Whitening


def made(features: int = 5, hidden: int = 8, latent: int = 2, seed: int = 0) -> LSTMAutoencoder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LSTMAutoencoder(features, hidden, latent)


def together(members: int = 1, features: int = 5, hidden: int = 8, latent: int = 2) -> Ensemble:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Ensemble(members, features, hidden, latent)


def windows(count: int = 7, steps: int = 6, features: int = 5) -> torch.Tensor:
    return torch.randn(count, steps, features, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("count", "steps", "features"), [(1, 2, 1), (7, 6, 5), (3, 10, 40)])
def test_reconstruction_has_the_shape_of_the_window(count: int, steps: int, features: int) -> None:
    given = windows(count, steps, features)
    assert made(features)(given).shape == given.shape


def test_error_is_the_mean_squared_difference_of_each_window() -> None:
    model, given = together(), windows()
    expected = ((model.members[0](given) - given) ** 2).mean((1, 2))
    assert torch.equal(model.error(given), expected)
    assert bool((model.error(given) > 0).all())


@pytest.mark.parametrize("recent", [1, 3, 6])
def test_weighted_error_is_that_of_the_last_steps_alone(recent: int) -> None:
    model, given = together(3), windows()
    weight = torch.rand(recent, 5, generator=torch.Generator().manual_seed(1))
    squares = ((model(given) - given) ** 2 * torch.cat([torch.zeros(6 - recent, 5), weight]))[:, :, -recent:]
    expected = squares.mean((0, 2, 3))
    torch.testing.assert_close(model.error(given, weight), expected)
    torch.testing.assert_close(model.error(given, torch.ones(6, 5)), model.error(given))


def test_error_is_the_mean_of_its_members_that_began_differently() -> None:
    model, given = together(3), windows()
    one, two, three = (((member(given) - given) ** 2).mean((1, 2)) for member in model.members)
    torch.testing.assert_close(model.error(given), (one + two + three) / 3)
    assert not torch.allclose(one, two)


def whitened(features: int = 5) -> Whitening:
    whitening = Whitening(features, features)
    generator = torch.Generator().manual_seed(2)
    whitening.mean.copy_(torch.randn(features, generator=generator))
    whitening.matrix.copy_(torch.randn(features, features, generator=generator))
    return whitening


@pytest.mark.parametrize(("count", "steps", "features"), [(1, 2, 1), (7, 6, 5), (70, 10, 40)])
@pytest.mark.parametrize("members", [1, 3])
def test_compiled_for_inference_the_errors_are_the_same(members: int, count: int, steps: int, features: int) -> None:
    model, given = together(members, features), windows(count, steps, features)
    weight = torch.rand(2, features, generator=torch.Generator().manual_seed(1))
    for settings in ((None, None), (weight, None), (None, whitened(features)), (weight, whitened(features))):
        with torch.no_grad():
            by_torch = model.error(given, *settings)
        with torch.inference_mode():
            torch.testing.assert_close(model.error(given, *settings), by_torch, rtol=1e-5, atol=1e-6)


def test_compiled_again_when_anything_has_changed_or_windows_are_longer() -> None:
    model, given, weight, whitening = together(), windows(), torch.rand(2, 5), whitened()

    def error() -> torch.Tensor:
        with torch.inference_mode():
            compiled = model.error(given, weight, whitening)
        with torch.no_grad():
            torch.testing.assert_close(compiled, model.error(given, weight, whitening), rtol=1e-5, atol=1e-6)
        return compiled

    found = [error()]
    for changed in (next(model.parameters()), weight, whitening.mean, whitening.matrix):
        with torch.no_grad():
            changed.add_(1)
        found.append(error())
    assert all(not torch.allclose(one, other) for one, other in pairwise(found))
    with torch.inference_mode():
        assert model.error(windows(steps=9), weight, whitening).shape == (7,)


def test_no_windows_have_no_errors() -> None:
    assert together().error(torch.zeros(0, 6, 5)).shape == (0,)


def test_other_windows_in_the_batch_do_not_change_an_error() -> None:
    model, given = together(2), windows()
    alone = torch.cat([model.error(window) for window in given.split(1)])  # type: ignore[no-untyped-call]
    torch.testing.assert_close(alone, model.error(given), rtol=0, atol=1e-6)


def test_all_that_reaches_the_decoder_goes_through_the_latent() -> None:
    model, given = made(latent=1), windows()
    with torch.no_grad():
        model.to_latent.weight.zero_()
    rebuilt = model(given)
    torch.testing.assert_close(rebuilt, rebuilt[:1].expand_as(rebuilt))


def test_order_of_the_frames_counts() -> None:
    model, given = made(), windows()
    assert not torch.allclose(model(given), model(given.flip(1)).flip(1))


def test_it_learns_what_it_is_shown_and_not_what_it_is_not() -> None:
    model = together(hidden=16)
    shown = torch.sin(torch.arange(6.0) + torch.arange(3.0)[:, None])[..., None].expand(-1, -1, 5)
    optimizer = torch.optim.Adam(model.parameters(), 0.05)
    for _ in range(50):
        optimizer.zero_grad()
        model.error(shown).mean().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    with torch.no_grad():
        assert float(model.error(shown).max()) < 0.2 < float(model.error(-2 * shown).min())
