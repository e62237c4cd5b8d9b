"""Trainings that are soon over, also on a machine that has other work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from service.learning import learner

TINY = {"steps": 20, "size": 64, "self_test": False, "augment": False}
ENDLESS = TINY | {"steps": 10_000_000}
"""Still at it when the service is restarted."""


@contextmanager
def hurried() -> Iterator[None]:
    """Services that are started meanwhile train in a hurry, from their first learning on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learner, "CHOICES", TINY)
        patch.setattr(learner, "NICE", 0)
        yield
