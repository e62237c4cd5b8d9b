"""Shared fixtures: where the real footage lies, and a GPU if there is one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def footage() -> Path:
    """The folder of real footage (`FRAMEWATCH_DATA`, default `../shared/data` beside the project)."""
    folder = Path(os.environ.get("FRAMEWATCH_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "ped2").is_dir():
        pytest.skip(f"no real footage at {folder}: set FRAMEWATCH_DATA")
    return folder


def pytest_configure() -> None:
    torch.set_num_threads(1)  # the tests' tensors are tiny: threads would only wait for each other


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))
