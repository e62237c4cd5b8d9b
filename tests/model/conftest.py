"""Fixtures of the model's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from hypothesis import settings

from model.workers import torch_threads

settings.register_profile("framewatch", deadline=None)  # a busy machine is no fault
settings.load_profile("framewatch")


@pytest.fixture
def one_thread() -> Iterator[None]:
    """For tests that make `Workers`, which switch torch's own threads off for the process."""
    with torch_threads(torch.get_num_threads()):
        yield
