"""Streams that a GPU holds; `make bench-gpu` has the figures."""

from __future__ import annotations

import pytest
import torch

from bench.gpu import HEIGHT, RATE, WIDTH, held, model_of
from bench.live_material import pictures
from model.frames import luma


@pytest.mark.gpu
def test_a_gpu_holds_a_hundred_streams_of_25_frames_a_second_without_a_drop() -> None:
    frames = [luma(picture) for picture in pictures(16, HEIGHT, WIDTH)]
    one = held(model_of(torch.device("cuda")), frames, 100, 4.0, 256)
    assert one.dropped == 0
    assert one.scored == pytest.approx(100 * RATE, rel=0.05)
    assert one.quantiles[2] < 0.2
