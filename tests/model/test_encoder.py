"""Pictures become features: raw pixels, or the stem's channels in every cell."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from model import fused_stem
from model.encoder import Encoder, PixelEncoder, StemEncoder
from model.fused_stem import can_fuse
from tests.model.detectors import HEIGHT, WIDTH, pictures, stacked

SHOTS = stacked(pictures(4))


def stem(
    height: int = HEIGHT, width: int = WIDTH, *, cell: int = 16, colour: bool = False, seed: int = 0
) -> StemEncoder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return StemEncoder(height, width, cell=cell, colour=colour)


def same_for_luma(colour: StemEncoder) -> StemEncoder:
    """The stem for luma pictures with the weights of one for colour."""
    gray = stem(seed=1)
    weights = colour.state_dict()
    weights["first.weight"] = weights["first.weight"].sum(1, keepdim=True)
    gray.load_state_dict(weights)
    return gray


@pytest.mark.parametrize("shape", [(3, 8, 12), (3, 8, 12, 3)])
def test_pixels_are_the_picture_in_0_to_1(shape: tuple[int, ...]) -> None:
    images = torch.randint(0, 256, shape, dtype=torch.uint8)
    encoder = PixelEncoder(8, 12, colour=len(shape) == 4)
    features = encoder(images)
    assert features.shape == (3, 1, encoder.channels)
    assert torch.equal(features[:, 0], images.flatten(1).float() / 255)


@pytest.mark.parametrize("cell", [16, 32])
@pytest.mark.parametrize("colour", [False, True])
def test_stem_gives_its_channels_for_every_cell(cell: int, colour: bool) -> None:
    encoder = stem(cell=cell, colour=colour)
    images = SHOTS.unsqueeze(3).expand(-1, -1, -1, 3) if colour else SHOTS
    features = encoder(images)
    assert (encoder.cells.rows, encoder.cells.columns) == (HEIGHT // cell, WIDTH // cell)
    assert features.shape == (len(SHOTS), encoder.cells.count, encoder.channels)
    assert features.dtype == torch.float32 and bool(features.isfinite().all())


def test_luma_counts_as_gray_in_three_channels() -> None:
    colour = stem(colour=True)
    replicated = SHOTS.unsqueeze(3).expand(-1, -1, -1, 3)
    torch.testing.assert_close(same_for_luma(colour)(SHOTS), colour(replicated), rtol=1e-4, atol=1e-5)


def test_weights_meet_red_first_and_pictures_come_blue_first() -> None:
    encoder = stem(colour=True)
    blue = torch.zeros(1, HEIGHT, WIDTH, 3, dtype=torch.uint8)
    blue[..., 0] = 200
    plain = (blue.float() - 127) / 128
    first = encoder.first(plain.permute(0, 3, 1, 2).flip(1))
    blind = copy.deepcopy(encoder)
    with torch.no_grad():
        blind.first.weight[:, 2] = 0  # blue, for weights in the order red, green, blue
    assert first.shape[1] == 32
    changed = blue.clone()
    changed[..., 0] = 90
    assert torch.equal(blind(blue)[..., :, :], blind(changed)) and not torch.equal(encoder(blue), encoder(changed))


@pytest.mark.parametrize("row", [1, 2])
@pytest.mark.parametrize("column", [1, 2, 4])
def test_change_in_a_cell_shows_most_in_that_cell(row: int, column: int) -> None:
    encoder = stem(seed=3)
    before = torch.full((1, HEIGHT, WIDTH), 127, dtype=torch.uint8)
    now = before.clone()
    now[:, row * 16 + 4 : row * 16 + 12, column * 16 + 4 : column * 16 + 12] = 255
    change = (encoder(now) - encoder(before)).square().sum(2)[0, : encoder.cells.first]
    assert int(change.argmax()) == row * encoder.cells.columns + column


def test_neighbours_in_the_batch_do_not_change_the_features() -> None:
    encoder = stem()
    together = encoder(SHOTS)
    for index in range(len(SHOTS)):
        torch.testing.assert_close(encoder(SHOTS[[index]])[0], together[index], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("height", "width", "cell"), [(64, 96, 8), (64, 96, 24), (60, 96, 16), (64, 100, 16), (64, 96, 128)]
)
def test_sizes_that_do_not_divide_into_cells_are_refused(height: int, width: int, cell: int) -> None:
    with pytest.raises(ValueError, match=f"input {width}x{height} with cells of {cell}: .*multiple of the cell"):
        StemEncoder(height, width, cell=cell)


@pytest.mark.parametrize(
    ("height", "width", "colour"),
    [(16, 32, False), (64, 48, True), (112, 64, False), (240, 96, False), (272, 64, False)],
)
def test_compiled_stem_gives_the_same_as_its_layers_in_whole_pictures(height: int, width: int, colour: bool) -> None:
    encoder = stem(height, width, colour=colour)
    images = torch.randint(0, 256, (2, *encoder.takes), dtype=torch.uint8)
    compiled = encoder(images)
    encoder.to(torch.float64)  # what has so many digits is not compiled
    torch.testing.assert_close(compiled, encoder(images), rtol=1e-4, atol=1e-5, check_dtype=False)


@pytest.mark.skipif(not can_fuse(), reason="needs a processor that computes in bfloat16")
@pytest.mark.parametrize(
    ("height", "width", "colour"),
    [(16, 32, False), (64, 48, True), (112, 64, False), (240, 96, False), (272, 64, False)],
)
def test_fused_stem_gives_the_same_as_its_layers_up_to_rounding(height: int, width: int, colour: bool) -> None:
    encoder = stem(height, width, colour=colour).to(torch.bfloat16)
    images = torch.randint(0, 256, (2, *encoder.takes), dtype=torch.uint8)
    fused = encoder(images)
    exact = encoder.to(torch.float64)(images)
    assert (fused - exact).square().mean().sqrt() < 0.01 * exact.square().mean().sqrt()


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_stem_is_compiled_anew_when_its_weights_change(precision: torch.dtype) -> None:
    encoder = stem().to(precision)
    images = torch.randint(0, 256, (1, *encoder.takes), dtype=torch.uint8)
    before = encoder(images)
    encoder.load_state_dict(stem(seed=1).state_dict())
    after = encoder(images)
    assert not torch.equal(after, before)
    assert torch.equal(after, stem(seed=1).to(precision)(images))


@pytest.mark.skipif(not can_fuse(), reason="needs a processor that computes in bfloat16")
@pytest.mark.parametrize(("cell", "colour"), [(16, False), (32, True)])
def test_fused_stem_is_one_call_and_the_same_without_scripts(
    monkeypatch: pytest.MonkeyPatch, cell: int, colour: bool
) -> None:
    encoder = stem(cell=cell, colour=colour).to(torch.bfloat16)
    images = torch.randint(0, 256, (2, *encoder.takes), dtype=torch.uint8)
    assert isinstance(fused_stem._in_one, torch.jit.ScriptFunction)
    found = encoder(images)
    monkeypatch.setattr(fused_stem, "_in_one", fused_stem._encode)
    assert torch.equal(encoder(images), found)


def test_fusing_is_for_builds_and_processors_that_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert not can_fuse()


def test_stem_is_frozen() -> None:
    assert not any(parameter.requires_grad for parameter in stem().parameters())


def test_base_class_encodes_nothing() -> None:
    with pytest.raises(TypeError, match="StemEncoder or PixelEncoder"):
        Encoder()(SHOTS)


def test_fingerprint_depends_on_the_weights_alone() -> None:
    assert stem().fingerprint() == stem().fingerprint() == copy.deepcopy(stem()).fingerprint()
    assert stem().fingerprint() == stem().to(memory_format=torch.channels_last).fingerprint()  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(stem(seed=1), id="other weights"),
        pytest.param(stem().to(torch.bfloat16), id="another precision"),
        pytest.param(stem(64, 112), id="another size"),
        pytest.param(stem(128, 192, cell=32), id="the same cells of larger pictures"),
        pytest.param(stem(colour=True), id="colour"),
        pytest.param(PixelEncoder(HEIGHT, WIDTH, colour=False), id="no stem at all"),
    ],
)
def test_encoders_that_cannot_share_a_batch_differ_in_their_fingerprint(other: Encoder) -> None:
    assert other.fingerprint() != stem().fingerprint()


def test_fingerprint_tells_pictures_of_equally_many_pixels_apart() -> None:
    encoders: list[Encoder] = [
        PixelEncoder(8, 24, colour=False),
        PixelEncoder(24, 8, colour=False),
        PixelEncoder(8, 8, colour=True),
    ]
    assert len({encoder.channels for encoder in encoders}) == 1
    assert len({encoder.fingerprint() for encoder in encoders}) == 3


@pytest.mark.gpu
def test_stem_on_a_gpu_agrees_with_the_cpu() -> None:
    encoder = stem()
    on_cpu: Tensor = encoder(SHOTS)
    torch.testing.assert_close(encoder.cuda()(SHOTS.cuda()).cpu(), on_cpu, rtol=1e-2, atol=1e-2)  # TF32
