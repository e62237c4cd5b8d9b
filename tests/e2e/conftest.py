"""A service for the tests of a module, and a client that leaves no stream behind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from service.client import Client
from tests.e2e.serving import Served, served


@pytest.fixture(scope="module")
def changes() -> dict[str, Any]:
    """Settings of the module's service other than the defaults; a module that has some replaces it."""
    return {}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, changes: dict[str, Any]) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("data"), **changes) as running:
        yield running


@pytest.fixture
def client(service: Served) -> Iterator[Client]:
    with Client(service.url, timeout=120) as one:
        yield one
        for stream in one.streams():
            one.delete_stream(stream["id"], purge=True)
