"""Shared fixtures: where the real footage lies, and a GPU if there is one; how examples are drawn."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
LONG = [ROOT / "tests" / name for name in ("web", "docs", "e2e")]
"""Folders whose tests start services and browsers."""


@pytest.fixture(scope="session")
def footage() -> Path:
    """The folder of real footage (`FRAMEWATCH_DATA`, default `../shared/data` beside the project)."""
    folder = Path(os.environ.get("FRAMEWATCH_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "ped2").is_dir():
        pytest.skip(f"no real footage at {folder}: set FRAMEWATCH_DATA")
    return folder


def pytest_configure() -> None:
    """Examples are the same in every run, so that it does not hang on luck whether a change is accepted; and that a
    busy machine takes long to draw or to try one is no fault."""
    settings.register_profile(
        "framewatch", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("framewatch")
    torch.set_num_threads(1)  # the tests' tensors are tiny: threads would only wait for each other


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):  # one of several processes: the long files first, so that they end together
        items.sort(key=lambda item: not any(item.path.is_relative_to(folder) for folder in LONG))
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))
