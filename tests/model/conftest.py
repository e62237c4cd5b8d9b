"""Fixtures of the model's tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import safetensors.torch
import torch

from model.checkpoint import save
from model.workers import torch_threads
from tests.model.checkpoints import Document, Tensors, contents, made


@pytest.fixture
def one_thread() -> Iterator[None]:
    """For tests that make `Workers`, which switch torch's own threads off for the process."""
    with torch_threads(torch.get_num_threads()):
        yield


@pytest.fixture(scope="session")
def good_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoint") / "good.safetensors"
    save(path, made())
    return path


@pytest.fixture
def tampered(good_checkpoint: Path, tmp_path: Path) -> Callable[[Callable[[Tensors, Document], object]], Path]:
    """Makes a copy of a good checkpoint with something changed."""

    def tamper(change: Callable[[Tensors, Document], object]) -> Path:
        tensors, document = contents(good_checkpoint)
        change(tensors, document)
        path = tmp_path / "tampered.safetensors"
        safetensors.torch.save_file(tensors, path, metadata={"framewatch": json.dumps(document)})
        return path

    return tamper
